internal import IssuerMessages

/// What the host has to answer.
struct Prediction: Sendable {
    /// DE39.
    var code: ResponseCode
    /// Whether tag 91 has to be there.
    var authenticated: Bool
    /// False where DE39 00 says only that a message was taken, without a code of approval.
    var approves = true
    /// The approval code of an earlier answer that has to come again; nil for any.
    var approvalCode: [UInt8]?
    /// The last ATC that the host has surely verified, if the answer is 91: nobody knows then whether the request was carried
    /// out. Nil where later answers depend on that.
    var surelyVerifiedATC: UInt16?
}

extension LoadCard {
    /// What the issuer has to make of a request of this card; the model moves on as the issuer should.
    mutating func predict(_ kind: TrafficKind, amount: UInt64, atc: UInt16, pinTriesMax: Int)
        -> Prediction
    {
        let (verified, tries) = (verifiedATC, triesUsed)
        var prediction = predicted(kind, amount: amount, atc: atc, pinTriesMax: pinTriesMax)
        // An amount more or less comes to nothing: no load uses up what a card has.
        if triesUsed == tries { prediction.surelyVerifiedATC = verified }
        return prediction
    }

    private mutating func predicted(_ kind: TrafficKind, amount: UInt64, atc: UInt16, pinTriesMax: Int)
        -> Prediction
    {
        requests += 1
        switch kind {
        case .unknownCard: return Prediction(code: .unknownCard, authenticated: true)
        case .wrongCryptogram: return Prediction(code: .cryptogramFailure, authenticated: false)
        case .badFrame: return Prediction(code: .formatError, authenticated: false)
        case .replay: return Prediction(code: .securityViolation, authenticated: true)
        case .threeDSecure:
            guard Int64(amount) <= availableMinorUnits else {
                return Prediction(code: .insufficientFunds, authenticated: false)
            }
            availableMinorUnits -= Int64(amount)
            return Prediction(code: .approved, authenticated: false)
        case .purchase, .purchaseWithoutPIN, .wrongPIN, .repeat, .reversal: break
        }
        verifiedATC = atc
        if let code = checkPIN(kind, pinTriesMax) { return Prediction(code: code, authenticated: true) }
        guard Int64(amount) <= availableMinorUnits else {
            return Prediction(code: .insufficientFunds, authenticated: true)
        }
        availableMinorUnits -= Int64(amount)
        return Prediction(code: .approved, authenticated: true)
    }

    private mutating func checkPIN(_ kind: TrafficKind, _ triesMax: Int) -> ResponseCode? {
        guard kind != .purchaseWithoutPIN else { return nil }
        guard triesUsed < triesMax else { return .pinTriesExceeded }
        guard kind == .wrongPIN else {
            triesUsed = 0
            return nil
        }
        triesUsed += 1
        return triesUsed >= triesMax ? .pinTriesExceeded : .wrongPIN
    }
}
