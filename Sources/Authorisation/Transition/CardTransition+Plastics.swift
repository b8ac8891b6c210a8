internal import EMV

/// Which plastics of the account a message may be about that names none of them.
extension CardTransition {
    /// With a chip none. Without one, that of the approval which the message completes, otherwise every one that the expiry
    /// date fits, or all where no date fits.
    func candidatesUnnamed(_ message: CardMessage) throws(CardQuestion) -> [Int] {
        if message.request.chip != nil { return [] }
        if message.request.circumstances.kind == .completion, let completed = try original(message),
            let index = record.plasticIndex(completed.transaction.plastic),
            !record.plastic(index).isOfPANBefore
        {
            return [index]
        }
        let all = (0..<record.plasticCount).filter { !record.plastic($0).isOfPANBefore }
        let month = ExpiryDate(unixSeconds: now)
        let fitting = all.filter { index in
            let expiry = record.plastic(index).expiry
            return message.request.expiry.map { $0 == expiry } ?? (expiry >= month)
        }
        return fitting.isEmpty ? all : fitting
    }

    /// Without a sequence number 00 was taken for the keys: a wrong cryptogram is then a wrong cryptogram.
    mutating func judgeWrong(_ judged: inout Judged) {
        guard judged.message.request.card.panSequenceNumber == nil else { return }
        if judged.chosen.index == nil { judged.declined = nil }
        trace.add(.cryptogram, .skipped, reason: "no sequence number sent, 00 taken")
    }

    /// Limits of those that fit beside the first, each once, where they differ from the first one's.
    func otherLimits(_ chosen: ChosenPlastic, than limits: SpendingLimits?) -> [SpendingLimits] {
        var others: [SpendingLimits] = []
        for index in chosen.candidates.dropFirst() {
            guard let its = record.limits(of: index) ?? policy.limits, its != limits, !others.contains(its)
            else { continue }
            others.append(its)
        }
        return others
    }
}
