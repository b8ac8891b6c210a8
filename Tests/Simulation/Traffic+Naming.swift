internal import Authorisation
internal import VectorSupport

/// How a message speaks of an earlier one.
extension Traffic {
    /// Some name all numbers, some DE37 alone, some nothing but what they share with the original.
    /// - Returns: what is named, and whether only one transaction can be meant.
    func names(
        _ earlier: Deal, _ deal: Deal, _ numbers: inout SimulatedNumbers, isReversal: Bool
    ) -> (OriginalTransaction, isClear: Bool) {
        var naming = OriginalTransaction(
            acquirer: earlier.place.acquirer, terminal: earlier.place.terminal,
            ownSTAN: deal.stan, ownSentAt: deal.sentAt)
        let isLatest = numbers.chance(30)
        let (stan, sentAt) =
            isLatest ? (earlier.lastSTAN, earlier.lastSentAt) : (earlier.stan, earlier.sentAt)
        var roll = Int.random(in: 0..<100, using: &numbers)
        // Without DE37 nothing else would be named.
        if earlier.reference == 0, roll < 78 || !isReversal { roll %= 60 }
        // What speaks of money that is to be taken says which.
        if !isReversal, roll >= 60, shares(earlier) { roll %= 60 }
        if roll < 60 {
            naming.stan = stan
            naming.isAdvice = earlier.isAdvice
            naming.sentAt = roll < 50 ? sentAt : 0
            naming.reference = numbers.chance(60) ? earlier.reference : 0
            naming.localTime = numbers.chance(40) ? earlier.localTime : 0
            // Without a time of sending something else has to say which of the terminal's rounds it is.
            if naming.sentAt == 0 {
                naming.reference = earlier.reference
                naming.localTime = earlier.localTime
            }
            // A repeat had another STAN: without DE37 nobody could know it.
            if earlier.lastSTAN != earlier.stan {
                naming.reference = earlier.reference
                naming.terminal = earlier.place.terminal
                naming.sentAt = sentAt
            }
        } else if roll < 78 || !isReversal {
            naming.reference = earlier.reference
            naming.terminal = earlier.place.terminal
        } else {
            naming.ownSTAN = earlier.stan
            naming.terminal = earlier.place.terminal
            naming.ownSentAt = roll < 92 ? earlier.sentAt : 0
            naming.localTime = roll < 92 ? 0 : earlier.localTime
            naming.reference = numbers.chance(50) ? earlier.reference : 0
            if naming.ownSentAt == 0 || earlier.lastSTAN != earlier.stan {
                naming.localTime = earlier.localTime
                naming.reference = earlier.reference
            }
        }
        // A repeat at another time: what stays is said as well.
        if earlier.lastSentAt != earlier.sentAt, isReversal {
            naming.localTime = earlier.localTime
            naming.reference = earlier.reference
        }
        // A completion is a message of its own, at a time of its own.
        if !isReversal { naming.localTime = deal.localTime }
        return (naming, isClear(naming, earlier, isReversal: isReversal))
    }

    private func shares(_ earlier: Deal) -> Bool {
        deals.contains { $0.number != earlier.number && $0.reference == earlier.reference }
    }

    /// The same as of now: what was sent since may fit the names too.
    func isStillClear(_ deal: Deal) -> Bool {
        guard let naming = deal.naming, let original = deal.original else { return deal.isClear }
        return deal.isClear && isClear(naming, deals[original], isReversal: deal.isReversal)
    }

    /// One of them may have the PAN that the account had before.
    private func isSameAccount(_ one: Deal, _ other: Deal) -> Bool {
        one.account % plan.firstCount == other.account % plan.firstCount
    }

    /// Under the same DE37 at the same terminal, for as much: before one of them comes, its reversal is what the reversal
    /// of the other would be, had that been repeated under another STAN.
    private func areAlike(_ one: Deal, _ other: Deal) -> Bool {
        func amounts(_ deal: Deal) -> [Int64] { [deal.minorUnits, approved[deal.number] ?? deal.minorUnits] }
        return one.place.terminal == other.place.terminal && one.reference == other.reference
            && (other.isReversed || amounts(one).contains(where: amounts(other).contains))
    }

    /// Whether the names fit one transaction of the account only, and say enough.
    private func isClear(_ naming: OriginalTransaction, _ earlier: Deal, isReversal: Bool) -> Bool {
        let byOwn = naming.stan == 0 && naming.ownSTAN == earlier.stan && isReversal
        let says =
            naming.stan != 0
            ? naming.sentAt != 0 || naming.reference != 0 || isReversal && naming.localTime != 0
            : byOwn
                ? naming.ownSentAt != 0 || naming.reference != 0 || naming.localTime != 0
                : naming.reference != 0
        guard says, earlier.isClear else { return false }
        // The first may be lost, and a repeat of another day be all that the host has seen.
        if !isReversal, naming.reference == 0, earlier.lastSentAt != earlier.sentAt { return false }
        return !deals.contains { other in
            guard other.number != earlier.number, isSameAccount(other, earlier), !other.isReversal,
                other.place.acquirer == earlier.place.acquirer,
                naming.terminal == 0 || other.place.terminal == naming.terminal,
                naming.reference == 0 || other.reference == 0 || other.reference == naming.reference
            else { return false }
            if naming.stan != 0 {
                return other.stan == naming.stan || other.lastSTAN == naming.stan
                    || isReversal && naming.reference != 0 && areAlike(earlier, other)
            }
            if byOwn, other.stan == naming.ownSTAN { return true }
            return naming.reference != 0 && other.reference == naming.reference
        }
    }
}
