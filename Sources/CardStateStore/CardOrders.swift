package import Authorisation

/// What operators do with cards: the same transition and the same store as authorisations, beside them.
package struct CardOrders: Sendable {
    private let records: RedisCardRecords
    private let unixSeconds: @Sendable () -> Int64

    /// - Parameters:
    ///   - records: of the loop that this is used on.
    ///   - unixSeconds: seconds since 1970.
    package init(_ records: RedisCardRecords, unixSeconds: @escaping @Sendable () -> Int64) {
        (self.records, self.unixSeconds) = (records, unixSeconds)
    }

    /// The record of an account, nil where it is unknown.
    package func record(_ token: CardToken) async throws(CouldNotDecide) -> CardRecord? {
        try await records.read(token, withPast: false, deadline: Deadline(nanoseconds: .max)).record
    }

    /// Record and filed transactions.
    package func reading(_ token: CardToken) async throws(CouldNotDecide) -> CardReading {
        try await records.read(token, withPast: true, deadline: Deadline(nanoseconds: .max))
    }

    /// Carries out an order, with an entry in the journal in the same step.
    /// - Parameter note: who, when and why, divided by `;`; printable, without line breaks.
    /// - Returns: what stood there before; for a new script its number.
    /// - Throws: `OperatorRefusal`, or `CouldNotDecide`.
    package func carryOut(_ order: OperatorOrder, for token: CardToken, note: String) async throws -> String {
        var reading = try await records.read(token, withPast: true, deadline: Deadline(nanoseconds: .max))
        while true {
            let step = CardTransition.apply(
                order, to: reading, policy: CardPolicy(), now: unixSeconds(),
                random: UInt64.random(in: .min ... .max))
            switch step {
            case .refused(let refusal): throw refusal
            case .broken(let words): throw CouldNotDecide.state(StateUnavailable("card record: \(words)"))
            case .needsPast: throw CouldNotDecide.state(StateUnavailable("read: filed transactions missing"))
            case .done(let before, let change):
                let lines = change.lines.map { line -> JournalLine in
                    guard case .change(let operation, let value, let before) = line else {
                        return .change("")
                    }
                    return .change("\(operation);\(value);\(before);\(note)")
                }
                switch try await records.replace(
                    token, change, lines: lines, withPast: true, deadline: Deadline(nanoseconds: .max))
                {
                case .done(let unconfirmed):
                    if let unconfirmed {
                        try await records.confirm(unconfirmed, deadline: Deadline(nanoseconds: .max))
                    }
                    return before
                case .conflict(let current): reading = current
                }
            }
        }
    }
}
