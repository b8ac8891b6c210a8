@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// Message authentication codes of links (DE64, DE128).
enum MACVectors {
    static func mac(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let (key, data) = (try vector.bytes("key"), try vector.bytes("data"))
        let padding = (vector.fields["padding"] as? Int).flatMap(MACPadding.init(rawValue:)) ?? .method1
        let found: UInt64
        switch try vector.text("algorithm") {
        case "ISO 9797-1 alg 1 (CBC, TDES)":
            found = try token.session.cbcMAC(
                padding.pad(data), key: token.key(key, [.encrypt, .sign]), token.chaining)
        case "ISO 9797-1 alg 3 (retail)": found = try token.retailMAC(key, data, padding)
        case "TDES CMAC":
            found = try token.session.tripleDESCMAC(
                data, key: token.key(key, [.encrypt, .sign]), token.chaining)
        case "AES CMAC":
            return try expect("MAC", Hex.encode(token.aesCMAC(key, data)).hasPrefix(vector.text("mac")))
        case let algorithm: throw Unsupported(algorithm)
        }
        try expect("MAC", Hex.encode(KeyVectors.word(found)).hasPrefix(vector.text("mac")))
    }
}
