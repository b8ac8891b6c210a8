internal import EMV

/// An amount and a number of transactions that may not be passed; nil is without bound.
package struct Allowance: Hashable, Sendable {
    /// Minor units.
    package var minorUnits: Int64?
    /// Transactions.
    package var count: Int64?

    /// Takes both.
    package init(minorUnits: Int64? = nil, count: Int64? = nil) {
        self.minorUnits = minorUnits
        self.count = count
    }
}

/// What a card may spend, by the decision of its range or its own. A bound that is nil does not exist; a bound of
/// zero lets nothing pass.
package struct SpendingLimits: Hashable, Sendable {
    /// The currency of all amounts here. A transaction in another one is declined.
    package var currency: CurrencyCode
    /// Of one transaction, minor units.
    package var transactionMax: Int64?
    /// Of one contactless transaction.
    package var contactlessMax: Int64?
    /// Of one transaction without cardholder verification.
    package var unverifiedMax: Int64?
    /// Of one day, UTC; cash and purchases together.
    package var daily = Allowance()
    /// Of the last `rollingDays` days, today among them.
    package var rolling = Allowance()
    /// 1…31.
    package var rollingDays: Int64 = 30
    /// Cash of one day, UTC.
    package var dailyCash = Allowance()
    /// Merchant category codes (DE18) that are declined.
    package var blockedMerchantCategories: Set<UInt16> = []
    /// Countries (ISO 3166-1 numeric) that are declined.
    package var blockedCountries: Set<UInt16> = []

    /// No bounds yet.
    package init(currency: CurrencyCode) { self.currency = currency }

    /// True if the store has to count for it.
    package var isCounted: Bool {
        daily != Allowance() || rolling != Allowance() || dailyCash != Allowance()
    }
}

/// The bounds that one look at the request is enough for. What has to be counted is the store's matter.
struct LimitCheck {
    let limits: SpendingLimits

    func evaluate(
        _ amount: Amount, _ circumstances: Circumstances, trace: inout DecisionTrace
    ) -> DeclineReason? {
        if let (reason, why) = finding(amount, circumstances) {
            trace.add(.limits, .declined, reason: why)
            return reason
        }
        trace.add(.limits, .approved, reason: "within those of one transaction")
        return nil
    }

    private func finding(
        _ amount: Amount, _ circumstances: Circumstances
    ) -> (DeclineReason, String)? {
        if let category = circumstances.merchantCategory, limits.blockedMerchantCategories.contains(category)
        {
            return (.merchantCategoryBlocked, "merchant category \(category)")
        }
        if let country = circumstances.country, limits.blockedCountries.contains(country) {
            return (.countryBlocked, "country \(country)")
        }
        if amount.currency != limits.currency {
            return (.currencyNotServed, "limits are in \(limits.currency.name)")
        }
        if let most = limits.transactionMax, amount.minorUnits > most {
            return (.transactionAmountTooHigh, "\(amount) over \(text(most))")
        }
        if circumstances.isContactless, let most = limits.contactlessMax, amount.minorUnits > most {
            return (.contactlessAmountTooHigh, "\(amount) contactless over \(text(most))")
        }
        if !circumstances.isCardholderVerified, let most = limits.unverifiedMax, amount.minorUnits > most {
            return (.verificationNeeded, "\(amount) without cardholder verification over \(text(most))")
        }
        return nil
    }

    private func text(_ minorUnits: Int64) -> String {
        ISO4217.text(minorUnits: minorUnits, numericCode: limits.currency.rawValue)
    }
}

/// Limits that the store counts for, as it gets them.
package struct CountedLimits: Sendable {
    /// Days since 1970-01-01, UTC.
    package let day: Int64
    /// Cash counts twice: as cash and as spending.
    package let kind: TransactionKind
    /// Whose allowances count.
    package let limits: SpendingLimits

    package init(day: Int64, kind: TransactionKind, limits: SpendingLimits) {
        self.day = day
        self.kind = kind
        self.limits = limits
    }
}
