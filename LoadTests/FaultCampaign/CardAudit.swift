/// One card: money, ATCs, PIN tries and limits follow from what was decided about it.
extension Audit {
    static let pinTriesMax = 3
    /// DE39 of what is decided only after the PIN was right: approved, reversed before it came, no funds, over a limit.
    private static let afterRightPIN: Set = ["00", "21", "51", "61", "65"]

    mutating func check(_ card: Int, _ lines: [JournalledDecision], stored: StoredBalance) {
        checkMoney(card, lines, stored: stored)
        var seen: Set<UInt16> = []
        for line in lines where line.de39 == "00" && !isAdvice(line) && !line.isReversal {
            if let atc = line.atc, !seen.insert(atc).inserted {
                violated("card \(card): ATC \(atc) was approved twice")
            }
        }
        if let last = seen.max(), stored.highestATC ?? 0 < last {
            violated("card \(card): ATC \(last) was approved and is forgotten")
        }
        let tries = pinTriesUsed(card, lines)
        if stored.pinTriesUsed != tries {
            violated("card \(card): \(stored.pinTriesUsed) PIN tries used, \(tries) by its decisions")
        }
    }

    /// What stood there at first, less what was taken, and what was given back.
    private mutating func checkMoney(
        _ card: Int, _ lines: [JournalledDecision], stored: StoredBalance
    ) {
        var (left, counted) = (cards[card].openingMinorUnits, Int64(0))
        for line in lines {
            left += line.givenBack - line.taken
            counted += line.taken - line.givenBack
            guard line.de39 == "00", !line.isReversal, !isAdvice(line) else { continue }
            if left < 0 { violated("card \(card), entry \(line.id): approved for more than there was") }
            if let bound = cards[card].rollingAmount, counted > bound {
                violated("card \(card): the limit of \(bound) was passed with \(counted)")
            }
        }
        if stored.availableMinorUnits != left {
            violated("card \(card): \(stored.availableMinorUnits) left, \(left) by its decisions")
        }
    }

    private func isAdvice(_ line: JournalledDecision) -> Bool { request(line)?.form == .advice }

    private func request(_ line: JournalledDecision) -> SentRequest? {
        line.rrn.flatMap { UInt64($0) }.flatMap { requests[$0] }
    }

    /// The counter after the decisions, each of which has to say what was left.
    private mutating func pinTriesUsed(_ card: Int, _ lines: [JournalledDecision]) -> Int {
        var used = 0
        for line in lines {
            let pin = line.isReversal ? .none : request(line)?.pin ?? .none
            switch line.de39 {
            case "55": used += 1
            case "75" where pin == .wrong && used < Self.pinTriesMax: used += 1
            case let code? where Self.afterRightPIN.contains(code) && pin == .right: used = 0
            default: break
            }
            if line.pinTriesLeft != Self.pinTriesMax - used {
                violated("card \(card), entry \(line.id): a PIN try was forgotten")
            }
        }
        return used
    }
}
