internal import EMV

/// What is to be decided of a request, in the order of the checks.
extension CardTransition {
    /// The order is the point of it: repeat · card · evidence · ATC · PIN · limits of one transaction · money and counted
    /// limits.
    mutating func decide(
        _ message: CardMessage, _ knowledge: CardKnowledge
    ) throws(CardQuestion) -> CardOutcome {
        let request = message.request
        let kind = request.circumstances.kind
        if kind != .purchase { trace.add(.transaction, .approved, reason: kind.words) }
        let chosenFirst = message.sequenceNumber.flatMap { record.plasticIndex($0) }
        let identity = identity(message, plastic: chosenFirst)

        // A repeat is answered as before: no counter moves twice for one transaction. Only what is proven may be a repeat
        // of what is kept; a forgery is judged for what it is.
        var isDoubtful = false
        if isProven(message) {
            switch try find(identity, message, plastic: chosenFirst) {
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
        var declined: DeclineReason? = isDoubtful ? .retransmissionDiffers : chosen.declined
        // Without a sequence number 00 was taken for the keys: a wrong cryptogram is then a wrong cryptogram.
        if chosen.index == nil, message.declined == .cryptogramWrong, request.card.panSequenceNumber == nil {
            declined = nil
        }
        for line in message.evidence { trace.add(line.rule, line.verdict, reason: line.reason) }
        if message.declined == .cryptogramWrong, request.card.panSequenceNumber == nil {
            trace.add(.cryptogram, .skipped, reason: "no sequence number sent, 00 taken")
        }
        declined = declined ?? message.declined
        // What may have been approved once is called nothing else, a lost card or not, and is not kept: its reversal would
        // find a decline where money was taken.
        let mayBeForgotten = isProven(message) && !isDoubtful && mayRepeatForgotten(message)
        if mayBeForgotten {
            trace.add(.retransmission, .declined, reason: "from a time of which not all is kept")
            declined = .originalUnknown
        }

        var kept = KeptTransaction(
            request.transmission, number: record.nextNumber, kind: kind, amount: request.amount, now: now)
        kept.plastic =
            chosen.candidates.count == 1 ? record.plastic(chosen.candidates[0]).sequenceNumber : 255
        if let atc = request.chip?.atc {
            kept.atc = atc.rawValue
            kept.flags.insert(.hasATC)
        }

        // A verified ATC is claimed for declines too, since the card has used it.
        var finding = ATCFinding.notAsked
        var script: QueuedScript?
        if let verified = message.verified, let index = chosen.index, !isDoubtful {
            kept.flags.insert(.chip)
            // What the card reports of its scripts counts at once: a PIN that it has taken over is the one to compare.
            if record.range(.scripts, index) != nil {
                script = try turnScripts(message, knowledge, verified: verified, plastic: index)
            }
            finding = claimATC(verified.question.atc.rawValue, plastic: index)
            if declined == nil {
                if finding == .replayed { declined = .atcReplayed }
                if finding == .outOfRange { declined = .atcOutOfRange }
            }
        }
        if case .cardValue(let value) = message.proof, let onTrack = value.atc, let index = chosen.index,
            !isDoubtful
        {
            finding = claimATC(onTrack, plastic: index, kept: &kept)
            if declined == nil {
                if finding == .replayed { declined = .atcReplayed }
                if finding == .outOfRange { declined = .atcOutOfRange }
            }
        }
        if declined == nil, let verified = message.authentication {
            declined = checkAuthentication(verified, message)
        }
        if declined == nil {
            declined = try checkPIN(message, knowledge, plastic: chosen.index)
        } else {
            trace.add(.pin, .skipped, reason: "already declined")
        }
        let (limits, others) = limits(chosen)
        if declined == nil, kind != .balanceEnquiry { declined = convert(request) }
        if declined == nil, case .exempt(let exemption) = message.proof {
            declined = remoteDecline(exemption, request)
        }
        if declined == nil, let limits, kind.takes {
            declined = LimitCheck(limits: limits).evaluate(
                payable(request), circumstances(message), trace: &trace)
        }
        for its in others where declined == nil && kind.takes {
            declined = LimitCheck(limits: its).evaluate(
                payable(request), circumstances(message), trace: &trace)
        }
        if declined == nil {
            let early = Array(record.content(.earlyReversals))
            declined = try take(&kept, message, limits: limits, others: others)
            if declined != nil { dropOwn(kept) }
            // A reversal stays until the transaction is taken, or is declined for its sake.
            if let declined, declined != .reversedBefore { record.set(.earlyReversals, early) }
            if declined == nil, let payment = request.nonChip?.remote { noteAgreement(payment) }
        }
        if declined == nil, let verified = message.authentication { keepAuthentication(verified, message) }
        if let script, finding == .first || finding == .ahead || finding == .late {
            markSent(script, atc: kept.atc, plastic: chosen.index ?? 0)
        } else {
            script = nil
        }

        var outcome = outcome(declined, kept, finding: finding, plastic: chosen.index, message: message)
        outcome.script = script
        // A reversal that came before is kept with what it declines: it is told once.
        if isProven(message), !isDoubtful, !mayBeForgotten,
            declined == nil || declined == .reversedBefore || !message.isOfPANBefore,
            finding != .replayed, finding != .outOfRange
        {
            kept.declined = declined
            kept.approvalCode = declined == nil ? message.approvalCode : 0
            try keep(kept)
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
            message.request.transmission, kind: message.request.circumstances.kind,
            amount: message.request.amount, chip: chip, claimedATC: message.request.chip?.atc?.rawValue,
            claimedPlastic: index == nil ? nil : message.sequenceNumber,
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
        // An equal completion with a new time of sending is a further shipment while the hold lasts.
        if identity.transmission.messageClass == .completion, kept.asked == identity.amount.minorUnits,
            kept.kind == identity.kind, try original(message).flatMap({ hold($0.transaction.number) }) != nil
        {
            return nil
        }
        return .doubtful
    }

    /// It may be the repeat of what was given up, by the time of sending, or of a repeat by the local time, which stays. An
    /// advice may be told first long after its local time. The window of a PAN before says nothing of its ATCs.
    func mayRepeatForgotten(_ message: CardMessage) -> Bool {
        let its = message.request.transmission
        guard record.forgottenUntil > 0 else { return false }
        if message.isOfPANBefore, message.verified != nil { return mayBeForgotten(byLocalTime: its) }
        if its.isRepeat || its.sentAt == 0 && message.request.purpose == .decision, its.localTime != 0 {
            return mayBeForgotten(byLocalTime: its)
        }
        guard let age = MonthClock.age(of: its.sentAt, at: now) else { return its.isRepeat }
        return now - age <= Int64(record.forgottenUntil)
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

    private func outcome(
        _ declined: DeclineReason?, _ kept: KeptTransaction, finding: ATCFinding, plastic index: Int?,
        message: CardMessage
    ) -> CardOutcome {
        let plastic = index.map { record.plastic($0) }
        var outcome = CardOutcome(
            CommitResult(
                declined: declined, approvalCode: declined == nil ? codeBytes(message.approvalCode) : [],
                repeated: false, atc: finding,
                pinTriesLeft: plastic.map { Int($0.pinTriesMax) - Int($0.pinTriesUsed) } ?? 0,
                availableMinorUnits: record.availableMinorUnits, effect: effect), trace,
            currency: record.currency)
        guard declined == nil else { return outcome }
        outcome.basis = basis(message)
        if kept.flags.contains(.partial) { outcome.partialMinorUnits = own(kept).approved }
        if charge != nil { outcome.charge = charge(kept, message.request) }
        if kept.kind == .balanceEnquiry || kept.flags.contains(.partial) {
            outcome.balanceMinorUnits = record.availableMinorUnits
        }
        return outcome
    }

    private func codeBytes(_ code: UInt64) -> [UInt8] {
        (0..<6).map { UInt8(truncatingIfNeeded: code >> UInt64(40 - 8 * $0)) }
    }
}
