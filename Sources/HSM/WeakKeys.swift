internal import ByteCoding
package import PKCS11

/// A key that nobody may use, whoever brings it. Names the kind of weakness, never a value.
package enum KeyWeakness: String, Error, Hashable, Sendable, CustomStringConvertible {
    case partsEqual = "two parts of the key are equal"
    case knownWeak = "a part of the key is a weak or semi-weak DES key"

    /// One line for people.
    package var description: String { rawValue }
}

/// Weak keys found without seeing them (NIST SP 800-67, 3.4): each eight bytes encipher zeros as a single DES key inside
/// the token, and what comes out tells equal parts and the sixteen weak ones. DES does not see parity, so neither
/// does this.
package enum WeakKeys {
    /// - Parameters:
    ///   - object: key material that derives: a generic secret, or a key of the token that may be cut.
    ///   - offset: bytes before the key.
    /// - Throws: `KeyWeakness`, or what the token says.
    package static func refuse(
        _ object: ObjectHandle, offset: Int = 0, algorithm: KeyAlgorithm, session: inout Session
    ) throws {
        var marks: [[UInt8]] = []
        for start in stride(from: 0, to: algorithm.byteCount, by: 8) {
            let half = try session.extractKey(from: object, byteOffset: offset + start, template: part)
            defer { try? session.destroy(half) }
            let single = try session.joinKeys(half, half, template: doubled)
            defer { try? session.destroy(single) }
            let zeros = [UInt8](repeating: 0, count: 8)
            marks.append(try TokenCheckValue.encipherment(of: zeros, under: single, session: &session))
        }
        if let weakness = weakness(marks, algorithm) { throw weakness }
    }

    /// The same of a value that is in clear anyway: a public test key.
    static func refuse(clear value: borrowing SecretBytes, _ algorithm: KeyAlgorithm) throws {
        let parts = value.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 8).map { start in
                bytes[start..<min(start + 8, bytes.count)].map { $0 & 0xFE }
            }
        }
        guard differ(parts, algorithm) else { throw KeyWeakness.partsEqual }
        guard algorithm.blockBytes == 8 else { return }
        let weak = try values.map { try Hex.decode($0).map { $0 & 0xFE } }
        guard !parts.contains(where: weak.contains) else { throw KeyWeakness.knownWeak }
    }

    /// K1 K2 K1 is a key of double length, and would pass for one of triple length where strength is asked for.
    private static func differ(_ parts: [[UInt8]], _ algorithm: KeyAlgorithm) -> Bool {
        algorithm.blockBytes == 8
            ? Set(parts).count == parts.count : zip(parts, parts.dropFirst()).allSatisfy { $0 != $1 }
    }

    private static func weakness(_ marks: [[UInt8]], _ algorithm: KeyAlgorithm) -> KeyWeakness? {
        guard differ(marks, algorithm) else { return .partsEqual }
        guard algorithm.blockBytes == 8 else { return nil }
        return marks.contains { known.contains(Hex.encode($0)) } ? .knownWeak : nil
    }

    private static let part = Template(
        keyType: .genericSecret, valueCount: 8, on: [.sensitive, .isPrivate, .derive],
        off: [.token, .extractable])
    private static let doubled = Template(
        keyType: .des2, on: [.sensitive, .isPrivate, .derive],
        off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .derive })

    /// The four weak and twelve semi-weak keys of DES.
    private static let values = [
        "0101010101010101", "FEFEFEFEFEFEFEFE", "E0E0E0E0F1F1F1F1", "1F1F1F1F0E0E0E0E", "011F011F010E010E",
        "1F011F010E010E01", "01E001E001F101F1", "E001E001F101F101", "01FE01FE01FE01FE", "FE01FE01FE01FE01",
        "1FE01FE00EF10EF1", "E01FE01FF10EF10E", "1FFE1FFE0EFE0EFE", "FE1FFE1FFE0EFE0E", "E0FEE0FEF1FEF1FE",
        "FEE0FEE0FEF1FEF1",
    ]

    /// What they make of a block of zeros, in the same order.
    private static let known: Set = [
        "8CA64DE9C1B123A7", "CAAAAF4DEAF1DBAE", "2F5D20EA397B4786", "94AEA8BD97D84ED9", "19A64049322A0C8A",
        "16513D6A4D72D81D", "CFBD01E80FA6AC56", "9C9532E62998F50A", "01DB63B42A6B7260", "1F1755E5CA62219D",
        "A53799F0E1390CAA", "DE5334466A9A67D0", "4BD200B286A22E7A", "31B913F4751B6F21", "71B0A4DCDADFD267",
        "093DB6A28A31412A",
    ]
}

extension KeyAlgorithm {
    /// Bytes of a block; 0 for HMAC.
    var blockBytes: Int {
        switch self {
        case .tdes128, .tdes192: 8
        case .aes128, .aes192, .aes256: 16
        case .hmac256: 0
        }
    }

    /// Security strength in bits (NIST SP 800-57 part 1, 5.6.1.1): a key is protected by one that is no weaker.
    package var strengthBits: Int {
        switch self {
        case .tdes128: 80
        case .tdes192: 112
        case .aes128: 128
        case .aes192: 192
        case .aes256, .hmac256: 256
        }
    }
}
