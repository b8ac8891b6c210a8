@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// Message authentication codes of links (DE64, DE128).
enum MACVectors {
    private static let algorithms: [String: MACAlgorithm] = [
        "ISO 9797-1 alg 1 (CBC, TDES)": .iso9797Algorithm1, "ISO 9797-1 alg 3 (retail)": .iso9797Algorithm3,
        "TDES CMAC": .tripleDESCMAC, "AES CMAC": .aesCMAC,
    ]

    static func mac(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let name = try vector.text("algorithm")
        guard let algorithm = algorithms[name] else { throw Unsupported(name) }
        let padding = (vector.fields["padding"] as? Int).flatMap(MACPadding.init(rawValue:)) ?? .method1
        let found = try token.mac(algorithm, vector.bytes("key"), vector.bytes("data"), padding)
        try expect("MAC", Hex.encode(found).hasPrefix(vector.text("mac")))
    }
}
