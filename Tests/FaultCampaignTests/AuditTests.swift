@testable import FaultCampaign
import Testing

/// The count after a campaign finds every promise that can be broken.
@Suite struct AuditTests {
    private var request = SentRequest(
        number: 7, card: 0, atc: 5, minorUnits: 100, pin: .none, isForged: false, isReplay: false)
    private let approved = Told(code: "00", approvalCode: "123456")

    private func line(
        rrn: UInt64 = 7, atc: UInt16 = 5, de39: String = "00", outcome: String = "approved",
        code: String? = "123456", minorUnits: Int64 = 100, triesLeft: Int = 3, id: String = "1-0",
        kind: String = "decision", transaction: String = "purchase", taken: Int64? = nil,
        givenBack: Int64? = nil
    ) -> JournalledDecision {
        JournalledDecision(
            id: id, bucket: 1, kind: kind, transaction: transaction, card: "aa", rrn: "\(rrn)",
            minorUnits: minorUnits, atc: atc, atcFinding: nil, de39: de39, outcome: outcome,
            approvalCode: code, pinTriesLeft: triesLeft, takenMinorUnits: taken,
            givenBackMinorUnits: givenBack)
    }

    private func balance(_ left: Int64 = 900, tries: Int = 0, atc: UInt16? = 5) -> StoredBalance {
        StoredBalance(availableMinorUnits: left, pinTriesUsed: tries, highestATC: atc)
    }

    private func violations(
        _ requests: [SentRequest], _ lines: [JournalledDecision], _ balance: StoredBalance,
        rollingAmount: Int64? = nil
    ) -> [String] {
        var audit = Audit(
            requests: Dictionary(uniqueKeysWithValues: requests.map { ($0.number, $0) }),
            cards: [AuditedCard(openingMinorUnits: 1_000, rollingAmount: rollingAmount)])
        audit.run(lines) { _, _ in balance }
        return audit.violations
    }

    private func told(_ answers: Told...) -> SentRequest {
        var request = request
        request.told = answers
        return request
    }

    @Test func whatIsBookedAndToldIsFine() {
        #expect(violations([told(approved)], [line()], balance()).isEmpty)
        let undecided = Told(code: "91", approvalCode: nil)
        #expect(violations([told(undecided, approved, approved)], [line()], balance()).isEmpty)
        #expect(
            violations([told(undecided)], [line(), line(kind: "undecided")], balance()).isEmpty,
            "booked, told to nobody, and noted")
        #expect(
            violations([told(undecided)], [line()], balance()) == [
                "request 7 was approved, its approval told to nobody, and has no note"
            ])
        #expect(violations([told(undecided)], [], balance()).isEmpty)
    }

    @Test func aLostApprovalIsFound() {
        #expect(violations([told(approved)], [], balance()).contains { $0.contains("is lost") })
        let other = [line(code: "654321")]
        #expect(violations([told(approved)], other, balance()).contains { $0.contains("is lost") })
    }

    @Test func aLostDeclineIsFound() {
        let wrong = Told(code: "55", approvalCode: nil)
        #expect(violations([told(wrong)], [], balance()).contains { $0.contains("told 55") })
    }

    @Test func aDoubledApprovalIsFound() {
        let twice = [line(), line(atc: 6, id: "2-0")]
        #expect(
            violations([told(approved)], twice, balance(800, atc: 6)).contains {
                $0.contains("approved twice")
            })
        #expect(violations([told(approved)], [line()], balance(800)).contains { $0.contains("800 left") })
        #expect(violations([told(approved)], [line()], balance(1_000)).contains { $0.contains("1000 left") })
    }

    @Test func anATCThatIsAcceptedTwiceIsFound() {
        var second = told(approved)
        second = SentRequest(
            number: 8, card: 0, atc: 5, minorUnits: 100, pin: .none, isForged: false, isReplay: true,
            told: [approved])
        let found = violations(
            [told(approved), second], [line(), line(rrn: 8, id: "2-0")], balance(800))
        #expect(found.contains { $0.contains("ATC 5 was approved twice") })
        #expect(found.contains { $0.contains("replayed ATC was approved") })
        #expect(violations([told(approved)], [line()], balance(atc: 4)).contains { $0.contains("forgotten") })
    }

    @Test func aForgottenPINTryIsFound() {
        var wrong = SentRequest(
            number: 7, card: 0, atc: 5, minorUnits: 100, pin: .wrong, isForged: false, isReplay: false)
        wrong.told = [Told(code: "55", approvalCode: nil)]
        let entry = line(de39: "55", outcome: "PIN wrong", code: nil, triesLeft: 2)
        #expect(violations([wrong], [entry], balance(1_000, tries: 1)).isEmpty)
        #expect(violations([wrong], [entry], balance(1_000, tries: 0)).contains { $0.contains("PIN tries") })
        let forgotten = line(de39: "55", outcome: "PIN wrong", code: nil, triesLeft: 3)
        #expect(
            violations([wrong], [forgotten], balance(1_000, tries: 1)).contains { $0.contains("PIN try") })
    }

    @Test func aPassedLimitIsFound() {
        #expect(violations([told(approved)], [line()], balance(), rollingAmount: 100).isEmpty)
        #expect(
            violations([told(approved)], [line()], balance(), rollingAmount: 99)
                .contains { $0.contains("limit of 99") })
    }

    @Test func aSecondAnswerHasToBeTheFirst() {
        let declined = Told(code: "51", approvalCode: nil)
        let lines = [line(), line(de39: "51", outcome: "insufficient funds", code: nil, id: "2-0")]
        #expect(
            violations([told(approved, declined)], lines, balance()).contains { $0.contains("and then 51") })
        let other = Told(code: "00", approvalCode: "000000")
        #expect(
            violations([told(approved, other)], [line()], balance()).contains { $0.contains("and then 00") })
    }

    private func reversed(_ remaining: Int64 = 0, told answers: String...) -> SentRequest {
        var request = told(approved)
        request.reversal = SentRequest.Reversal(
            remainingMinorUnits: remaining, sent: 1,
            told: answers.map { Told(code: $0, approvalCode: nil) })
        return request
    }

    private func reversal(_ givenBack: Int64?, id: String = "2-0") -> JournalledDecision {
        line(atc: 0, code: nil, id: id, transaction: "reversal", givenBack: givenBack)
    }

    @Test func aReversalThatWasToldHasToBeCarriedOutOnce() {
        let request = reversed(told: "91", "00")
        #expect(violations([request], [line(), reversal(100)], balance(1_000)).isEmpty)
        #expect(violations([request], [line()], balance()).contains { $0.contains("was to remain") })
        #expect(violations([request], [line()], balance()).contains { $0.contains("not in the journal") })
        let twice = [line(), reversal(100), reversal(100, id: "3-0")]
        #expect(
            violations([request], twice, balance(1_100)).contains { $0.contains("200 given back of 100") })
        // Told to nobody: either is right.
        #expect(violations([reversed(told: "91")], [line()], balance()).isEmpty)
        #expect(violations([reversed(told: "91")], [line(), reversal(100)], balance(1_000)).isEmpty)
        #expect(
            violations([told(approved)], [line(), reversal(100)], balance(1_000))
                .contains { $0.contains("nobody asked") })
    }

    @Test func aPartAndAReversalThatCameFirst() {
        let part = reversed(40, told: "00")
        #expect(violations([part], [line(), reversal(60)], balance(960)).isEmpty)
        #expect(
            violations([part], [line(), reversal(50)], balance(950)).contains { $0.contains("was to remain") }
        )
        var early = request
        early.reversal = SentRequest.Reversal(
            remainingMinorUnits: 0, sent: 1, told: [Told(code: "00", approvalCode: nil)])
        let late = line(de39: "21", outcome: "reversed before it came", code: nil, id: "3-0")
        #expect(violations([early], [reversal(nil), late], balance(1_000)).isEmpty)
        #expect(
            violations([early], [reversal(nil), line(id: "3-0")], balance())
                .contains { $0.contains("was to remain") })
    }

    @Test func anAdviceIsBookedOnceWhateverTheCardHas() {
        var advice = told(Told(code: "00", approvalCode: nil))
        advice.form = .advice
        let booked = line(code: "------", transaction: "purchase, approved elsewhere")
        #expect(violations([advice], [booked], balance()).isEmpty)
        #expect(violations([advice], [], balance()).contains { $0.contains("not in the journal") })
        let twice = [booked, line(code: "------", id: "2-0", transaction: "purchase, approved elsewhere")]
        #expect(violations([advice], twice, balance(800)).contains { $0.contains("approved twice") })
    }

    @Test func aNoteOfALateDecisionNeedsTheDecision() {
        let late = line(id: "9-0", kind: "late")
        #expect(violations([told()], [line(), late], balance()).isEmpty)
        #expect(violations([told()], [late], balance(1_000)).contains { $0.contains("decided late") })
        #expect(violations([told()], [line(id: "9-0", kind: "undecided")], balance(1_000)).isEmpty)
    }
}
