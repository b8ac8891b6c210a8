package import EMV

/// What an operator does with a card.
package enum OperatorOrder: Sendable {
    /// A new card, or a new record of a card that is there.
    case importCard(CardDefinition, forgettingATCs: Bool)
    /// The account's and the plastic's; nil: every plastic of the account.
    case status(CardStatus, sequenceNumber: UInt8?)
    /// No wrong PINs so far.
    case unblockPIN(sequenceNumber: UInt8)
    /// The next verified ATC is taken as it comes, as for a new card. Old cryptograms are good again.
    case resetATC(sequenceNumber: UInt8)
    /// First step of a move to another PAN, on its record: nothing is decided on it until the account is there.
    case awaitMove(from: CardToken)
    /// Second step: nothing is decided on the old record any more.
    case moveAway(to: CardToken)
    /// Third step: the record of the new PAN takes over what the old one has. All three can be repeated.
    case takeOver(CardReading, from: CardToken)
    /// It goes out with the next answer to a verified cryptogram.
    case queueScript(QueuedScript, sequenceNumber: UInt8)
    /// One that waits is taken back.
    case withdrawScript(UInt32, sequenceNumber: UInt8)
    /// One whose answer was lost, or that failed, goes out once more.
    case resendScript(UInt32, sequenceNumber: UInt8)
}

/// A card as a file of cards defines it.
package struct CardDefinition: Sendable {
    /// 0…99; a card without a number has 0.
    package let sequenceNumber: UInt8
    /// Active or why not.
    package let status: CardStatus
    /// The last month in which it may be used.
    package let expiry: ExpiryDate
    /// How its PIN is known.
    package let pin: PINOnRecord
    /// Wrong PINs in a row that block the PIN.
    package let pinTriesMax: UInt8
    /// In minor units of `currency`.
    package let availableMinorUnits: Int64
    /// The account's.
    package let currency: CurrencyCode
    /// The name of the cryptogram profile.
    package let profile: String
    /// The label of IMK-AC; empty where it is not known.
    package let issuerMasterKey: String
    /// Of its own, nil: those of its range.
    package let limits: SpendingLimits?

    package init(
        sequenceNumber: UInt8 = 0, status: CardStatus, expiry: ExpiryDate, pin: PINOnRecord,
        pinTriesMax: UInt8, availableMinorUnits: Int64, currency: CurrencyCode, profile: String,
        issuerMasterKey: String = "", limits: SpendingLimits? = nil
    ) {
        self.sequenceNumber = sequenceNumber
        self.status = status
        self.expiry = expiry
        self.pin = pin
        self.pinTriesMax = pinTriesMax
        self.availableMinorUnits = availableMinorUnits
        self.currency = currency
        self.profile = profile
        self.issuerMasterKey = issuerMasterKey
        self.limits = limits
    }
}

/// What came of an order.
package enum OperatorStep: Sendable {
    /// What stood there before, in words; for a script its number or state. To be written.
    case done(before: String, CardChange)
    /// There is no such card, or the order does not fit it; nothing was changed.
    case refused(OperatorRefusal)
    /// The transactions that are filed away have to be read first.
    case needsPast
    case broken(String)
}

/// Why an order is not carried out.
package enum OperatorRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownCard
    case unknownSequenceNumber
    case noSuchScript
    case tooManyScripts
    case tooManyPlastics
    case anotherCurrency
    case movedElsewhere
    case alreadyUsed
    case awaitsMove

    /// In words, for people.
    package var description: String {
        switch self {
        case .unknownCard: "no such card"
        case .unknownSequenceNumber: "no card with this sequence number"
        case .noSuchScript: "no such script in a state for that"
        case .tooManyScripts: "\(CardTransition.scriptsMax) scripts wait for this card already"
        case .tooManyPlastics: "the account has \(CardRecord.plasticsMax) cards already"
        case .anotherCurrency: "the account is kept in another currency"
        case .movedElsewhere: "the account was moved to another PAN before"
        case .alreadyUsed: "the new PAN has transactions of its own already"
        case .awaitsMove: "another account is on its way to this PAN"
        }
    }
}

extension CardTransition {
    /// Carries out an operator's order: an event of the same transition, with a line of the journal.
    package static func apply(
        _ order: OperatorOrder, to reading: CardReading, policy: CardPolicy, now: Int64, random: UInt64
    ) -> OperatorStep {
        guard let record = reading.record else {
            guard case .importCard(let definition, _) = order else { return .refused(.unknownCard) }
            return create(definition, random: random)
        }
        var transition = CardTransition(record, past: reading.past, policy: policy, now: now)
        do {
            // What has moved away releases nothing any more.
            if !record.isSealed { try transition.releaseExpiredHolds() }
            if case .importCard = order {} else { transition.isUrgent = true }
            let before = try transition.carryOut(order)
            let outcome = transition.accepted(nil, .notAsked, plastic: nil, isDecision: false)
            switch transition.step(outcome, before: record, random: random) {
            case .decided(_, let change): return .done(before: before, change)
            case .broken(let words): return .broken(words)
            case .ask: return .needsPast
            }
        } catch let refusal as OperatorRefusal {
            return .refused(refusal)
        } catch {
            return .needsPast
        }
    }

    private static func create(_ definition: CardDefinition, random: UInt64) -> OperatorStep {
        var record = CardRecord(
            status: .active, currency: definition.currency,
            availableMinorUnits: definition.availableMinorUnits)
        record.setTag(RecordTag(random: random, counter: 1))
        record.add(definition)
        let line = CardChange.Line.change(
            operation: "import", value: definition.words, before: "")
        var change = CardChange(read: nil, record: record, lines: [line])
        // The second key is made with the first: a command about keys that are not there is refused while a slot moves.
        change.past = .replace([])
        return .done(before: "", change)
    }

    private mutating func carryOut(_ order: OperatorOrder) throws -> String {
        switch order {
        case .importCard(let definition, let forgettingATCs):
            guard record.movedTo == nil else { throw OperatorRefusal.movedElsewhere }
            return try replaceCard(definition, forgettingATCs)
        case .status(let status, let number): return try setStatus(status, number)
        case .unblockPIN(let number):
            let before = try change(number, "unblock-pin", value: "") { plastic in
                defer { plastic.pinTriesUsed = 0 }
                return "\(plastic.pinTriesUsed)"
            }
            shareTries(number)
            return before
        case .resetATC(let number):
            let before = try change(number, "reset-atc", value: "") { plastic in
                defer { (plastic.highestATC, plastic.wasReset) = (nil, true) }
                return plastic.highestATC.map { "\($0)" } ?? ""
            }
            let index = record.plasticIndex(number) ?? 0
            clearWindow(index)
            try needPast()
            for (place, kept) in all({ $0.plastic == number && $0.flags.contains(.chip) }) {
                var transaction = kept
                transaction.flags.insert(.beforeReset)
                replace(place, transaction)
            }
            return before
        case .awaitMove(let token): return try awaitMove(from: token)
        case .moveAway(let token): return try moveAway(to: token)
        case .takeOver(let old, let token): return try takeOver(old, from: token)
        case .queueScript(let script, let number): return try queue(script, number)
        case .withdrawScript(let identifier, let number):
            return try move(identifier, number, from: [.queued], to: .withdrawn, operation: "script-withdraw")
        case .resendScript(let identifier, let number):
            return try move(
                identifier, number, from: [.sent, .failed, .notPerformed], to: .queued,
                operation: "script-resend")
        }
    }

    private func index(_ number: UInt8) throws -> Int {
        guard let index = record.plasticIndex(number) else { throw OperatorRefusal.unknownSequenceNumber }
        return index
    }

    private mutating func change(
        _ number: UInt8, _ operation: String, value: String, body: (inout Plastic) -> String
    ) throws -> String {
        let index = try index(number)
        var plastic = record.plastic(index)
        let before = body(&plastic)
        record.replacePlastic(index, plastic)
        lines.append(.change(operation: operation, value: value, before: before))
        return before
    }

    private mutating func setStatus(_ status: CardStatus, _ number: UInt8?) throws -> String {
        if let number {
            return try change(number, "status", value: status.rawValue) { plastic in
                defer { plastic.status = status }
                return plastic.status.rawValue
            }
        }
        let before = record.status
        record.status = status
        for index in 0..<record.plasticCount {
            var plastic = record.plastic(index)
            plastic.status = status
            record.replacePlastic(index, plastic)
        }
        lines.append(.change(operation: "status", value: status.rawValue, before: before.rawValue))
        return before.rawValue
    }

    private mutating func shareTries(_ number: UInt8) {
        if let index = record.plasticIndex(number) { share(record.plastic(index), index) }
    }

    private mutating func clearWindow(_ index: Int) {
        let place = record.windowPlace(index)
        for offset in 0..<ATCWindow.byteCount { record.bytes[place + offset] = 0 }
        // The ATC that a script went out with may come again with another transaction.
        setScripts(index, scripts(index).map { $0.moved(to: $0.state, atc: .some(nil)) })
    }

    /// A card that is there keeps its ATCs and transactions unless told otherwise; limits, PIN tries and what is available
    /// begin anew.
    private mutating func replaceCard(_ definition: CardDefinition, _ forgettingATCs: Bool) throws -> String {
        guard definition.currency == record.currency || record.plasticCount <= 1 else {
            throw OperatorRefusal.anotherCurrency
        }
        var words = "available \(record.availableMinorUnits)"
        let difference = definition.availableMinorUnits.subtractingReportingOverflow(
            record.availableMinorUnits)
        guard !difference.overflow,
            difference.partialValue >= 0 ? moveIn(difference.partialValue) : moveOut(-difference.partialValue)
        else { throw OperatorRefusal.anotherCurrency }
        record.currency = definition.currency
        if !forgettingATCs { try beginDaysAnew() }
        record.set(.days, [])
        if forgettingATCs {
            // For test environments: as if the card had never been used.
            record.forgetTransactions()
            past = []
            isPastChanged = true
        }
        if let index = record.plasticIndex(definition.sequenceNumber) {
            var plastic = record.plastic(index)
            words +=
                ", \(plastic.status.rawValue), expiry \(plastic.expiry), tries used \(plastic.pinTriesUsed)"
            if forgettingATCs {
                plastic.highestATC = nil
                clearWindow(index)
            }
            record.replacePlastic(index, plastic.redefined(definition))
            record.define(index, definition)
        } else {
            guard record.plasticCount < CardRecord.plasticsMax else { throw OperatorRefusal.tooManyPlastics }
            record.add(definition)
        }
        shareTries(definition.sequenceNumber)
        if record.status != .active, definition.status == .active { record.status = .active }
        lines.append(.change(operation: "import", value: definition.words, before: words))
        return words
    }

    /// What was counted before gives nothing back to what is counted from now on.
    private mutating func beginDaysAnew() throws(CardQuestion) {
        try needPast()
        for (place, counted) in all({ $0.flags.contains(.counted) }) {
            var transaction = counted
            transaction.flags.remove(.counted)
            replace(place, transaction)
        }
    }

    private mutating func queue(_ script: QueuedScript, _ number: UInt8) throws -> String {
        let index = try index(number)
        var list = scripts(index)
        if list.count >= Self.scriptsMax {
            // The oldest that is done makes room.
            guard let done = list.firstIndex(where: { $0.state != .queued && $0.state != .sent }) else {
                throw OperatorRefusal.tooManyScripts
            }
            list.remove(at: done)
        }
        var plastic = record.plastic(index)
        plastic.lastScript += 1
        record.replacePlastic(index, plastic)
        list.append(script.numbered(plastic.lastScript))
        setScripts(index, list)
        lines.append(.change(operation: "script-queue", value: script.command.kind.rawValue, before: ""))
        return "\(plastic.lastScript)"
    }

    private mutating func move(
        _ identifier: UInt32, _ number: UInt8, from states: [QueuedScript.State],
        to state: QueuedScript.State,
        operation: String
    ) throws -> String {
        let index = try index(number)
        var list = scripts(index)
        guard let place = list.firstIndex(where: { $0.identifier == identifier && states.contains($0.state) })
        else { throw OperatorRefusal.noSuchScript }
        let before = String(list[place].state.rawValue)
        list[place] = list[place].moved(to: state, atc: state == .queued ? nil : list[place].atc)
        setScripts(index, list)
        lines.append(.change(operation: operation, value: "\(identifier)", before: before))
        return before
    }
}

extension CardDefinition {
    /// For the journal: no PAN, no PIN.
    var words: String {
        "available \(availableMinorUnits), \(status.rawValue), expiry \(expiry), sequence number \(sequenceNumber)"
    }
}

extension Plastic {
    fileprivate func redefined(_ definition: CardDefinition) -> Plastic {
        var plastic = self
        plastic.status = definition.status
        plastic.expiry = definition.expiry
        plastic.pin = definition.pin
        plastic.pinTriesMax = definition.pinTriesMax
        plastic.pinTriesUsed = 0
        return plastic
    }
}

extension CardRecord {
    /// For test environments: nothing was ever decided on this account.
    fileprivate mutating func forgetTransactions() {
        dropKept()
        (filedCount, forgottenUntil) = (0, 0)
        set(.earlyReversals, [])
        set(.holds, [])
    }

    fileprivate mutating func add(_ definition: CardDefinition) {
        add(
            Plastic(
                sequenceNumber: definition.sequenceNumber, status: definition.status,
                expiry: definition.expiry,
                pin: definition.pin, pinTriesMax: definition.pinTriesMax))
        define(plasticCount - 1, definition)
    }

    fileprivate mutating func define(_ index: Int, _ definition: CardDefinition) {
        setNames(index, profile: definition.profile, issuerMasterKey: definition.issuerMasterKey)
        set(.limits, index, content: definition.limits.map { Array($0.stored.utf8) } ?? [])
    }
}
