internal import Authorisation
internal import Books
internal import EMV

/// What the auditor is told, in his own words.
extension Simulation {
    func journalWrite(_ written: SimulatedStore.Written) -> JournalWrite {
        func name(_ tag: RecordTag?) -> StateName? { tag.map { StateName($0.random, $0.counter) } }
        var now: Int64 = 0
        let lines = written.lines.map { line -> JournalFact in
            switch line {
            case .decision(let entry, let result):
                now = entry.unixSeconds
                for effect in [result.effect].compactMap(\.self) { note("effect: \(effect.kind)") }
                return .decision(Self.decision(entry, result))
            case .change(let text):
                let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
                now = max(now, Int64(parts[4]) ?? 0)
                note("journal: \(parts[0])")
                return Self.fact(parts)
            }
        }
        return JournalWrite(
            account: plan.position(of: written.token), before: name(written.before),
            after: name(written.after), now: now,
            lines: lines)
    }

    private static func decision(_ entry: JournalEntry, _ result: CommitResult) -> JournalDecision {
        var (isPINRight, isPINMalformed, isPart) = (Bool?.none, false, false)
        for line in entry.trace.lines where line.rule == .pin && line.verdict != .skipped {
            if line.reason == "right" { isPINRight = true }
            if line.reason == "wrong" { isPINRight = false }
            if SimulatedPort.faults.contains(where: { $0.words == line.reason }) { isPINMalformed = true }
        }
        if case .partial = result.effect { isPart = true }
        let isClaimed = result.atc == .first || result.atc == .ahead || result.atc == .late
        var decision = JournalDecision(
            message: Int(entry.link) ?? 0, isDeclined: result.declined != nil, isRepeated: result.repeated,
            code: code(result.approvalCode), taken: result.effect?.takenMinorUnits, isPart: isPart,
            givenBack: result.effect?.givenBackMinorUnits, available: result.availableMinorUnits,
            isPINRight: isPINRight, pinTriesLeft: result.pinTriesLeft, isATCClaimed: isClaimed,
            isReversedBefore: result.declined == .reversedBefore)
        decision.billed = entry.charge?.amount.minorUnits
        if case .originalDeclined = result.effect { decision.isOriginalDeclined = true }
        decision.isPINMalformed = isPINMalformed
        for line in entry.trace.lines
        where line.rule == .issuerScript && line.verdict == .approved && line.reason.hasSuffix(": successful")
        {
            decision.scriptsDone +=
                line.reason.split(separator: ":").first.flatMap { UInt32($0) }.map { [$0] } ?? []
        }
        return decision
    }

    /// `operation;value;before;who;when;why`. Why has what an operator's order says beside.
    private static func fact(_ parts: [String]) -> JournalFact {
        let (value, why) = (parts[1], parts[5])
        switch parts[0] {
        case "hold-expired": return .holdExpired(minorUnits: Int64(value) ?? -1, stan: UInt32(parts[2]) ?? 0)
        case "import":
            let words = why.split(separator: " ")
            return .imported(
                available: Int64(words[1]) ?? -1, plastic: Int(words[0]) ?? -1,
                isForgetting: words[2] == "forgetting")
        case "status": return .status(isActive: value == CardStatus.active.rawValue)
        case "unblock-pin": return .pinUnblocked(plastic: Int(why) ?? -1)
        case "reset-atc": return .atcReset(plastic: Int(why) ?? -1)
        case "script-queue":
            let words = why.split(separator: " ")
            return .scriptQueued(
                plastic: Int(words[0]) ?? -1, identifier: UInt32(words[1]) ?? 0,
                words.count > 2 ? .changesPIN(Int(words[2]) ?? -1) : .unblocksPIN)
        case "take-over": return .tookOver(Int(why) ?? -1)
        case "script-resend": return .scriptResent(plastic: Int(why) ?? -1, identifier: UInt32(value) ?? 0)
        default: return .other
        }
    }

    private static func code(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    static func told(_ decision: Decision) -> ToldAnswer {
        switch decision.outcome {
        case .approved(let approval):
            return .approved(code: code(approval.code), partial: decision.partialMinorUnits)
        case .accepted: return .accepted
        case .declined(let reason):
            switch reason {
            case .reversedBefore: return .declined(.reversedBefore)
            case .atcReplayed: return .declined(.replayed)
            case .retransmissionDiffers: return .declined(.differs)
            case .originalUnknown: return .declined(.originalUnknown)
            default: return .declined(.other)
            }
        }
    }

    /// Tag 9F18 of a template; nil where no script came.
    static func scriptIdentifier(_ template: [UInt8]) -> UInt32? {
        guard template.count > 8 else { return nil }
        for place in 0..<(template.count - 6)
        where template[place] == 0x9F && template[place + 1] == 0x18 && template[place + 2] == 4 {
            return template[(place + 3)..<(place + 7)].reduce(0) { $0 << 8 | UInt32($1) }
        }
        return nil
    }
}
