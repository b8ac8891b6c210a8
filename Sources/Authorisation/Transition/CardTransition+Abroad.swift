/// Transactions in another currency than the account's: what they come to, and what is left of them.
extension CardTransition {
    @inline(never)
    mutating func convertAbroad(_ request: AuthorisationRequest) -> DeclineReason? {
        let currency = record.currency
        if request.amount.currency == currency { return checkAtHome(request) }
        let rates = policy.abroad.rates
        if let billing = request.billing, billing.amount.currency == currency {
            return convert(request, as: billing)
        }
        guard let rate = rates?.rate(from: request.amount.currency, to: currency) else {
            trace.add(
                .conversion, .declined,
                reason: request.billing == nil
                    ? "no DE6 and DE51, and no rate from \(request.amount.currency.name) to \(currency.name)"
                    : "DE51 is not \(currency.name), and no rate from \(request.amount.currency.name)")
            return .currencyNotServed
        }
        guard let amount = rate.converted(request.amount, to: currency) else {
            trace.add(.conversion, .declined, reason: "more than twelve digits in \(currency.name)")
            return .transactionAmountTooHigh
        }
        charge = Charge(amount: amount, rate: rate, source: .table)
        trace.add(.conversion, .approved, reason: "\(request.amount) is \(charge?.words ?? "")")
        return nil
    }

    /// DE6 is what the account pays, if it is what DE10 makes of DE4.
    private mutating func convert(
        _ request: AuthorisationRequest, as billing: CardholderBilling
    ) -> DeclineReason? {
        let why = difference(request.amount, billing)
        let found = Charge(
            amount: billing.amount, rate: billing.rate, source: .network, isFlagged: why != nil)
        // What has happened elsewhere has happened.
        if let why, policy.abroad.declinesDifference, request.purpose == .decision {
            trace.add(.conversion, .declined, reason: "\(request.amount) is \(found.words): \(why)")
            return .conversionDiffers
        }
        charge = found
        trace.add(
            .conversion, why == nil ? .approved : .skipped,
            reason: "\(request.amount) is \(found.words)" + (why.map { ", flagged: \($0)" } ?? ""))
        return nil
    }

    /// In the account's own currency DE4 is what is paid, whatever DE6 says.
    private mutating func checkAtHome(_ request: AuthorisationRequest) -> DeclineReason? {
        guard let billing = request.billing else { return nil }
        var why: String?
        if billing.amount.currency != record.currency {
            why = "DE51 is not \(record.currency.name), the currency of DE49 and of the account"
        } else if abs(billing.amount.minorUnits - request.amount.minorUnits) > 1 {
            why = "DE6 is \(billing.amount), DE4 \(request.amount)"
        }
        guard let why else { return nil }
        let isDeclined = policy.abroad.declinesDifference && request.purpose == .decision
        trace.add(
            .conversion, isDeclined ? .declined : .skipped, reason: isDeclined ? why : "flagged: \(why)")
        return isDeclined ? .conversionDiffers : nil
    }

    /// Why DE6 is not what DE10 makes of DE4, nil where it is: but for one minor unit, since not all round alike.
    private func difference(_ amount: Amount, _ billing: CardholderBilling) -> String? {
        guard let rate = billing.rate else { return "DE6 without DE10" }
        guard let expected = rate.converted(amount, to: billing.amount.currency) else {
            return "DE10 makes no amount of DE4"
        }
        guard abs(expected.minorUnits - billing.amount.minorUnits) > 1 else { return nil }
        return "DE10 makes \(expected)"
    }

    /// What was approved of a transaction in another currency; nil for all others.
    func charge(_ kept: KeptTransaction, _ request: AuthorisationRequest) -> Charge? {
        guard isForeign(kept), kept.kind != .balanceEnquiry else { return nil }
        return Amount(minorUnits: kept.booked, currency: record.currency).map {
            Charge(
                amount: $0, rate: charge?.rate ?? request.billing?.rate, source: charge?.source ?? .network,
                isFlagged: charge?.isFlagged ?? false)
        }
    }

    /// A part of the message's amount, in minor units of the account.
    @inline(__always)
    func inAccount(_ part: Int64, of request: AuthorisationRequest) -> Int64 {
        guard let charge else { return part }
        return proportion(of: charge.amount.minorUnits, part, of: request.amount.minorUnits)
    }

    /// In another currency than the account's.
    @inline(__always)
    func isForeign(_ kept: KeptTransaction) -> Bool { kept.currency != record.currency.rawValue }

    /// What was approved of a transaction and what of it was not reversed, in its own currency.
    func own(_ kept: KeptTransaction) -> (approved: Int64, left: Int64) {
        guard isForeign(kept) else { return (kept.booked, kept.taken) }
        guard let part = ForeignParts(record.content(.foreignParts)).part(of: kept.number) else {
            return (kept.asked, kept.asked)
        }
        return (part.approved, part.left)
    }

    /// Keeps both, where they are not what was asked for.
    mutating func setOwn(_ kept: KeptTransaction, approved: Int64, left: Int64) throws(CardQuestion) {
        var parts = ForeignParts(record.content(.foreignParts))
        if parts.list.count >= ForeignParts.countMax {
            try needPast()
            parts.keep { number in search { $0.number == number } != nil }
        }
        parts.set(ForeignPart(number: kept.number, approved: approved, left: left))
        record.set(.foreignParts, parts.content)
    }

    /// What was not taken in the end has no parts.
    mutating func dropOwn(_ kept: KeptTransaction) {
        guard charge != nil else { return }
        var parts = ForeignParts(record.content(.foreignParts))
        parts.keep { $0 != kept.number }
        record.set(.foreignParts, parts.content)
    }

    /// How surely a transaction is named: the amount that names it is in its own currency.
    func rank(_ naming: Naming, _ kept: KeptTransaction) -> Naming.Rank {
        guard isForeign(kept), naming.amount != nil else { return naming.rank(kept) }
        let own = own(kept)
        return naming.rank(kept, approved: own.approved, left: own.left)
    }

    /// What a completion comes to at the rate of its approval, by which what was approved is measured: a rate that has
    /// moved meanwhile is no excess.
    func measured(_ original: KeptTransaction, _ amount: Int64, request: AuthorisationRequest) -> Int64 {
        guard isForeign(original), original.currency == request.amount.currency.rawValue else {
            return amount
        }
        let whole = payable(request).minorUnits
        let part =
            amount == whole
            ? request.amount.minorUnits : proportion(of: request.amount.minorUnits, amount, of: whole)
        let approved = own(original).approved
        guard approved > 0 else { return amount }
        return Int64(
            clamping: (Int128(original.booked) * Int128(part) * 2 + Int128(approved)) / (Int128(approved) * 2)
        )
    }

    /// What of a foreign message's amount can be paid with so much of the account's money, in its own currency: never more
    /// than that.
    func affordable(_ funds: Int64, _ request: AuthorisationRequest) -> Int64 {
        let whole = payable(request).minorUnits
        guard whole > 0 else { return request.amount.minorUnits }
        return Int64(Int128(request.amount.minorUnits) * Int128(funds) / Int128(whole))
    }
}
