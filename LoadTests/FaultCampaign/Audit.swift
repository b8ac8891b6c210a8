/// A card as the audit knows it beforehand.
struct AuditedCard: Sendable {
    let openingMinorUnits: Int64
    /// Nil without a bound.
    let rollingAmount: Int64?
}

/// What was told against what is booked. It knows nothing of how host and store work.
struct Audit {
    private(set) var violations: [String] = []
    private(set) var approvalsTold = 0
    private(set) var approvalsBooked = 0
    /// Booked, but no terminal was told: the connection or the host was gone. A repeat would be told.
    private(set) var approvalsUntold = 0
    private(set) var wrongPINsTold = 0
    private(set) var replaysSent = 0
    private(set) var decisionsTold = 0
    private(set) var advicesTold = 0
    private(set) var reversalsTold = 0
    private(set) var reversalsUntold = 0
    /// Told 25: nothing had been taken.
    private(set) var reversalsRefused = 0
    private(set) var reversalsGivingBack = 0
    private(set) var undecidedNoted = 0
    private(set) var lateNoted = 0
    /// Approvals that no terminal was told, with a note; without one where a terminal's proxy was cut or a host killed.
    private(set) var untoldNoted = 0
    /// See `untoldNoted`.
    private(set) var untoldExcused = 0
    /// Requests whose approval was told by a primary that was replaced meanwhile.
    private(set) var lost: Set<UInt64> = []
    /// What went wrong when.
    var windows: [Window] = []
    /// What was told during a partition may be gone.
    var mayLose = false
    let requests: [UInt64: SentRequest]
    let cards: [AuditedCard]

    /// - Parameters:
    ///   - requests: by their retrieval reference number.
    ///   - cards: by the number in the requests.
    init(requests: [UInt64: SentRequest], cards: [AuditedCard]) {
        self.requests = requests
        self.cards = cards
    }

    mutating func violated(_ words: String) { violations.append(words) }

    /// Where the store was allowed to lose what it had during a partition, that is counted.
    private mutating func violated(_ request: SentRequest, _ words: String) {
        if mayLose, windows.contains(where: { $0.kind == .partitioned && $0.concerns(request) }) {
            lost.insert(request.number)
        } else {
            violations.append("request \(request.number)\(words)")
        }
    }

    /// - Parameters:
    ///   - journal: all decisions, those of one card in their order.
    ///   - balance: what the store says of a card by its token and bucket.
    mutating func run(
        _ journal: [JournalledDecision], balance: (_ token: String, _ bucket: Int) throws -> StoredBalance
    ) rethrows {
        var booked: [UInt64: [JournalledDecision]] = [:]
        var byCard: [Int: [JournalledDecision]] = [:]
        for line in journal {
            guard line.kind != "unreadable" else {
                violated("the journal has an entry that cannot be read")
                continue
            }
            guard let number = line.rrn.flatMap({ UInt64($0) }) else { continue }
            guard let request = requests[number] else {
                violated("request \(number) is in the journal and was never sent")
                continue
            }
            if line.kind == "undecided" { undecidedNoted += 1 }
            if line.kind == "late" || line.kind == "untold" { lateNoted += 1 }
            booked[number, default: []].append(line)
            if line.kind == "decision" { byCard[request.card, default: []].append(line) }
        }
        for (number, request) in requests { check(request, booked[number] ?? []) }
        for card in cards.indices {
            guard let lines = byCard[card], let first = lines.first, let token = first.card else { continue }
            check(card, lines, stored: try balance(token, first.bucket))
        }
        violations.sort()
    }

    /// One request: what each terminal was told is booked, once, and nothing else was told after it.
    private mutating func check(_ request: SentRequest, _ all: [JournalledDecision]) {
        let decided = all.filter { $0.kind == "decision" }
        let lines = decided.filter { !$0.isReversal }
        let approvals = lines.filter { $0.de39 == "00" }
        let decisions = request.told.filter(\.isDecision)
        if all.contains(where: { $0.kind == "late" }), decided.isEmpty {
            violated(request, " was noted as decided late and is not in the journal")
        }
        if request.form == .request { approvalsBooked += approvals.count }
        decisionsTold += decisions.count
        if request.isReplay { replaysSent += 1 }
        if approvals.count > 1 { violated(request, " was booked as approved twice") }
        if approvals.contains(where: { $0.minorUnits != request.minorUnits }) {
            violated(request, " was booked with another amount")
        }
        for told in decisions where !lines.contains(where: { $0.de39 == told.code }) {
            violated(request, " was told \(told.code), which is not in the journal")
        }
        for told in decisions where told != decisions[0] {
            violated(request, " was told \(decisions[0].code) and then \(told.code)")
        }
        checkReversal(of: request, lines, reversals: decided.filter(\.isReversal))
        guard let told = decisions.first(where: \.isApproval) else {
            if request.form == .request, !approvals.isEmpty {
                approvalsUntold += approvals.count
                checkUntold(request, all)
            }
            if decisions.contains(where: { ["55", "75"].contains($0.code) }) { wrongPINsTold += 1 }
            return
        }
        // What a terminal has approved itself is booked, whatever it was.
        guard request.form == .request else {
            advicesTold += 1
            return
        }
        approvalsTold += 1
        if !approvals.contains(where: { $0.approvalCode == told.approvalCode }) {
            violated(request, ": the approval that was told is lost")
        }
        if request.isForged { violated(request, ": a forged cryptogram was approved") }
        if request.isReplay { violated(request, ": a replayed ATC was approved") }
        if request.pin == .wrong { violated(request, ": a wrong PIN was approved") }
    }

    /// An approval that no terminal was told has a note, unless nobody could know.
    private mutating func checkUntold(_ request: SentRequest, _ all: [JournalledDecision]) {
        if all.contains(where: { ["late", "untold", "undecided"].contains($0.kind) }) {
            untoldNoted += 1
        } else if windows.contains(where: { $0.hidesAnswers && $0.concerns(request) }) {
            untoldExcused += 1
        } else {
            violated(request, " was approved, its approval told to nobody, and has no note")
        }
    }

    /// What was told to be undone is: no more stays taken than was to remain, and nothing was given back twice.
    private mutating func checkReversal(
        of request: SentRequest, _ lines: [JournalledDecision], reversals: [JournalledDecision]
    ) {
        let taken = lines.reduce(0) { $0 + $1.taken }
        let givenBack = reversals.reduce(0) { $0 + $1.givenBack }
        if givenBack > 0 { reversalsGivingBack += 1 }
        if givenBack > taken {
            violated(request, ": \(givenBack) given back of \(taken)")
        }
        guard let reversal = request.reversal else {
            if !reversals.isEmpty { violated(request, " was reversed and nobody asked") }
            return
        }
        guard reversal.isTold else {
            reversalsUntold += 1
            return
        }
        reversalsTold += 1
        // Of an original that is not known, and may be one that is kept no more: refused, and nothing had been taken.
        if taken == 0, reversal.told.contains(where: { $0.code == "25" }) {
            reversalsRefused += 1
            return
        }
        for told in reversal.told where told.isDecision && !told.isApproval {
            violated(request, ": its reversal was told \(told.code)")
        }
        if !reversals.contains(where: { $0.de39 == "00" }) {
            violated(request, ": its reversal was told and is not in the journal")
        }
        if taken - givenBack > reversal.remainingMinorUnits {
            violated(
                request,
                ": \(taken - givenBack) taken, "
                    + "\(reversal.remainingMinorUnits) was to remain")
        }
    }
}
