@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// CVV, iCVV and CVV2 by the code that serves requests.
enum CardValueVectors {
    static func value(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        try compare(vector, expiry: "expiry_as_used", vector.text("cvv"), &token)
    }

    static func published(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        try compare(vector.inner("in"), expiry: "expiry", vector.inner("out").text("cvv"), &token)
    }

    /// The right value has to match the right candidate, and the neighbouring value none.
    private static func compare(
        _ input: VectorCase, expiry: String, _ value: String, _ token: inout TokenCalculator
    ) throws {
        let card = CardIdentity(pan: try PAN(input.text("pan")), panSequenceNumber: nil)
        guard let value = UInt16(value, radix: 16), let expiry = UInt16(try input.text(expiry), radix: 16),
            let code = UInt16(try input.text("service_code"), radix: 16),
            let right = CardValueInput(expiry: expiry, serviceCode: code),
            let other = CardValueInput(expiry: expiry, serviceCode: code == 0x201 ? 0x101 : 0x201)
        else { throw VectorFault(id: input.id, field: "digits") }
        let keys = [KeyName("cvk"): try token.key(input.bytes("cvk"), [.encrypt])]
        func answer(_ value: UInt16) throws -> CardValueAnswer {
            let question = CryptographyQuestion(
                card: card, cryptogram: nil, pin: nil,
                cardValue: CardValueQuestion(
                    cardVerificationKey: KeyName("cvk"), candidates: [other, right], value: value),
                deadline: Deadline(nanoseconds: .max))
            return try token.answer(question, keys: keys).cardValue
        }
        try expect("card verification value", answer(value) == .matches(1))
        try expect("refusal of another value", answer(value ^ 1) != .matches(1))
    }
}
