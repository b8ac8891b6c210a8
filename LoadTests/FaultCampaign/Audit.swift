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
    private let requests: [UInt64: SentRequest]
    private let cards: [AuditedCard]
    static let pinTriesMax = 3

    /// - Parameters:
    ///   - requests: by their retrieval reference number.
    ///   - cards: by the number in the requests.
    init(requests: [UInt64: SentRequest], cards: [AuditedCard]) {
        self.requests = requests
        self.cards = cards
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
                violations.append("the journal has an entry that cannot be read")
                continue
            }
            guard line.kind == "decision", let number = line.rrn.flatMap({ UInt64($0) }) else { continue }
            guard let request = requests[number] else {
                violations.append("request \(number) is in the journal and was never sent")
                continue
            }
            booked[number, default: []].append(line)
            byCard[request.card, default: []].append(line)
        }
        for (number, request) in requests { check(request, booked[number] ?? []) }
        for card in cards.indices {
            guard let lines = byCard[card], let first = lines.first, let token = first.card else { continue }
            check(card, lines, try balance(token, first.bucket))
        }
        violations.sort()
    }

    /// One request: what each terminal was told is booked, once, and nothing else was told after it.
    private mutating func check(_ request: SentRequest, _ lines: [JournalledDecision]) {
        let approvals = lines.filter { $0.de39 == "00" }
        let decisions = request.told.filter(\.isDecision)
        approvalsBooked += approvals.count
        decisionsTold += decisions.count
        if request.isReplay { replaysSent += 1 }
        if approvals.count > 1 { violations.append("request \(request.number) was booked as approved twice") }
        if approvals.contains(where: { $0.minorUnits != request.minorUnits }) {
            violations.append("request \(request.number) was booked with another amount")
        }
        for told in decisions where !lines.contains(where: { $0.de39 == told.code }) {
            violations.append("request \(request.number) was told \(told.code), which is not in the journal")
        }
        for told in decisions where told != decisions[0] {
            violations.append(
                "request \(request.number) was told \(decisions[0].code) and then \(told.code)")
        }
        guard let told = decisions.first(where: \.isApproval) else {
            approvalsUntold += approvals.count
            if decisions.contains(where: { ["55", "75"].contains($0.code) }) { wrongPINsTold += 1 }
            return
        }
        approvalsTold += 1
        if !approvals.contains(where: { $0.approvalCode == told.approvalCode }) {
            violations.append("request \(request.number): the approval that was told is lost")
        }
        if request.isForged {
            violations.append("request \(request.number): a forged cryptogram was approved")
        }
        if request.isReplay { violations.append("request \(request.number): a replayed ATC was approved") }
        if request.pin == .wrong { violations.append("request \(request.number): a wrong PIN was approved") }
    }

    /// One card: money, ATCs, PIN tries and limits follow from its decisions.
    private mutating func check(_ card: Int, _ lines: [JournalledDecision], _ stored: StoredBalance) {
        let approvals = lines.filter { $0.de39 == "00" }
        let spent = approvals.reduce(Int64(0)) { $0 + ($1.minorUnits ?? 0) }
        let left = cards[card].openingMinorUnits - spent
        if stored.availableMinorUnits != left || left < 0 {
            violations.append("card \(card): \(stored.availableMinorUnits) left, \(left) by its approvals")
        }
        if let bound = cards[card].rollingAmount, spent > bound {
            violations.append("card \(card): the limit of \(bound) was passed with \(spent)")
        }
        var seen: Set<UInt16> = []
        for atc in approvals.compactMap(\.atc) where !seen.insert(atc).inserted {
            violations.append("card \(card): ATC \(atc) was approved twice")
        }
        if let last = seen.max(), stored.highestATC ?? 0 < last {
            violations.append("card \(card): ATC \(last) was approved and is forgotten")
        }
        let tries = pinTriesUsed(card, lines)
        if stored.pinTriesUsed != tries {
            violations.append(
                "card \(card): \(stored.pinTriesUsed) PIN tries used, \(tries) by its decisions")
        }
    }

    /// The counter after the decisions, each of which has to say what was left.
    private mutating func pinTriesUsed(_ card: Int, _ lines: [JournalledDecision]) -> Int {
        var used = 0
        for line in lines {
            let pin = line.rrn.flatMap { UInt64($0) }.flatMap { requests[$0]?.pin } ?? .none
            switch line.outcome {
            case "PIN wrong": used += 1
            case "PIN tries exceeded" where pin == .wrong && used < Self.pinTriesMax: used += 1
            case "approved", "insufficient funds", "rolling amount exceeded",
                "rolling number of transactions exceeded":
                if pin == .right { used = 0 }
            default: break
            }
            if line.pinTriesLeft != Self.pinTriesMax - used {
                violations.append("card \(card), entry \(line.id): a PIN try was forgotten")
            }
        }
        return used
    }
}
