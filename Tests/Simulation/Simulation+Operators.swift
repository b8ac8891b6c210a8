internal import Authorisation
internal import Books
internal import EMV

/// Operators beside authorisations: the same transition, the same port, the same losses.
extension Simulation {
    /// Cards are there before the first message.
    func importCards() throws {
        for (index, account) in plan.accounts.enumerated() {
            for plastic in account.plastics {
                let order = OperatorOrder.importCard(
                    plan.definition(plastic, available: plan.opening), forgettingATCs: false)
                let reading = try store.read(account.token, withPast: true).get()
                guard
                    case .done(_, let change) = CardTransition.apply(
                        order, to: reading, policy: CardPolicy(), now: clock, random: numbers.next())
                else { throw violation("account \(index) could not be imported") }
                let lines = lines(change, why: why(order, plastic))
                _ = store.replace(account.token, change, lines: lines, withPast: false)
            }
        }
        try checkPromises()
    }

    func operate() {
        let account = plan.accounts.randomElement(using: &numbers)!
        let plastic = account.plastics.randomElement(using: &numbers)!
        let number = plastic.sequenceNumber
        let order: OperatorOrder
        switch Int.random(in: 0..<100, using: &numbers) {
        case 0..<14:
            order = .status(
                [.lost, .stolen, .restricted].randomElement(using: &numbers)!, sequenceNumber: nil)
        case 14..<40: order = .status(.active, sequenceNumber: nil)
        case 40..<58: order = .unblockPIN(sequenceNumber: number)
        case 58..<62: order = .resetATC(sequenceNumber: number)
        case 62..<80:
            order = .queueScript(
                QueuedScript(identifier: 0, command: ScriptCommand(.pinUnblock)!), sequenceNumber: number)
        case 80..<84:
            order = .withdrawScript(UInt32.random(in: 1...4, using: &numbers), sequenceNumber: number)
        case 84..<88: order = .resendScript(UInt32.random(in: 1...4, using: &numbers), sequenceNumber: number)
        default:
            order = .importCard(
                plan.definition(
                    plastic, available: plan.opening + Int64.random(in: 0...900, using: &numbers)),
                forgettingATCs: numbers.chance(10) && account.plastics.count == 1)
        }
        let host = Int.random(in: 0..<Self.hostCount, using: &numbers)
        let port = SimulatedPort(simulation: self, host: host, life: hosts[host].life)
        underWay += 1
        note("operator")
        Task(executorPreference: executor) { [self] in
            defer { underWay -= 1 }
            try? await carryOut(order, account.token, why(order, plastic), port)
        }
    }

    private func carryOut(
        _ order: OperatorOrder, _ token: CardToken, _ why: String, _ port: SimulatedPort
    ) async throws(CouldNotDecide) {
        let deadline = Deadline(nanoseconds: .max)
        var reading = try await port.read(token, withPast: false, deadline: deadline)
        for _ in 0...Authoriser.conflictsMax {
            switch CardTransition.apply(
                order, to: reading, policy: plan.ranges.ranges[0].cardPolicy, now: clock,
                random: numbers.next())
            {
            case .needsPast: reading = try await port.read(token, withPast: true, deadline: deadline)
            case .refused: return note("operator refused")
            case .broken(let words): broken = broken ?? words
            case .done(_, let change):
                switch try await port.replace(
                    token, change, lines: lines(change, why: why), withPast: reading.past != nil,
                    deadline: deadline)
                {
                case .done: return note("operator done")
                case .conflict(let current): reading = current
                }
            }
        }
    }

    private func lines(_ change: CardChange, why: String) -> [JournalLine] {
        change.lines.compactMap { line in
            guard case .change(let operation, let value, let before) = line else { return nil }
            return .change("\(operation);\(value);\(before);operator;\(clock);\(why)")
        }
    }

    /// What a line does not say by itself.
    private func why(_ order: OperatorOrder, _ plastic: Plan.Plastic) -> String {
        guard case .importCard(let definition, let isForgetting) = order else {
            return "\(plastic.sequenceNumber)"
        }
        return
            "\(plastic.sequenceNumber) \(definition.availableMinorUnits) \(isForgetting ? "forgetting" : "-")"
    }
}
