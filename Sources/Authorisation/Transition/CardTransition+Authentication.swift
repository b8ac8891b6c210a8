internal import EMV

/// 3-D Secure: a value is good once. The record says so, and the write by compare-and-set makes two hosts agree.
extension CardTransition {
    /// Whether a value that is right may be used for this payment.
    mutating func checkAuthentication(
        _ verified: VerifiedAuthentication, _ message: CardMessage
    ) -> DeclineReason? {
        let used = UsedAuthenticationValues(record.content(.authenticationValues))
        let terms = verified.policy.terms
        guard let use = used.use(of: verified.value.identity) else {
            // The first payment of a series, or a series that is known no more.
            if verified.isRecurring,
                let (reason, words) = AuthenticationFinding.termsFault(
                    verified.value, verified.policy, amount: message.request.amount, now: now)
            {
                trace.add(.authentication, .declined, reason: words)
                return reason
            }
            guard used.hasRoom(now: now, keepingSeconds: Self.keepingSeconds(terms)) else {
                trace.add(
                    .authentication, .declined,
                    reason: "\(UsedAuthenticationValues.countMax) values in use already")
                return .authenticationReplayed
            }
            return nil
        }
        guard verified.isRecurring, terms.seriesMax > 0 else {
            trace.add(.authentication, .declined, reason: "used before")
            return .authenticationReplayed
        }
        guard use.merchant == message.request.transmission.merchant else {
            trace.add(.authentication, .declined, reason: "used before by another merchant")
            return .authenticationReplayed
        }
        guard use.payments <= terms.seriesMax else {
            trace.add(.authentication, .declined, reason: "\(use.payments) payments on one value already")
            return .authenticationSeriesEnded
        }
        trace.add(.authentication, .approved, reason: "payment \(use.payments + 1) of a series on one value")
        return nil
    }

    /// Keeps that a value was used: for approvals alone, so that a shop may ask again for less.
    mutating func keepAuthentication(_ verified: VerifiedAuthentication, _ message: CardMessage) {
        var used = UsedAuthenticationValues(record.content(.authenticationValues))
        used.add(
            verified.value.identity, merchant: message.request.transmission.merchant, now: now,
            keepingSeconds: Self.keepingSeconds(verified.policy.terms))
        record.set(.authenticationValues, used.content)
    }

    /// Whoever was authenticated by the issuer has been verified.
    func circumstances(_ message: CardMessage) -> Circumstances {
        var found = message.request.circumstances
        if message.authentication?.value.status == .authenticated { found.isCardholderVerified = true }
        return found
    }

    /// A payment that was approved elsewhere on a value that had been used: booked, and flagged.
    func wasUsed(_ verified: VerifiedAuthentication) -> Bool {
        let used = UsedAuthenticationValues(record.content(.authenticationValues))
        return used.use(of: verified.value.identity) != nil && !verified.isRecurring
    }

    /// A value is accepted until it is too old, by a clock that may be ahead.
    private static func keepingSeconds(_ terms: AuthenticationPolicy.Terms) -> Int64 {
        terms.ageMaxSeconds + AuthenticationFinding.clockSkewSeconds
    }
}
