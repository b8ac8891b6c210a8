extension Authoriser {
    /// Waits until what was read or written is safe, outside the card's turn.
    ///
    /// Where the server that had it is the master no more, the one that took over has the write or lacks it: the record
    /// says which, once. The message is then settled by what is there now, as after any other lost reply.
    func confirm(_ work: Work) async throws(CouldNotDecide) {
        guard let place = work.unconfirmed else { return }
        do throws(CouldNotDecide) { try await confirm(place, work) } catch {
            guard case .state(let failure) = error, failure.recordTells else { throw error }
            try await writeAnew(work, after: error)
            if let place = work.unconfirmed { try await confirm(place, work) }
        }
    }

    private func confirm(_ place: CardReading, _ work: Work) async throws(CouldNotDecide) {
        try await records.confirm(place, deadline: work.request.deadline)
        guard work.written != nil else { return }
        work.times.set(.stateCommit, from: work.writtenFrom, to: surroundings.monotonicNanoseconds())
    }

    private func writeAnew(_ work: Work, after error: CouldNotDecide) async throws(CouldNotDecide) {
        await turns.enter(work.token)
        defer { turns.leave(work.token) }
        let withPast = work.readsPast || work.reading.past != nil
        guard
            let current = try? await records.read(
                work.token, withPast: withPast, deadline: work.request.deadline)
        else { throw error }
        work.unconfirmed = current
        if let written = work.written, current.record?.tag == written { return }
        (work.unconfirmed, work.written, work.reading) = (nil, nil, current)
        try await applyAndWrite(work)
    }

    /// The reply was lost: the record itself says whether the write was carried out. One that still arrives finds another
    /// tag.
    /// - Returns: false where it was not; the record as it is now is the reading then.
    func isWritten(
        _ change: CardChange, after error: CouldNotDecide, since from: UInt64, work: Work
    ) async throws(CouldNotDecide) -> Bool {
        guard case .state(let failure) = error, failure.recordTells, let written = change.record else {
            throw error
        }
        guard
            let current = try? await records.read(
                work.token, withPast: work.readsPast || work.reading.past != nil,
                deadline: work.request.deadline)
        else { throw error }
        guard current.record?.tag == written.tag else {
            work.reading = current
            return false
        }
        (work.unconfirmed, work.written, work.writtenFrom) = (current, written.tag, from)
        return true
    }
}
