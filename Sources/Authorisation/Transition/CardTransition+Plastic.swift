internal import EMV

/// Which plastic of the account a message is about, and whether it may be used.
struct ChosenPlastic {
    /// Whose PIN it is; nil: none fits, or several with different PINs.
    let index: Int?
    /// All that fit: each has to be active, and its limits hold.
    let candidates: [Int]
    /// Why the card may not be used; nil: it may.
    let declined: DeclineReason?
}

extension CardTransition {
    /// The plastic, with lines for card, status and expiry date.
    mutating func choosePlastic(_ message: CardMessage) throws(CardQuestion) -> ChosenPlastic {
        if message.isOfPANBefore { return choosePlasticBefore(message) }
        let candidates = try candidates(message)
        guard !candidates.isEmpty else {
            trace.add(.cardKnown, .declined, reason: "no card with this sequence number")
            return ChosenPlastic(index: nil, candidates: [], declined: .unknownCard)
        }
        trace.add(.cardKnown, .approved, reason: record.profile(of: candidates[0]))
        let status = statusDecline(candidates)
        let expiry = expiryDecline(candidates, sent: message.request.expiry)
        let index = candidates.count == 1 || message.request.chip != nil ? candidates[0] : onlyPIN(candidates)
        return ChosenPlastic(index: index, candidates: candidates, declined: status ?? expiry)
    }

    /// With a chip the plastic that the message names. Without one, the plastic that it names if there is such a one, that of
    /// the approval which it completes, otherwise every one that the expiry date fits, or all where no date fits.
    private func candidates(_ message: CardMessage) throws(CardQuestion) -> [Int] {
        if let number = message.sequenceNumber, let index = record.plasticIndex(number) { return [index] }
        if message.request.chip != nil { return [] }
        if message.request.circumstances.kind == .completion, let completed = try original(message),
            let index = record.plasticIndex(completed.transaction.plastic),
            !record.plastic(index).isOfPANBefore
        {
            return [index]
        }
        let all = (0..<record.plasticCount).filter { !record.plastic($0).isOfPANBefore }
        guard let sent = message.request.expiry else {
            let month = ExpiryDate(unixSeconds: now)
            let valid = all.filter { record.plastic($0).expiry >= month }
            return valid.isEmpty ? all : valid
        }
        let fitting = all.filter { record.plastic($0).expiry == sent }
        return fitting.isEmpty ? all : fitting
    }

    /// Limits of every plastic that fits, its own or the range's: without a chip nobody knows which of them it is.
    func limits(_ chosen: ChosenPlastic) -> (first: SpendingLimits?, others: [SpendingLimits]) {
        guard let first = chosen.candidates.first else { return (policy.limits, []) }
        let limits = record.limits(of: first) ?? policy.limits
        guard chosen.candidates.count > 1 else { return (limits, []) }
        var others: [SpendingLimits] = []
        for index in chosen.candidates.dropFirst() {
            guard let its = record.limits(of: index) ?? policy.limits, its != limits, !others.contains(its)
            else { continue }
            others.append(its)
        }
        return (limits, others)
    }

    /// What an account spends is counted where any of its plastics is bounded by it: they spend the same money.
    var countsSpending: Bool {
        if policy.limits?.isCounted == true { return true }
        for index in 0..<record.plasticCount where record.limits(of: index)?.isCounted == true { return true }
        return false
    }

    /// Of several plastics without a chip to tell them apart, the first whose PIN they all have; nil where they differ.
    private func onlyPIN(_ candidates: [Int]) -> Int? {
        let pins = Set(candidates.map { record.plastic($0).pin })
        return pins.count == 1 ? candidates.first : nil
    }

    /// Lost before stolen before restricted, each with its own reason, since the acquirer is told different things (keep
    /// the card, or hand it back). Every plastic that fits has to be active.
    mutating func statusDecline(_ candidates: [Int]) -> DeclineReason? {
        let all = [record.status] + candidates.map { record.plastic($0).status }
        // An account that has moved to another PAN is over: what it still owes is told to the new one.
        let worst =
            CardStatus.inOrder.dropFirst().first { all.contains($0) } ?? (record.isSealed ? .restricted : nil)
        trace.add(.cardStatus, worst == nil ? .approved : .declined, reason: (worst ?? .active).rawValue)
        switch worst {
        case nil, .active: return nil
        case .lost: return .cardLost
        case .stolen: return .cardStolen
        case .restricted: return .cardRestricted
        }
    }

    /// A card may be used until the last day of its expiry month, in the time zone of UTC.
    private mutating func expiryDecline(_ candidates: [Int], sent: ExpiryDate?) -> DeclineReason? {
        let month = ExpiryDate(unixSeconds: now)
        let dates = candidates.map { record.plastic($0).expiry }
        if dates.allSatisfy({ $0 < month }) {
            trace.add(.expiry, .declined, reason: "expired")
            return .cardExpired
        }
        if let sent, !dates.contains(sent) {
            trace.add(.expiry, .declined, reason: "not the date of the card")
            return .expiryDiffers
        }
        trace.add(.expiry, .approved, reason: sent == nil ? "valid, none sent" : "valid")
        return nil
    }

    /// What the window says of a verified ATC, and its mark there where it may pass.
    mutating func claimATC(_ atc: UInt16, plastic index: Int) -> ATCFinding {
        let place = record.windowPlace(index)
        var plastic = record.plastic(index)
        let finding = ATCWindow.finding(
            atc, highest: plastic.highestATC, jumpMax: policy.atcJumpMax, acceptsLate: policy.acceptsLateATC,
            bytes: record.bytes, at: place)
        guard finding == .first || finding == .ahead || finding == .late else { return finding }
        ATCWindow.claim(atc, highest: plastic.highestATC, bytes: &record.bytes, at: place)
        if finding != .late {
            plastic.highestATC = atc
            record.replacePlastic(index, plastic)
        }
        return finding
    }

    /// An ATC that the window knows, or may have forgotten: its transaction may be filed away.
    func mayHaveSeen(_ atc: UInt16, plastic index: Int) -> Bool {
        if record.plastic(index).wasReset { return true }
        guard record.plastic(index).highestATC != nil else { return false }
        return ATCWindow.isSeen(atc, record.bytes, at: record.windowPlace(index))
    }
}
