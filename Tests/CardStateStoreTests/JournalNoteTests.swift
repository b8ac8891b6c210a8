import Authorisation
import EMV
import Testing

@testable import CardStateStore

/// What the journal says beside decisions.
@Suite struct JournalNoteTests {
    private func request(_ purpose: RequestPurpose = .decision, chip: Bool = true) throws
        -> AuthorisationRequest
    {
        AuthorisationRequest(
            link: "acquirer-a",
            card: CardIdentity(pan: try PAN("4761739001010010"), panSequenceNumber: nil),
            expiry: nil, amount: Amount(minorUnits: 4_250, currency: CurrencyCode(rawValue: 752)!)!,
            transmission: Transmission(messageClass: .request, stan: 7),
            retrievalReferenceNumber: Array("RRN000000001".utf8),
            chip: chip ? try ICCData(parsing: [0x9F, 0x36, 2, 0x01, 0x02]) : nil, pin: nil,
            circumstances: Circumstances(), purpose: purpose, receivedAt: 0,
            deadline: Deadline(nanoseconds: .max))
    }

    @Test(arguments: [
        JournalNote.Event.undecided(reason: "HSM failed: C_DeriveKey; CKR_DEVICE_REMOVED"), .lateForDeadline,
        .toldOtherwise,
        .lateForConnection,
    ])
    func whatIsWrittenIsRead(event: JournalNote.Event) throws {
        for purpose in [RequestPurpose.decision, .advice(approved: true), .reversal(remainingMinorUnits: 0)] {
            let note = JournalNote(
                try request(purpose), event, card: CardToken(high: 1, low: 2), unixSeconds: 1_795_000_000)
            var line: [UInt8] = []
            note.appendEncoded(into: &line)
            #expect(JournalNote(decoding: line, card: note.card) == note)
            #expect(note.atc == 0x0102)
        }
        let many = JournalNote(notKept: 12, unixSeconds: 5)
        var line: [UInt8] = []
        many.appendEncoded(into: &line)
        #expect(JournalNote(decoding: line) == many)
        #expect(
            JournalNote(decoding: line.dropLast(5)) == nil && JournalNote(decoding: Array("a;b".utf8)) == nil)
    }

    @Test func aCryptogramThatNobodyJudgedIsTechnical() throws {
        let undecided = JournalNote.Event.undecided(reason: "HSM gave no answer in time")
        func result(_ event: JournalNote.Event, chip: Bool) throws -> ChipResult? {
            JournalNote(try request(chip: chip), event, card: nil, unixSeconds: 1).chipResult
        }
        #expect(try result(undecided, chip: true) == .technical)
        #expect(try result(undecided, chip: false) == ChipResult.none)
        // Decided: the decision's entry has the result.
        #expect(try result(.lateForDeadline, chip: true) == nil)
    }
}
