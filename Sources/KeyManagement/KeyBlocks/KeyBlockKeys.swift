internal import HSM
internal import PKCS11

/// The two keys that a key block is made with, session objects derived from the protection key inside the token
/// (ANSI X9.143, 7.2; TR-31:2018 5.3).
struct KeyBlockKeys {
    /// Enciphers and deciphers key data; for version E it derives the key stream.
    let encipherment: ObjectHandle
    /// Authenticates header and key data.
    let authentication: ObjectHandle
    /// First and second subkey of the CMAC under `authentication`; empty for the CBC-MAC of versions A and C.
    let subkeys: (first: [UInt8], second: [UInt8])

    /// Constants that make a variant of a protection key (TR-31:2018 5.3.2.1): E and M.
    private static let variants: (encipherment: UInt8, authentication: UInt8) = (0x45, 0x4D)

    private enum Use: UInt8 {
        case cbc = 0
        case authentication = 1
        case stream = 2
    }

    /// - Parameters:
    ///   - protectionKey: a session object that derives.
    ///   - algorithm: its algorithm, which has to be that of the version.
    init(
        _ version: KeyBlockVersion, from protectionKey: ObjectHandle, algorithm: KeyAlgorithm,
        session: inout Session
    ) throws {
        guard (algorithm.keyType == .aes) == (version.blockCount == 16) else {
            throw KeyBlockError(
                "version", "\(version.rawValue) needs another protection key than \(algorithm.rawValue)")
        }
        let encipheringUsage: [Attribute] = version == .e ? [.derive] : [.wrap, .unwrap]
        let one = KeyBlockKeys.template(algorithm, encipheringUsage)
        let other = KeyBlockKeys.template(algorithm, [.wrap, .derive])
        if version.usesVariants {
            func variant(_ constant: UInt8, _ template: Template) throws -> ObjectHandle {
                let bytes = [UInt8](repeating: constant, count: algorithm.byteCount)
                return try bytes.withUnsafeBytes {
                    try session.xorKey(protectionKey, with: $0, template: template)
                }
            }
            encipherment = try variant(KeyBlockKeys.variants.encipherment, one)
            authentication = try variant(KeyBlockKeys.variants.authentication, other)
            subkeys = ([], [])
            return
        }
        let base = try KeyBlockKeys.subkeys(of: protectionKey, version.blockCount, session: &session)
        func derived(_ use: Use, _ template: Template) throws -> ObjectHandle {
            try session.deriveKey(
                from: protectionKey, version.blockCount == 16 ? .aesECB : .tripleDESECB,
                data: KeyBlockKeys.derivationData(use, algorithm, version: version, subkeys: base),
                template: template)
        }
        encipherment = try derived(version == .e ? .stream : .cbc, one)
        authentication = try derived(.authentication, other)
        subkeys = try KeyBlockKeys.subkeys(of: authentication, version.blockCount, session: &session)
    }

    /// Ends both.
    func destroy(_ session: inout Session) {
        try? session.destroy(encipherment)
        try? session.destroy(authentication)
    }

    /// The blocks whose encipherments under the protection key are the CMACs that make up the derived key: counter,
    /// use, separator, algorithm and length (TR-31:2018 5.3.2.2), each xor the subkey that its length asks for.
    private static func derivationData(
        _ use: Use, _ algorithm: KeyAlgorithm, version: KeyBlockVersion,
        subkeys: (first: [UInt8], second: [UInt8])
    ) -> [UInt8] {
        let indicator: UInt8 =
            switch algorithm {
            case .tdes128: 0
            case .tdes192: 1
            case .aes128: 2
            case .aes192: 3
            case .aes256, .hmac256: 4
            }
        let bits = algorithm.byteCount * 8
        let count = (algorithm.byteCount + version.blockCount - 1) / version.blockCount
        return (1...count).flatMap { counter in
            let message: [UInt8] = [
                UInt8(counter), 0, use.rawValue, 0, 0, indicator, UInt8(bits >> 8), UInt8(bits & 0xFF),
            ]
            guard version.blockCount == 16 else { return xor(message, subkeys.first) }
            return xor(message + [0x80] + [UInt8](repeating: 0, count: 7), subkeys.second)
        }
    }

    private static func subkeys(
        of key: ObjectHandle, _ blockCount: Int, session: inout Session
    ) throws -> (first: [UInt8], second: [UInt8]) {
        let zeros = [UInt8](repeating: 0, count: blockCount)
        let first = CMACSubkey.doubled(
            try TokenCheckValue.encipherment(of: zeros, under: key, session: &session))
        return (first, CMACSubkey.doubled(first))
    }

    private static func template(_ algorithm: KeyAlgorithm, _ usage: [Attribute]) -> Template {
        Template(
            keyType: algorithm.keyType, valueCount: algorithm.keyType == .aes ? algorithm.byteCount : nil,
            on: [.sensitive, .isPrivate] + usage,
            off: [.token, .extractable] + KeyPurpose.usages.filter { !usage.contains($0) })
    }
}

/// Byte by byte, as many as the shorter has.
func xor(_ one: [UInt8], _ other: [UInt8]) -> [UInt8] { zip(one, other).map { $0 ^ $1 } }
