internal import EMV

/// Transactions that came from the old layout, which kept less of each. What it did not keep is learnt from the first
/// message that surely speaks of one: with STAN and time of sending, or with STAN or DE37 in the form of then.
extension CardTransition {
    mutating func recogniseMigrated(_ message: CardMessage) {
        let numbers = MigratedNumbers(message.request)
        for index in 0..<record.keptCount {
            guard var kept = record.kept(index), numbers.complete(&kept) else { continue }
            record.replaceKept(index, kept)
        }
        if var filed = past {
            for index in filed.indices { _ = numbers.complete(&filed[index]) }
            past = filed
        }
        var early = EarlyReversals(record.content(.earlyReversals))
        var isChanged = false
        for index in early.list.indices where numbers.complete(&early.list[index]) { isChanged = true }
        if isChanged { record.set(.earlyReversals, early.content) }
    }
}

/// What a message says, beside what was kept then.
private struct MigratedNumbers {
    private let request: AuthorisationRequest
    /// DE37 as the old layout kept it; nil where none was sent.
    private let reference: UInt64?

    init(_ request: AuthorisationRequest) {
        self.request = request
        reference =
            request.transmission.reference == 0
            ? nil : UInt64(OldNumbers.referenceOf(request.retrievalReferenceNumber))
    }

    /// - Returns: whether anything was learnt.
    func complete(_ kept: inout KeptTransaction) -> Bool {
        guard kept.flags.contains(.migrated) else { return false }
        let its = kept.transmission
        let hasReference = its.reference != 0 && its.reference == reference
        let contradicts = its.reference != 0 && reference != nil && !hasReference
        guard !contradicts, isSpokenOf(its, hasReference) else { return false }
        let now = request.transmission
        if its.acquirer == 0 { kept.transmission.acquirer = now.acquirer }
        kept.transmission.reference = hasReference ? now.reference : 0
        kept.transmission.terminal = now.terminal
        kept.transmission.merchant = now.merchant
        kept.transmission.localTime = now.localTime
        // Of a completion or an advice, the amount is its own.
        if kept.asked == 0, isOwn(its) || request.purpose.isReversal {
            kept.asked = request.amount.minorUnits
            kept.currency = request.amount.currency.rawValue
        }
        kept.flags.remove(.migrated)
        return true
    }

    func complete(_ early: inout EarlyReversal) -> Bool {
        guard early.isMigrated, early.original.stan == 0, early.original.reference == reference,
            isSameAcquirer(early.original.acquirer)
        else { return false }
        early.original.reference = request.transmission.reference
        early.original.terminal = request.transmission.terminal
        early.isMigrated = false
        return true
    }

    /// The same class, STAN and acquirer, with the time of sending or DE37.
    private func isOwn(_ its: Transmission) -> Bool {
        let now = request.transmission
        return its.messageClass == now.messageClass && its.stan == now.stan
            && isSameAcquirer(its.acquirer) && (its.sentAt == now.sentAt || its.reference == reference)
    }

    private func isSpokenOf(_ its: Transmission, _ hasReference: Bool) -> Bool {
        if isOwn(its) { return true }
        guard let original = request.original, its.messageClass != .reversal,
            request.purpose != .decision || request.circumstances.kind == .completion
        else { return false }
        if original.stan != 0 {
            return original.stan == its.stan && original.isAdvice == (its.messageClass == .advice)
                && (original.sentAt == its.sentAt || hasReference)
                && (its.acquirer == 0 || original.acquirer == its.acquirer)
        }
        let isOwnNumber = request.purpose.isReversal && original.ownSTAN == its.stan
        return isSameAcquirer(its.acquirer)
            && (hasReference || isOwnNumber && original.ownSentAt == its.sentAt)
    }

    private func isSameAcquirer(_ acquirer: UInt32) -> Bool {
        acquirer == 0 || acquirer == request.transmission.acquirer
    }
}

extension RequestPurpose {
    fileprivate var isReversal: Bool { if case .reversal = self { true } else { false } }
}
