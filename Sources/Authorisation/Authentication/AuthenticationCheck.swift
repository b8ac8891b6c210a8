package import EMV

/// An authentication value that the token has found right and whose terms hold. Only `AuthenticationFinding` makes one.
package final class VerifiedAuthentication: Sendable {
    /// What was verified.
    package let value: AuthenticationValue
    /// Of the range.
    package let policy: AuthenticationPolicy
    /// The payment belongs to a series.
    package let isRecurring: Bool

    fileprivate init(value: AuthenticationValue, policy: AuthenticationPolicy, isRecurring: Bool) {
        (self.value, self.policy, self.isRecurring) = (value, policy, isRecurring)
    }
}

/// 3-D Secure: what is to be asked of the token before it works, and what its answer means after. Whether a value was
/// used before is for the card's record to say.
final class AuthenticationFinding: Sendable {
    /// Clocks of ACS and host may differ by this.
    static let clockSkewSeconds: Int64 = 300

    let policy: AuthenticationPolicy
    /// For the token; nil: there is nothing to ask.
    let question: AuthenticationQuestion?
    private let early: (reason: DeclineReason, words: String)?

    private init(
        _ policy: AuthenticationPolicy, _ question: AuthenticationQuestion?,
        early: (reason: DeclineReason, words: String)? = nil
    ) {
        (self.policy, self.question, self.early) = (policy, question, early)
    }

    /// - Returns: nil where 3-D Secure has no say: no electronic commerce, no such range, or nothing sent and nothing
    ///   wanted. CVV2 decides then.
    static func of(_ request: AuthorisationRequest, _ range: IssuerRange?) -> AuthenticationFinding? {
        guard let evidence = request.authentication, let policy = range?.authentication, request.chip == nil
        else {
            return nil
        }
        if case .reversal = request.purpose { return nil }
        if request.circumstances.kind == .completion { return nil }
        switch evidence.value {
        case .none:
            let claim = policy.claim(evidence.indicator)
            if policy.terms.isRequired, evidence.isElectronicCommerce {
                return AuthenticationFinding(policy, nil, early: (.authenticationMissing, "no value sent"))
            }
            guard claim != .notAuthenticated else { return nil }
            return AuthenticationFinding(
                policy, nil,
                early: (.authenticationClaimUnproven, "ECI claims \(claim.words), but no value came"))
        case .unreadable: return wrong(policy, "not readable as a value")
        case .bytes(let bytes):
            guard let value = AuthenticationValue(policy.terms.form, bytes) else {
                return wrong(policy, "not a value of form \(policy.terms.form.name)")
            }
            guard let key = policy.terms.keys[value.keySelector] ?? policy.terms.key else {
                return wrong(policy, "no key for its key selector")
            }
            return AuthenticationFinding(policy, AuthenticationQuestion(key: key, value: value))
        }
    }

    private static func wrong(_ policy: AuthenticationPolicy, _ words: String) -> AuthenticationFinding {
        AuthenticationFinding(policy, nil, early: (.authenticationWrong, words))
    }

    /// What the token's answer means.
    /// - Parameter now: seconds since 1970.
    func evaluate(
        _ answer: AuthenticationAnswer, _ request: AuthorisationRequest, now: Int64,
        trace: inout DecisionTrace
    ) -> (verified: VerifiedAuthentication?, declined: DeclineReason?) {
        guard let question, let evidence = request.authentication else {
            trace.add(.authentication, .declined, reason: early?.words ?? "")
            return (nil, early?.reason)
        }
        let value = question.value
        guard answer == .matches else {
            trace.add(.authentication, .declined, reason: "wrong, form \(value.form.name)")
            return (nil, .authenticationWrong)
        }
        if let (reason, words) = fault(value, evidence, request: request, now: now) {
            trace.add(.authentication, .declined, reason: words)
            return (nil, reason)
        }
        trace.add(.authentication, .approved, reason: "right, \(value.form.name): \(value.status.words)")
        return (VerifiedAuthentication(value: value, policy: policy, isRecurring: evidence.isRecurring), nil)
    }

    /// What the range answers in place of the usual.
    func answer(_ declined: DeclineReason?, _ basis: ApprovalBasis?) -> ConfiguredAnswer? {
        var outcome = declined.flatMap(AuthenticationOutcome.init)
        if outcome == nil, case .authentication(let verified)? = basis {
            outcome = verified.value.status == .authenticated ? .right : .attempted
        }
        guard let outcome, let answer = policy.terms.answers[outcome] else { return nil }
        // A DE39 is for declines of this kind; what an approval or another decline says stays.
        return declined.flatMap(AuthenticationOutcome.init) == nil
            ? ConfiguredAnswer(responseCode: nil, additionalData: answer.additionalData) : answer
    }

    /// What does not hold of a value that is the issuer's own.
    private func fault(
        _ value: AuthenticationValue, _ evidence: AuthenticationEvidence, request: AuthorisationRequest,
        now: Int64
    ) -> (reason: DeclineReason, words: String)? {
        let terms = policy.terms
        let claim = policy.claim(evidence.indicator)
        if claim.rawValue > value.status.rawValue {
            return (
                .authenticationClaimUnproven,
                "ECI claims \(claim.words), the value proves \(value.status.words)"
            )
        }
        switch value.status {
        case .notAuthenticated:
            return (.cardholderNotAuthenticated, "right, but the cardholder was not authenticated")
        case .attempted where !terms.acceptsAttempts:
            return (.authenticationAttemptOnly, "right, but an attempt is not enough for this range")
        default: break
        }
        if value.form.merchantHashBytes > 0, value.form.merchantHash(evidence.merchant) != value.merchantHash
        {
            return (.authenticationMerchantDiffers, "made for another merchant")
        }
        // Of a series the first payment alone is bound to amount and age, and the record knows which that is.
        if evidence.isRecurring, terms.seriesMax > 0 { return nil }
        return Self.termsFault(value, policy, amount: request.amount, now: now)
    }

    /// Amount and age against what was authenticated.
    static func termsFault(
        _ value: AuthenticationValue, _ policy: AuthenticationPolicy, amount: Amount, now: Int64
    ) -> (reason: DeclineReason, words: String)? {
        let terms = policy.terms
        if value.form.bindsAmount {
            let agrees = AuthenticationAmount.agrees(
                amount.minorUnits, value.amountCode, tolerancePercent: terms.amountTolerancePercent)
            guard agrees, amount.currency.rawValue == value.currency else {
                return (.authenticationAmountDiffers, "made for another amount or currency")
            }
        }
        guard terms.numberIsTime else { return nil }
        let age = now.subtractingReportingOverflow(value.madeAt)
        if age.overflow || age.partialValue < -clockSkewSeconds {
            return (.authenticationTooOld, "its time has not come")
        }
        if age.partialValue > terms.ageMaxSeconds {
            return (.authenticationTooOld, "older than \(terms.ageMaxSeconds / 60) minutes")
        }
        return nil
    }
}
