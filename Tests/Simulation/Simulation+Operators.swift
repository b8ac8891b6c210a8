internal import Authorisation
internal import Books
internal import EMV

/// Operators beside authorisations: the same transition, the same port, the same losses.
extension Simulation {
    /// Cards are there before the first message.
    func importCards() throws {
        for (index, account) in plan.accounts.prefix(plan.firstCount).enumerated() {
            for plastic in account.plastics {
                let order = OperatorOrder.importCard(
                    plan.definition(plastic, available: plan.opening), forgettingATCs: false)
                let reading = try store.read(account.token, withPast: true).get()
                guard
                    case .done(let before, let change) = CardTransition.apply(
                        order, to: reading, policy: CardPolicy(), now: clock, random: numbers.next())
                else { throw violation("account \(index) could not be imported") }
                let lines = lines(change, why: why(order, plastic, before))
                _ = store.replace(account.token, change, lines: lines, withPast: false)
            }
        }
        try checkPromises()
    }

    func operate() {
        if plan.hasMoves, numbers.chance(12) { return moveAccount() }
        let account = plan.accounts[traffic.account(&numbers)]
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
        case 62..<70:
            order = .queueScript(
                QueuedScript(identifier: 0, command: ScriptCommand(.pinUnblock)!), sequenceNumber: number)
        case 70..<80: order = .queueScript(newPIN(account, plastic), sequenceNumber: number)
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
            _ = try? await carryOut(order, account.token, plastic, port)
        }
    }

    /// `cards replace`: broken off after any step, the same once more ends it.
    private func moveAccount() {
        let index = Int.random(in: 0..<plan.firstCount, using: &numbers)
        let (old, new) = (plan.accounts[index], plan.accounts[plan.firstCount + index])
        let host = Int.random(in: 0..<Self.hostCount, using: &numbers)
        let port = SimulatedPort(simulation: self, host: host, life: hosts[host].life)
        underWay += 1
        note("move to a new PAN")
        Task(executorPreference: executor) { [self] in
            defer { underWay -= 1 }
            try? await move(index, from: old, to: new, port)
        }
    }

    private func move(
        _ index: Int, from old: Plan.Account, to new: Plan.Account, _ port: SimulatedPort
    ) async throws(CouldNotDecide) {
        let deadline = Deadline(nanoseconds: .max)
        if !traffic.prepared.contains(index) {
            for plastic in new.plastics {
                let order = OperatorOrder.importCard(
                    plan.definition(plastic, available: 17), forgettingATCs: false)
                guard try await carryOut(order, new.token, plastic, port) else { return }
            }
            traffic.prepared.insert(index)
        }
        let (from, to) = (old.plastics[0], new.plastics[0])
        guard try await carryOut(.awaitMove(from: old.token), new.token, to, port),
            try await carryOut(.moveAway(to: new.token), old.token, from, port)
        else { return }
        let reading = try await port.read(old.token, withPast: true, deadline: deadline)
        guard try await carryOut(.takeOver(reading, from: old.token), new.token, to, port) else { return }
        note("moved to a new PAN")
        traffic.moved.insert(index)
    }

    /// A PIN of its own, or now and then that of another card of the account.
    private func newPIN(_ account: Plan.Account, _ plastic: Plan.Plastic) -> QueuedScript {
        let pin = ([5_678, 6_789] + account.plastics.map(\.pin)).randomElement(using: &numbers)!
        let block = EncipheredPINBlock(rawValue: pin)
        note("PIN change ordered")
        return QueuedScript(
            identifier: 0, command: ScriptCommand(.pinChange)!,
            newPIN: NewPIN(zonePINKey: KeyName("zpk"), block: block),
            newReference: plastic.hasVerificationValue ? nil : block,
            newVerificationValue: plastic.hasVerificationValue ? SimulatedPort.value(pin) : nil)
    }

    private func carryOut(
        _ order: OperatorOrder, _ token: CardToken, _ plastic: Plan.Plastic, _ port: SimulatedPort
    ) async throws(CouldNotDecide) -> Bool {
        let deadline = Deadline(nanoseconds: .max)
        var reading = try await port.read(token, withPast: false, deadline: deadline)
        for _ in 0...Authoriser.conflictsMax {
            switch CardTransition.apply(
                order, to: reading, policy: plan.ranges.ranges[0].cardPolicy, now: clock,
                random: numbers.next())
            {
            case .needsPast: reading = try await port.read(token, withPast: true, deadline: deadline)
            case .refused:
                note("operator refused")
                return false
            case .broken(let words): broken = broken ?? words
            // Done before: nothing has to be written.
            case .done(_, let change) where change.lines.isEmpty: return true
            case .done(let before, let change):
                switch try await port.replace(
                    token, change, lines: lines(change, why: why(order, plastic, before)),
                    withPast: reading.past != nil, deadline: deadline)
                {
                case .done:
                    traffic.ordered(order, before, account: plan.position(of: token))
                    note("operator done")
                    return true
                case .conflict(let current): reading = current
                }
            }
        }
        return false
    }

    private func lines(_ change: CardChange, why: String) -> [JournalLine] {
        change.lines.compactMap { line in
            guard case .change(let operation, let value, let before) = line else { return nil }
            return .change("\(operation);\(value);\(before);operator;\(clock);\(why)")
        }
    }

    /// What a line does not say by itself.
    private func why(_ order: OperatorOrder, _ plastic: Plan.Plastic, _ before: String) -> String {
        switch order {
        case .importCard(let definition, let isForgetting):
            "\(plastic.sequenceNumber) \(definition.availableMinorUnits) \(isForgetting ? "forgetting" : "-")"
        case .queueScript(let script, _):
            // A script's number is what the record gives it.
            "\(plastic.sequenceNumber) \(before)"
                + (script.newPIN.map { " \(plastic.name(of: $0.block.rawValue))" } ?? "")
        case .takeOver(_, let token): "\(plan.position(of: token))"
        default: "\(plastic.sequenceNumber)"
        }
    }
}
