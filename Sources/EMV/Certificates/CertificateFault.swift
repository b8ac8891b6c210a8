/// Why a certificate or a signature is refused; one reason each (EMV Book 2 5.3, 5.4, 6.3 to 6.6). Holds no data.
package enum CertificateFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Signature, key or exponent is not as long as it says, or as the key it was signed with.
    case length
    /// The recovered block does not end with BC: another key signed it, or it was changed.
    case trailer
    /// It does not begin with 6A.
    case header
    /// Its second byte is not that of this kind.
    case format
    /// A hash or public key algorithm other than 01.
    case algorithm
    /// Its contents are not what was signed.
    case hash
    /// The month has passed.
    case expired
    /// The issuer identifier is not how the PAN begins.
    case issuerIdentifier
    /// It is another card's.
    case pan
    /// The CA has taken it back.
    case revoked
    /// 9F27 within the signature is another than the answer's.
    case cryptogramInformation
    /// The cryptogram within the signature is not what belongs to this answer's data.
    case transactionHash
    /// An object that the method needs is not on the card.
    case missing(Tag)
    /// No CA key with this index for the card's RID.
    case unknownCAKey(index: UInt8)
    /// The CA key's own month has passed.
    case expiredCAKey(index: UInt8)
    /// 9F4A lists something else than 82.
    case staticTagList
    /// A record that the AFL names for authentication is not there, or is no record template.
    case record(file: UInt8, number: UInt8)
    /// 9F49 does not ask for 9F37.
    case dynamicObjects

    /// A word of its own for each reason, as reports and vectors have it.
    package var reason: String {
        switch self {
        case .length: "length"
        case .trailer: "trailer"
        case .header: "header"
        case .format: "format"
        case .algorithm: "algorithm"
        case .hash: "hash"
        case .expired: "expired"
        case .issuerIdentifier: "issuer-identifier"
        case .pan: "pan"
        case .revoked: "revoked"
        case .cryptogramInformation: "cid"
        case .transactionHash: "transaction-hash"
        case .missing: "missing"
        case .unknownCAKey: "unknown-ca-key"
        case .expiredCAKey: "expired-ca-key"
        case .staticTagList: "static-tag-list"
        case .record: "record"
        case .dynamicObjects: "ddol"
        }
    }

    /// True where the card lacks something: the TVR has a bit of its own for that (EMV Book 3 annex C5).
    package var isMissingData: Bool {
        if case .missing = self { return true }
        return false
    }

    /// One line for people.
    package var description: String {
        switch self {
        case .length: "length: it is not as long as the key it was signed with, or as it says"
        case .trailer: "trailer: no BC at its end, so another key signed it or it was changed"
        case .header: "header: no 6A at its beginning"
        case .format: "format: the second byte is that of another kind"
        case .algorithm: "algorithm: only SHA-1 and RSA (01) are known"
        case .hash: "hash: the data are not what was signed"
        case .expired: "expired: its month has passed"
        case .issuerIdentifier: "issuer-identifier: the PAN does not begin with it"
        case .pan: "pan: it is another card's"
        case .revoked: "revoked: its serial number is on the CA's list"
        case .cryptogramInformation: "cid: the signed 9F27 is not the answer's"
        case .transactionHash: "transaction-hash: the signature belongs to other transaction data"
        case .missing(let tag): "missing: tag \(tag) is not on the card"
        case .unknownCAKey(let index):
            "unknown-ca-key: the terminal has no CA key \(CertificateFault.hex(index)) of this RID"
        case .expiredCAKey(let index): "expired-ca-key: CA key \(CertificateFault.hex(index)) has expired"
        case .staticTagList: "static-tag-list: 9F4A lists something else than 82"
        case .record(let file, let number):
            "record: record \(number) of file \(file), which the AFL names, is missing or no template"
        case .dynamicObjects: "ddol: 9F49 does not ask for 9F37"
        }
    }

    private static func hex(_ byte: UInt8) -> String {
        (byte < 0x10 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
}
