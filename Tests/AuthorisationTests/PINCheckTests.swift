@testable import Authorisation
import EMV
import Testing

@Suite("The PIN against the card's record")
struct PINCheckTests {
    private func card(reference: UInt64? = nil, value: PINVerificationValue? = nil) -> CardRecord {
        CardRecord(
            status: .active, expiry: ExpiryDate(ascii: Array("2912".utf8))!,
            pinReference: reference.map(EncipheredPINBlock.init(rawValue:)), pinTriesMax: 3, pinTriesUsed: 0,
            highestATC: nil, availableMinorUnits: 1, currency: CurrencyCode(rawValue: 752)!, profile: "",
            pinVerificationValue: value)
    }

    private func words(_ answer: PINAnswer, _ card: CardRecord) -> String {
        switch PINCheck.compare(answer, card: card) {
        case .notSent: "not sent"
        case .right: "right"
        case .wrong: "wrong"
        case .malformed(let fault): fault.words
        case .notOnRecord: "not on record"
        case .notServed(let why): why
        case .otherForm(.reference): "ask for the reference"
        case .otherForm(.verificationValue(let index)): "ask for the value under \(index)"
        }
    }

    @Test func aReferenceIsComparedWithATranslatedBlock() {
        let block = PINAnswer.translated(EncipheredPINBlock(rawValue: 77))
        #expect(words(block, card(reference: 77)) == "right")
        #expect(words(block, card(reference: 76)) == "wrong")
        #expect(words(block, card()) == "not on record")
        #expect(words(.notAsked, card(reference: 77)) == "not sent")
    }

    @Test func aVerificationValueIsComparedUnderItsOwnKeyIndex() throws {
        let value = try #require(PINVerificationValue(keyIndex: 1, digits: 0x1234))
        let other = try #require(PINVerificationValue(keyIndex: 1, digits: 0x1235))
        let index = try #require(PINVerificationValue(keyIndex: 2, digits: 0x1234))
        #expect(words(.verificationValue(value), card(value: value)) == "right")
        #expect(words(.verificationValue(other), card(value: value)) == "wrong")
        #expect(words(.verificationValue(index), card(value: value)) == "ask for the value under 1")
        #expect(words(.verificationValue(value), card()) == "not on record")
    }

    @Test func aRecordOfTheOtherFormIsAskedForAnew() throws {
        let value = try #require(PINVerificationValue(keyIndex: 3, digits: 0x0001))
        #expect(
            words(.translated(EncipheredPINBlock(rawValue: 1)), card(value: value))
                == "ask for the value under 3")
        #expect(words(.verificationValue(value), card(reference: 1)) == "ask for the reference")
    }

    @Test("A malformed block counts as a wrong PIN only where the scheme says so", arguments: [true, false])
    func malformed(counts: Bool) {
        var trace = DecisionTrace()
        let (evidence, declined) = PINCheck.evaluate(
            .malformed(.fill), countsMalformedBlocks: counts, &trace)
        #expect(evidence == (counts ? .wrong : .notChecked))
        #expect(declined == (counts ? nil : .pinBlockUnreadable))
    }

    @Test func digitsOfAVerificationValueAreDecimal() {
        #expect(PINVerificationValue(keyIndex: 1, digits: 0x12A4) == nil)
        #expect(PINVerificationValue(keyIndex: 10, digits: 0x1234) == nil)
    }
}
