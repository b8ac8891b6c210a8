/// What senders were told.
extension Books {
    /// An answer has reached its sender.
    /// - Parameters:
    ///   - script: the number of an issuer script that came with it.
    ///   - now: seconds since 1970.
    package mutating func told(
        _ index: Int, _ answer: ToldAnswer, script: UInt32? = nil, now: Int64
    ) throws(BrokenPromise) {
        let (message, sentAt) = (messages[index].message, messages[index].writes)
        let number = message.transaction
        if let identifier = script {
            let key = Script(account: message.account, plastic: message.plastic, identifier: identifier)
            scripts[key, default: []].insert(number)
            guard scripts[key, default: []].count <= 1 + scriptsResent[key, default: 0] else {
                throw BrokenPromise("script \(identifier) of account \(message.account) went out twice")
            }
        }
        switch (answer, message.purpose) {
        case (.approved(let code, let partial), .request): try toldApproved(number, code, partial, message)
        case (.approved, _):
            throw BrokenPromise("transaction \(number): what asks for no approval was approved")
        case (.accepted, .request):
            throw BrokenPromise("transaction \(number): a request was accepted undecided")
        case (.accepted, .advice):
            // Booked twice is the journal's to show.
            guard
                transactions[number].times >= 1 || transactions[number].isForgotten
                    || message.direction == .neither
            else {
                throw BrokenPromise(
                    "advice \(number) was told done and is booked \(transactions[number].times) times")
            }
            transactions[number].isToldApproved = true
        case (.accepted, .note):
            guard transactions[number].times == 0 else {
                throw BrokenPromise("note \(number) has moved money")
            }
        case (.accepted, .reversal):
            // What an import has forgotten since it was decided is promised no more.
            guard let original = message.original,
                messages[index].decidedBy ?? sentAt > transactions[original].forgottenAt
            else { return }
            transactions[original].reversals.append(index)
        case (.declined(let reason), _): try toldDeclined(reason, message, sentAt, now)
        }
    }

    private mutating func toldApproved(
        _ number: Int, _ code: UInt64, _ partial: Int64?, _ message: SentMessage
    ) throws(BrokenPromise) {
        guard message.isProven || message.isCompletion else {
            throw BrokenPromise("transaction \(number) was told approved without proof")
        }
        guard transactions[number].codes.contains(code) || message.direction == .neither else {
            throw BrokenPromise(
                "transaction \(number) was told approved with a code that the journal has not")
        }
        if let partial {
            let price = message.shopMinorUnits.map { Self.share(message.minorUnits, partial, of: $0) }
            guard (price ?? partial) == transactions[number].booked || transactions[number].isForgotten else {
                throw BrokenPromise(
                    "transaction \(number): \(partial) told of \(transactions[number].booked)")
            }
        }
        transactions[number].isToldApproved = true
    }

    private func toldDeclined(
        _ reason: ToldReason, _ message: SentMessage, _ sentAt: Int, _ now: Int64
    ) throws(BrokenPromise) {
        let number = message.transaction
        switch message.purpose {
        case .reversal(let remaining): try toldRefused(reason, message, remaining, sentAt, now)
        case .request, .advice, .note:
            try toldJustly(reason, message, sentAt: sentAt)
            // An approval stands for whoever asks again, until it is reversed or long over.
            guard message.isProven, message.isClear, transactions[number].times > 0,
                transactions[number].writtenAt <= sentAt, isPromised(number, now), reason != .reversedBefore
            else { return }
            throw BrokenPromise(
                "transaction \(number) had been booked, and its repeat was declined: \(reason)")
        }
    }

    /// A genuine message is only called a repeat or a replay if a genuine one gives reason.
    private func toldJustly(_ reason: ToldReason, _ message: SentMessage, sentAt: Int) throws(BrokenPromise) {
        switch reason {
        case .replayed:
            guard message.isProven, let atc = message.atc else { return }
            let used = ATC(account: message.account, plastic: message.plastic, atc: atc)
            // It was decided before an operator gave the ATC free.
            let wasUsed = freed[used].map { $0 > sentAt } ?? false
            guard wasUsed || !(claimed[used] ?? []).isEmpty else {
                throw BrokenPromise("transaction \(message.transaction): called a replay of nothing genuine")
            }
        case .differs:
            let others = senders[Numbers(account: home(message.account), numbers: message.numbers)] ?? []
            guard others.contains(where: { $0 != message.transaction }) else {
                throw BrokenPromise(
                    "transaction \(message.transaction): called another under the same numbers")
            }
        case .reversedBefore:
            let original = message.original.map(isReversalSent) ?? false
            guard original || isReversalSent(message.transaction) else {
                throw BrokenPromise(
                    "transaction \(message.transaction): called reversed, and nobody reversed it")
            }
        case .originalUnknown, .other: break
        }
    }

    private func isReversalSent(_ number: Int) -> Bool {
        messages.contains { entry in
            guard case .reversal = entry.message.purpose else { return false }
            return entry.message.original.map {
                $0 == number || transactions[$0].numbers == transactions[number].numbers
            } ?? false
        }
    }

    private func toldRefused(
        _ reason: ToldReason, _ message: SentMessage, _ remaining: Int64, _ sentAt: Int, _ now: Int64
    ) throws(BrokenPromise) {
        guard let original = message.original, message.isClear, reason != .other else { return }
        let transaction = transactions[original]
        guard transaction.writtenAt <= sentAt, isPromised(original, now),
            transaction.net > left(original, remaining)
        else {
            return
        }
        throw BrokenPromise(
            "transaction \(original): its reversal was refused, \(transaction.net) is still held")
    }

    private func isPromised(_ number: Int, _ now: Int64) -> Bool {
        isKept(number) && now - transactions[number].decidedAt < Self.keptSeconds
    }
}
