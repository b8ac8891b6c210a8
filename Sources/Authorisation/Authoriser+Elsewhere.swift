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

    /// What belongs to an account that has moved is looked for where it is now.
    func follow(_ token: CardToken, _ work: Work) async throws(CouldNotDecide) {
        turns.leave(work.token)
        await turns.enter(token)
        work.token = token
        work.reading = try await records.read(token, withPast: true, deadline: work.request.deadline)
    }
}
