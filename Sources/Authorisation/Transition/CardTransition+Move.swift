/// An account that moves to another PAN: in two steps, each of which can be repeated.
extension CardTransition {
    mutating func moveAway(to token: CardToken) throws -> String {
        if let before = record.movedTo {
            guard before == token else { throw OperatorRefusal.movedElsewhere }
            return "moved before"
        }
        record.isSealed = true
        record.set(.movedTo, token: token)
        lines.append(
            .change(operation: "move-away", value: token.words, before: "\(record.availableMinorUnits)"))
        return "\(record.availableMinorUnits)"
    }

    mutating func takeOver(_ reading: CardReading, from token: CardToken) throws -> String {
        if record.movedFrom == token { return "taken over before" }
        guard let old = reading.record, let filed = reading.past else { throw OperatorRefusal.unknownCard }
        guard old.currency == record.currency else { throw OperatorRefusal.anotherCurrency }
        guard record.keptCount == 0, record.filedCount == 0, record.movedFrom == nil, !record.isSealed else {
            throw OperatorRefusal.alreadyUsed
        }
        let before = record.availableMinorUnits
        let difference = old.availableMinorUnits.subtractingReportingOverflow(before)
        guard !difference.overflow, difference.partialValue != .min,
            difference.partialValue >= 0 ? moveIn(difference.partialValue) : moveOut(-difference.partialValue)
        else { throw OperatorRefusal.anotherCurrency }
        record.takeOver(old)
        record.set(.movedFrom, token: token)
        past = stride(from: 0, to: filed.count, by: KeptTransaction.byteCount).compactMap {
            KeptTransaction(filed, at: $0)
        }
        isPastChanged = true
        lines.append(.change(operation: "take-over", value: token.words, before: "\(before)"))
        return "\(before)"
    }
}

extension CardToken {
    fileprivate var words: String { String(high, radix: 16) + "-" + String(low, radix: 16) }
}
