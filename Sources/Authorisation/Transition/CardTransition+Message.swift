internal import EMV

/// What is to be decided of a request, in the order of the checks.
extension CardTransition {
    /// One request on its way through the checks.
    struct Judged {
        let message: CardMessage
        let chosen: ChosenPlastic
        /// The numbers of what is kept, with other content.
        let isDoubtful: Bool
        /// It may be the repeat of what is kept no more.
        var mayBeForgotten = false
        /// The first reason of all checks.
        var declined: DeclineReason?
        var kept: KeptTransaction
        var finding = ATCFinding.notAsked
        var script: QueuedScript?
    }

    /// The order is the point of it: repeat · card · evidence · ATC · PIN · limits of one transaction · money and counted
    /// limits.
    mutating func decide(
        _ message: CardMessage, _ knowledge: CardKnowledge
    ) throws(CardQuestion) -> CardOutcome {
        let kind = message.request.circumstances.kind
        if kind != .purchase { trace.add(.transaction, .approved, reason: kind.words) }
        var isDoubtful = false
        if isProven(message) {
            // A repeat is answered as before: no counter moves twice for one transaction. Only what is proven may be a
            // repeat of what is kept; a forgery is judged for what it is.
            let named = message.sequenceNumber.flatMap { record.plasticIndex($0) }
            switch try find(identity(message, plastic: named), message, plastic: named) {
            case .same(let place, let kept)?: return answerAgain(place, kept, message: message)
            case .doubtful?: isDoubtful = true
            case nil: break
            }
        }
        trace.add(
            .retransmission, isDoubtful ? .declined : .approved,
            reason: isDoubtful ? "other content" : "first")
        trace.add(.issuerRange, .approved, reason: message.rangeName ?? "-")
        let chosen = try choosePlastic(message)
        var judged = Judged(
            message: message, chosen: chosen, isDoubtful: isDoubtful, kept: newTransaction(message.request))
        if chosen.candidates.count == 1 {
            judged.kept.plastic = record.plastic(chosen.candidates[0]).sequenceNumber
        }
        judgeEvidence(&judged)
        try claimATC(&judged, knowledge)
        try judgeHolder(&judged, knowledge)
        let (limits, others) = limits(chosen)
        judgeAmount(&judged, limits, others: others)
        try takeMoney(&judged, limits, others: others)
        return try concluded(&judged)
    }

    /// The transaction as it will be kept, of which only the numbers are known.
    func newTransaction(_ request: AuthorisationRequest) -> KeptTransaction {
        var kept = KeptTransaction(
            request.transmission, number: record.nextNumber, kind: request.circumstances.kind,
            amount: request.amount, now: now)
        if let atc = request.chip?.atc {
            kept.atc = atc.rawValue
            kept.flags.insert(.hasATC)
        }
        return kept
    }

    /// Card, cryptogram or what stands in its place, and what was found out without the record.
    private mutating func judgeEvidence(_ judged: inout Judged) {
        let (message, chosen) = (judged.message, judged.chosen)
        judged.declined = judged.isDoubtful ? .retransmissionDiffers : chosen.declined
        for line in message.evidence { trace.add(line.rule, line.verdict, reason: line.reason) }
        if message.declined == .cryptogramWrong { judgeWrong(&judged) }
        judged.declined = judged.declined ?? message.declined
        // What may have been approved once is called nothing else, a lost card or not, and is not kept: its reversal would
        // find a decline where money was taken.
        if isProven(message), !judged.isDoubtful, record.forgottenUntil > 0, mayRepeatForgotten(message) {
            trace.add(.retransmission, .declined, reason: "from a time of which not all is kept")
            (judged.mayBeForgotten, judged.declined) = (true, .originalUnknown)
        }
    }

    /// A verified ATC is claimed for declines too, since the card has used it.
    private mutating func claimATC(
        _ judged: inout Judged, _ knowledge: CardKnowledge
    ) throws(CardQuestion) {
        guard let index = judged.chosen.index, !judged.isDoubtful else { return }
        if let verified = judged.message.verified {
            judged.kept.flags.insert(.chip)
            // What the card reports of its scripts counts at once: a PIN that it has taken over is the one to compare.
            if record.range(.scripts, index) != nil {
                judged.script = try turnScripts(
                    judged.message, knowledge, verified: verified, plastic: index)
            }
            judged.finding = claimATC(verified.question.atc.rawValue, plastic: index)
        } else if case .cardValue(let value) = judged.message.proof, let onTrack = value.atc {
            judged.finding = claimATC(onTrack, plastic: index, kept: &judged.kept)
        }
        switch judged.finding {
        case .replayed: judged.declined = judged.declined ?? .atcReplayed
        case .outOfRange: judged.declined = judged.declined ?? .atcOutOfRange
        case .notAsked, .first, .ahead, .late: break
        }
    }

    /// The cardholder: by 3-D Secure, by PIN.
    private mutating func judgeHolder(
        _ judged: inout Judged, _ knowledge: CardKnowledge
    ) throws(CardQuestion) {
        if judged.declined == nil, let verified = judged.message.authentication {
            judged.declined = checkAuthentication(verified, judged.message)
        }
        guard judged.declined == nil else { return trace.add(.pin, .skipped, reason: "already declined") }
        judged.declined = try checkPIN(judged.message, knowledge, plastic: judged.chosen.index)
    }

    /// What one transaction may come to.
    private mutating func judgeAmount(
        _ judged: inout Judged, _ limits: SpendingLimits?, others: [SpendingLimits]
    ) {
        let (message, request) = (judged.message, judged.message.request)
        if judged.declined == nil, request.circumstances.kind != .balanceEnquiry {
            judged.declined = convert(request)
        }
        if judged.declined == nil, case .exempt(let exemption) = message.proof {
            judged.declined = remoteDecline(exemption, request)
        }
        if let limits { judge(&judged, by: limits) }
        for its in others { judge(&judged, by: its) }
    }

    private mutating func judge(_ judged: inout Judged, by limits: SpendingLimits) {
        guard judged.declined == nil, judged.message.request.circumstances.kind.takes else { return }
        judged.declined = LimitCheck(limits: limits).evaluate(
            payable(judged.message.request), circumstances(judged.message), trace: &trace)
    }

    /// Money and counted limits.
    private mutating func takeMoney(
        _ judged: inout Judged, _ limits: SpendingLimits?, others: [SpendingLimits]
    ) throws(CardQuestion) {
        guard judged.declined == nil else { return }
        let message = judged.message
        let early = Array(record.content(.earlyReversals))
        judged.declined = try take(&judged.kept, message, limits: limits, others: others)
        if let declined = judged.declined {
            dropOwn(judged.kept)
            // A reversal stays until the transaction is taken, or is declined for its sake.
            if declined != .reversedBefore { record.set(.earlyReversals, early) }
            return
        }
        if let payment = message.request.nonChip?.remote { noteAgreement(payment) }
        if let verified = message.authentication { keepAuthentication(verified, message) }
    }

    /// The script that goes out, the outcome, and the transaction as it is kept.
    private mutating func concluded(_ judged: inout Judged) throws(CardQuestion) -> CardOutcome {
        let (message, declined, finding) = (judged.message, judged.declined, judged.finding)
        if finding != .first, finding != .ahead, finding != .late { judged.script = nil }
        if let script = judged.script {
            markSent(script, atc: judged.kept.atc, plastic: judged.chosen.index ?? 0)
        }
        let outcome = outcome(judged)
        // A reversal that came before is kept with what it declines: it is told once.
        if isProven(message), !judged.isDoubtful, !judged.mayBeForgotten,
            declined == nil || declined == .reversedBefore || !message.isOfPANBefore,
            finding != .replayed, finding != .outOfRange
        {
            judged.kept.declined = declined
            judged.kept.approvalCode = declined == nil ? message.approvalCode : 0
            try keep(judged.kept)
        }
        lines.append(.decision)
        return outcome
    }

    /// A completion rests on the approval that it completes.
    func isProven(_ message: CardMessage) -> Bool {
        if case .none = message.proof { return message.request.circumstances.kind == .completion }
        return true
    }

    func identity(_ message: CardMessage, plastic index: Int?) -> Identity {
        var chip: (plastic: UInt8, atc: UInt16)?
        if let verified = message.verified, let number = provenNumber(message, plastic: index) {
            chip = (number, verified.question.atc.rawValue)
        }
        return Identity(
            transmission: message.request.transmission, kind: message.request.circumstances.kind,
            amount: message.request.amount, chip: chip, claimedATC: message.request.chip?.atc?.rawValue,
            claimedPlastic: index == nil ? chip?.plastic : message.sequenceNumber,
            isNoted: message.request.purpose == .advice(approved: false), now: now)
    }

    /// Which plastic a verified cryptogram is of, one of the PAN before among them.
    func provenNumber(_ message: CardMessage, plastic index: Int?) -> UInt8? {
        index.map { record.plastic($0).sequenceNumber }
            ?? (message.isOfPANBefore ? message.sequenceNumber : nil)
    }

    func find(
        _ identity: Identity, _ message: CardMessage, plastic index: Int?
    ) throws(CardQuestion) -> Finding? {
        // Without an ATC nothing but what is kept says that a message is a repeat; with one, the window does.
        let mayBeFiled =
            identity.chip.map { chip in
                index.map { mayHaveSeen(chip.atc, plastic: $0) } ?? message.isOfPANBefore
            } ?? true
        if let (place, kept) = search({ identity.verdict($0) == .same }) { return .same(place, kept) }
        if mayBeFiled { try needPast() }
        if let (place, kept) = search({ identity.verdict($0) == .same }) { return .same(place, kept) }
        guard let (_, kept) = search({ identity.verdict($0) == .doubtful }) else { return nil }
        return try isFurtherShipment(identity, kept, message: message) ? nil : .doubtful
    }

    func basis(_ message: CardMessage) -> ApprovalBasis? {
        // An approval of a completion rests on the approval that it completes, which was found.
        if message.request.circumstances.kind == .completion { return .completion }
        switch message.proof {
        case .chip(let verified): return .cryptogram(verified)
        case .cardValue(let value): return .cardValue(value)
        case .exempt(let exemption): return .exemption(exemption)
        case .authentication(let verified): return .authentication(verified)
        case .none: return nil
        }
    }

    private func outcome(_ judged: Judged) -> CardOutcome {
        let (message, declined, kept) = (judged.message, judged.declined, judged.kept)
        let plastic = judged.chosen.index.map { record.plastic($0) }
        let result = CommitResult(
            declined: declined, approvalCode: declined == nil ? codeBytes(message.approvalCode) : [],
            repeated: false, atc: judged.finding,
            pinTriesLeft: plastic.map { Int($0.pinTriesMax) - Int($0.pinTriesUsed) } ?? 0,
            availableMinorUnits: record.availableMinorUnits, effect: effect)
        var outcome = CardOutcome(result: result, trace: trace, currency: record.currency)
        outcome.script = judged.script
        guard declined == nil else { return outcome }
        outcome.basis = basis(message)
        if charge != nil { outcome.charge = charge(kept, message.request) }
        if kept.kind == .balanceEnquiry || kept.flags.contains(.partial) { tellBalance(&outcome, kept) }
        return outcome
    }

    private func codeBytes(_ code: UInt64) -> [UInt8] {
        (0..<6).map { UInt8(truncatingIfNeeded: code >> UInt64(40 - 8 * $0)) }
    }
}
