internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// Public keys and blocks with known results. What a token can do is found by doing it: mechanism lists leave
/// out what works and name what does not.
enum KnownAnswers {
    static let issuerMasterKey: [UInt8] = [
        0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10,
    ]
    static let otherKey: [UInt8] = [
        0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0x01,
    ]
    /// TDES of zeros under `issuerMasterKey`; its first three bytes are the well-known check value 08D7B4.
    static let checkBlock: UInt64 = 0x08D7_B4FB_629D_0885

    static func importKey(
        _ value: [UInt8], _ usage: [Attribute], session: inout Session
    ) throws -> ObjectHandle {
        let template = Template(
            keyType: .des2, on: [.sensitive, .isPrivate] + usage,
            off: [.token, .extractable] + KeyPurpose.usages.filter { !usage.contains($0) })
        return try session.createKey(template, value: SecretBytes(copying: value))
    }
}

/// A capability that the token lacks.
struct CapabilityMissing: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Finds how the token computes the chaining part of a MAC.
enum ChainingProbe {
    static func run(at location: TokenLocation) throws -> CryptographySession.Chaining {
        var session = try location.openSession()
        // Before the sessions that serve: none of them has to find it in a request.
        try session.examineCrossings()
        return try run(&session)
    }

    /// CBC over two blocks has to equal two encipherments with the first result fed into the second.
    static func run(_ session: inout Session) throws -> CryptographySession.Chaining {
        let key = try KnownAnswers.importKey(
            KnownAnswers.issuerMasterKey, [.encrypt, .sign], session: &session)
        defer { try? session.destroy(key) }
        let first: UInt64 = 0x1122_3344_5566_7788
        let second: UInt64 = 0x99AA_BBCC_DDEE_FF00
        let expected = try session.encryptBlock(try session.encryptBlock(first, key: key) ^ second, key: key)
        var message = (first.bigEndian, second.bigEndian)
        for chaining in [CryptographySession.Chaining.mac, .cbc] {
            let found = withUnsafeBytes(of: &message) { bytes in
                try? session.chain(bytes, key: key, chaining: chaining)
            }
            if found == expected { return chaining }
        }
        throw CapabilityMissing("the token computes no CBC-MAC with triple DES")
    }
}
