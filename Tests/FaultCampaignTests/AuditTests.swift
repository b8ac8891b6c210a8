@testable import FaultCampaign
import Testing

/// The count after a campaign finds every promise that can be broken.
@Suite struct AuditTests {
    private var request = SentRequest(
        number: 7, card: 0, atc: 5, minorUnits: 100, pin: .none, isForged: false, isReplay: false)
    private let approved = Told(code: "00", approvalCode: "123456")

    private func line(
        rrn: UInt64 = 7, atc: UInt16 = 5, de39: String = "00", outcome: String = "approved",
        code: String? = "123456", minorUnits: Int64 = 100, triesLeft: Int = 3, id: String = "1-0"
    ) -> JournalledDecision {
        JournalledDecision(
            id: id, bucket: 1, kind: "decision", card: "aa", rrn: "\(rrn)", minorUnits: minorUnits, atc: atc,
            atcFinding: nil, de39: de39, outcome: outcome, approvalCode: code, pinTriesLeft: triesLeft)
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
        #expect(violations([told(undecided)], [line()], balance()).isEmpty, "booked and told to nobody")
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
}
