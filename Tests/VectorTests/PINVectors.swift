@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// PIN blocks.
enum PINVectors {
    static let operations: [String: Comparator] = ["pin-translate": translation]

    private static func translation(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        guard try vector.number("in_format") == 0, try vector.number("out_format") == 0 else {
            throw Unsupported("formats")
        }
        let keys = [
            KeyName("zpk"): try token.key(vector.bytes("in_key"), [.unwrap]),
            KeyName("pvk"): try token.key(vector.bytes("out_key"), [.wrap]),
        ]
        let question = CryptographyQuestion(
            card: try vector.card(), cryptogram: nil,
            pin: PINQuestion(
                zonePINKey: KeyName("zpk"), format: .iso0,
                block: EncipheredPINBlock(rawValue: try vector.word("in_block"))),
            deadline: Deadline(nanoseconds: .max))
        guard case .translated(let block) = try token.answer(question, keys: keys).pin else {
            throw Mismatch(step: "reading of the block")
        }
        try expect("block", block.rawValue == vector.word("out_block"))
    }
}

/// `published-pin-card.json`: each operation with its `in` and `out`.
enum PublishedPINVectors {
    static let operations: [String: Comparator] = [
        "cvv": CardValueVectors.published, "kcv": KeyVectors.publishedCheckValue,
    ]
}
