/// An account that moves to another PAN: in three steps, each of which can be repeated. Nothing is decided on the new record
/// from the first step on, and nothing on the old one from the second on, so that what is taken over is all there is.
extension CardTransition {
    /// First step, on the record of the new PAN.
    mutating func awaitMove(from token: CardToken) throws -> String {
        if record.hasTakenOver(from: token) { return "taken over before" }
        guard record.awaitsMove || isUnused else { throw OperatorRefusal.alreadyUsed }
        record.isSealed = true
        record.set(.movedFrom, token: token)
        lines.append(
            .change(operation: "await-move", value: token.words, before: "\(record.availableMinorUnits)"))
        return "\(record.availableMinorUnits)"
    }

    private var isUnused: Bool {
        record.keptCount == 0 && record.filedCount == 0 && record.movedFrom == nil && !record.isSealed
            && record.content(.earlyReversals).isEmpty
    }

    /// Second step, on the record of the old PAN.
    mutating func moveAway(to token: CardToken) throws -> String {
        if let before = record.movedTo {
            guard before == token else { throw OperatorRefusal.movedElsewhere }
            return "moved before"
        }
        guard !record.isSealed else { throw OperatorRefusal.awaitsMove }
        record.isSealed = true
        record.set(.movedTo, token: token)
        lines.append(
            .change(operation: "move-away", value: token.words, before: "\(record.availableMinorUnits)"))
        return "\(record.availableMinorUnits)"
    }

    /// Third step, on the record of the new PAN.
    mutating func takeOver(_ reading: CardReading, from token: CardToken) throws -> String {
        if record.hasTakenOver(from: token) { return "taken over before" }
        guard record.awaitsMove, record.movedFrom == token else { throw OperatorRefusal.alreadyUsed }
        guard let old = reading.record, old.movedTo != nil, let filed = reading.past else {
            throw OperatorRefusal.unknownCard
        }
        guard old.currency == record.currency else { throw OperatorRefusal.anotherCurrency }
        let before = record.availableMinorUnits
        let difference = old.availableMinorUnits.subtractingReportingOverflow(before)
        guard !difference.overflow, difference.partialValue != .min,
            difference.partialValue >= 0 ? moveIn(difference.partialValue) : moveOut(-difference.partialValue)
        else { throw OperatorRefusal.anotherCurrency }
        record.takeOver(old)
        record.isSealed = false
        past = stride(from: 0, to: filed.count, by: KeptTransaction.byteCount).compactMap {
            KeptTransaction(filed, at: $0)?.movedOn
        }
        isPastChanged = true
        lines.append(.change(operation: "take-over", value: token.words, before: "\(before)"))
        return "\(before)"
    }

    /// Of a message with the PAN before: what it speaks of is found, what is new of it is refused.
    mutating func choosePlasticBefore(_ message: CardMessage) -> ChosenPlastic {
        trace.add(.cardKnown, .approved, reason: "the account's PAN of before")
        let isCompletion = message.request.circumstances.kind == .completion
        return ChosenPlastic(
            index: message.sequenceNumber.flatMap { record.plasticIndex($0) }, candidates: [],
            declined: statusDecline([]) ?? (isCompletion ? nil : .cardRestricted))
    }
}

extension CardToken {
    fileprivate var words: String { String(high, radix: 16) + "-" + String(low, radix: 16) }
}
