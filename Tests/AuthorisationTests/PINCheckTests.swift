@testable import Authorisation
import EMV
import Testing

@Suite("The PIN against the card's record")
struct PINCheckTests {
    private func reference(_ block: UInt64) -> PINOnRecord { .reference(EncipheredPINBlock(rawValue: block)) }

    @Test func aReferenceIsComparedWithATranslatedBlock() {
        let block = PINAnswer.translated(EncipheredPINBlock(rawValue: 77))
        #expect(PINVerdict.compare(block, reference(77)) == .right)
        #expect(PINVerdict.compare(block, reference(76)) == .wrong)
        #expect(PINVerdict.compare(block, .none) == .notOnRecord)
        #expect(PINVerdict.compare(.notAsked, reference(77)) == .notSent)
    }

    @Test func aVerificationValueIsComparedUnderItsOwnKeyIndex() throws {
        let value = try #require(PINVerificationValue(keyIndex: 1, digits: 0x1234))
        let other = try #require(PINVerificationValue(keyIndex: 1, digits: 0x1235))
        let index = try #require(PINVerificationValue(keyIndex: 2, digits: 0x1234))
        #expect(PINVerdict.compare(.verificationValue(value), .verificationValue(value)) == .right)
        #expect(PINVerdict.compare(.verificationValue(other), .verificationValue(value)) == .wrong)
        #expect(PINVerdict.compare(.verificationValue(index), .verificationValue(value)) == .otherForm)
        #expect(PINVerdict.compare(.verificationValue(value), .none) == .notOnRecord)
    }

    @Test func aRecordOfTheOtherFormIsAskedForAnew() throws {
        let value = try #require(PINVerificationValue(keyIndex: 3, digits: 0x0001))
        let block = PINAnswer.translated(EncipheredPINBlock(rawValue: 1))
        #expect(PINVerdict.compare(block, .verificationValue(value)) == .otherForm)
        #expect(PINVerdict.compare(.verificationValue(value), reference(1)) == .otherForm)
    }

    @Test func whatTheTokenHasNothingToAddToIsSettled() {
        for verdict in [PINVerdict.notSent, .right, .notOnRecord, .notServed("no key")] {
            #expect(verdict.isFinal)
        }
        for verdict in [PINVerdict.wrong, .malformed(.fill), .otherForm] { #expect(!verdict.isFinal) }
    }

    @Test("A malformed block counts as a wrong PIN only where the scheme says so", arguments: [true, false])
    func malformed(counts: Bool) throws {
        var scene = try CardScene()
        scene.policy = CardPolicy(countsMalformedPINBlocks: counts)
        let result = try scene.send(Draft { $0.pinAnswer = .unreadable(.fill) })
        #expect(result.declined == (counts ? .pinWrong : .pinBlockUnreadable))
        #expect(try scene.plastic(1).pinTriesUsed == (counts ? 1 : 0))
    }

    @Test func digitsOfAVerificationValueAreDecimal() {
        #expect(PINVerificationValue(keyIndex: 1, digits: 0x12A4) == nil)
        #expect(PINVerificationValue(keyIndex: 10, digits: 0x1234) == nil)
    }
}
