internal import HSM
internal import PKCS11

/// The clear inside of a key block, `length ‖ key ‖ padding`, as an object of the token. It can be cut, xored and
/// enciphered there, and nothing else; it ends with the session at the latest.
struct KeyData {
    let object: ObjectHandle
    /// Bytes of the whole object.
    let count: Int

    /// Such objects are sensitive; extractable, because pieces of them are enciphered for the MAC.
    static func template(_ count: Int?) -> Template {
        Template(
            keyType: .genericSecret, valueCount: count, on: [.sensitive, .isPrivate, .extractable, .derive],
            off: [.token] + KeyPurpose.usages.filter { $0 != .derive })
    }

    /// Key data of a key that may leave, made inside the token.
    ///
    /// - Parameters:
    ///   - key: extractable, able to derive.
    ///   - fill: random bytes that hide the key's length, or fill its last block.
    init(
        of key: ObjectHandle, _ algorithm: KeyAlgorithm, fill: [UInt8], session: inout Session
    ) throws(PKCS11Error) {
        let bits = algorithm.byteCount * 8
        let headed = try session.prependToKey(
            key, [UInt8(bits >> 8), UInt8(bits & 0xFF)], template: KeyData.template(nil))
        guard !fill.isEmpty else {
            self.init(object: headed, count: 2 + algorithm.byteCount)
            return
        }
        defer { try? session.destroy(headed) }
        self.init(
            object: try session.appendToKey(headed, fill, template: KeyData.template(nil)),
            count: 2 + algorithm.byteCount + fill.count)
    }

    init(object: ObjectHandle, count: Int) {
        self.object = object
        self.count = count
    }

    /// A piece as an object of its own, xor bytes that are known.
    func piece(
        _ range: Range<Int>, filledWith fill: [UInt8], xor mask: [UInt8], session: inout Session
    ) throws(PKCS11Error) -> ObjectHandle {
        var piece = try session.extractKey(
            from: object, byteOffset: range.lowerBound, template: KeyData.template(range.count))
        if !fill.isEmpty {
            let short = piece
            defer { try? session.destroy(short) }
            piece = try session.appendToKey(short, fill, template: KeyData.template(nil))
        }
        let plain = piece
        defer { try? session.destroy(plain) }
        let result = mask.withUnsafeBytes { bytes in
            Result { () throws(PKCS11Error) in
                try session.xorKey(plain, with: bytes, template: KeyData.template(nil))
            }
        }
        return try result.get()
    }

    /// The key itself as a key of its own.
    func key(_ template: Template, _ session: inout Session) throws(PKCS11Error) -> ObjectHandle {
        try session.extractKey(from: object, byteOffset: 2, template: template)
    }

    /// Which algorithm's length the first two bytes say, found without seeing them: their encipherment is compared
    /// with that of each length that can be.
    func algorithm(
        among candidates: [KeyAlgorithm], _ keys: KeyBlockKeys, version: KeyBlockVersion,
        session: inout Session
    ) throws -> KeyAlgorithm? {
        let blockCount = version.blockCount
        let zeros = [UInt8](repeating: 0, count: blockCount)
        let fill = [UInt8](repeating: 0, count: blockCount - 2)
        let head = try piece(0..<2, filledWith: fill, xor: zeros, session: &session)
        defer { try? session.destroy(head) }
        let found = try session.wrapKey(version.blockCipher, under: keys.authentication, object: head)
        for candidate in candidates where candidate.byteCount + 2 <= count {
            let bits = candidate.byteCount * 8
            let block = [UInt8(bits >> 8), UInt8(bits & 0xFF)] + fill
            let expected = try TokenCheckValue.encipherment(
                of: block, under: keys.authentication, session: &session)
            if found == expected { return candidate }
        }
        return nil
    }
}

extension KeyBlockVersion {
    /// The protecting cipher, block by block.
    var blockCipher: WrappingMechanism { blockCount == 16 ? .aesECB : .tripleDESECB }
}
