internal import EMV

/// Accounts that are not found under the name of the message's PAN.
extension Authoriser {
    /// A card of the layout before: its account is made of its old records, and found then.
    func claim(from oldRecords: any OldRecords, _ work: Work) async throws(CouldNotDecide) {
        guard work.range != nil else { return }
        let (pan, deadline) = (work.request.card.pan, work.request.deadline)
        guard try await oldRecords.claim(pan, for: work.token, deadline: deadline) else { return }
        work.reading = try await records.read(work.token, withPast: true, deadline: deadline)
    }

    /// Over in a moment; whoever asks again is answered then.
    static let isMoving = CouldNotDecide.state(
        StateUnavailable("the account is being moved to another PAN", recordTells: false))
    private static let movesMax = 8

    /// What belongs to an account that has moved is looked for where it is now.
    func follow(_ token: CardToken, _ work: Work) async throws(CouldNotDecide) {
        let before = work.token
        turns.leave(before)
        await turns.enter(token)
        work.token = token
        work.moves += 1
        work.reading = try await records.read(token, withPast: true, deadline: work.request.deadline)
        guard work.moves <= Self.movesMax, work.reading.record?.hasTakenOver(from: before) == true else {
            throw Self.isMoving
        }
    }
}
