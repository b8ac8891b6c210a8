/// Money in two currencies: what the account paid, and what the shop asked for.
extension Books {
    /// A part of an amount, half a minor unit rounded up.
    static func share(_ amount: Int64, _ part: Int64, of whole: Int64) -> Int64 {
        part == 0 ? 0 : part >= whole ? amount : (2 * amount * part + whole) / (2 * whole)
    }

    /// What of the account's money stays with a transaction of which so much is to remain, said in its own currency.
    func left(_ number: Int, _ remaining: Int64) -> Int64 {
        guard let whole = transactions[number].shopApproved else { return remaining }
        return Self.share(transactions[number].booked, remaining, of: whole)
    }

    /// A part is approved in the shop's currency: as much as the money buys, and it costs what that comes to.
    func checkPart(
        _ message: SentMessage, taken: Int64, funds: Int64
    ) throws(BrokenPromise) -> Int64? {
        guard let whole = message.shopMinorUnits else { return nil }
        guard message.minorUnits > 0 else { return whole }
        let part = whole * funds / message.minorUnits
        let price = Self.share(message.minorUnits, part, of: whole)
        guard part > 0, part < whole, taken == price, taken <= funds else {
            throw BrokenPromise(
                "transaction \(message.transaction): \(taken) taken for a part abroad, \(price) is its price of \(funds)"
            )
        }
        return part
    }

    /// What a completion comes to at the rate of its approval.
    func measured(_ original: Int, _ amount: Int64, _ message: SentMessage) -> Int64 {
        guard let whole = message.shopMinorUnits, let approved = transactions[original].shopApproved,
            approved > 0
        else { return amount }
        let part =
            amount == message.minorUnits ? whole : Self.share(whole, amount, of: message.minorUnits)
        return (2 * transactions[original].booked * part + approved) / (2 * approved)
    }

    /// To the minor unit: what is left after a reversal that can only mean this transaction.
    func checkLeft(_ original: Int, before: Int64, _ message: SentMessage) throws(BrokenPromise) {
        guard case .reversal(let remaining) = message.purpose, message.isClear,
            transactions[original].completions.isEmpty, !transactions[original].isServedElsewhere
        else { return }
        let expected = min(before, left(original, remaining))
        guard transactions[original].net == expected else {
            throw BrokenPromise(
                "transaction \(original): \(transactions[original].net) left by a reversal that leaves \(expected)"
            )
        }
    }
}
