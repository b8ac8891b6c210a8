import Authorisation
import ByteCoding
import HSM
@testable import PKCS11
import VectorSupport

/// Compares one case with what the product makes of its input. Throws `Mismatch` with the first step whose result is
/// another one, `Refused` for what no token does inside and the product therefore does not do.
typealias Comparator = @Sendable (VectorCase, inout TokenCalculator) throws -> Void

/// Which comparator a file has, or in files of mixed operations each operation. A new kind of vector is a line here
/// and a file beside this one.
enum VectorRunner {
    static let files: [String: Comparator] = [
        "arpc.json": CryptogramVectors.response,
        "arqc.json": CryptogramVectors.cryptogram,
        "authentication-value.json": byField("op", AuthenticationValueVectors.operations),
        "card-verification.json": CardValueVectors.value,
        "contactless-legacy.json": byField("op", ContactlessVectors.operations),
        "currency.json": CurrencyVectors.conversion,
        "emv-aes-unconfirmed.json": AESCardVectors.cryptogram,
        "emv-certificates.json": byField("op", CertificateVectors.operations),
        "emv-master-keys.json": KeyVectors.masterKey,
        "emv-session-keys.json": byField("method", KeyVectors.sessionKeyMethods),
        "issuer-scripts.json": byField("op", ScriptVectors.operations),
        "kcv.json": KeyVectors.checkValue,
        "mac.json": MACVectors.mac,
        "pin-blocks.json": byField("op", PINVectors.operations),
        "pin-verification.json": byField("op", PINVectors.verifications),
        "published-emv.json": byField("op", PublishedEMVVectors.operations),
        "published-pin-card.json": byField("op", PINVectors.publishedOperations),
        "published-tr31.json": byField("op", KeyBlockVectors.publishedOperations),
        "scp02.json": byField("op", SecureChannelVectors.operations),
        "scp03.json": byField("op", SecureChannelVectors.operations),
        "tr31.json": byField("op", KeyBlockVectors.operations),
    ]

    /// - Parameter location: the token that does the keyed work.
    static func compare(_ vector: VectorCase, in file: String, on location: TokenLocation) throws {
        guard let comparator = files[file] else { throw Unsupported(file) }
        var token = try TokenCalculator(location)
        do {
            try comparator(vector, &token)
        } catch let error as Unsupported {
            throw Unsupported("\(file) \(error)")
        }
    }

    private static func byField(_ field: String, _ comparators: [String: Comparator]) -> Comparator {
        { vector, token in
            let value = try vector.text(field)
            guard let comparator = comparators[value] else { throw Unsupported(value) }
            try comparator(vector, &token)
        }
    }
}

/// What the product does not do yet. Fails a case by name.
struct Unsupported: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What the product refuses by design, with the reason.
struct Refused: Error, CustomStringConvertible {
    let description: String
    init(_ reason: String) { description = reason }
}

/// Another result than the vector's. Names the step and holds no value: it may be a key.
struct Mismatch: Error, CustomStringConvertible {
    let step: String
    var description: String { "another \(step)" }
}

/// Names the step where it does not hold.
func expect(_ step: String, _ holds: Bool) throws(Mismatch) {
    guard holds else { throw Mismatch(step: step) }
}
