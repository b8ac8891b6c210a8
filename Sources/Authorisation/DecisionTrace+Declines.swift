/// Lines of what declines.
extension DecisionTrace {
    /// Adds the line of a decline, and is its reason.
    mutating func declined(_ rule: Rule, _ declined: DeclineReason, reason: String) -> DeclineReason {
        add(rule, .declined, reason: reason)
        return declined
    }

    /// What the record declines.
    mutating func add(_ declined: DeclineReason, _ result: CommitResult) {
        switch declined {
        case .pinWrong, .pinTriesExceeded:
            add(.pinTries, .declined, reason: "\(result.pinTriesLeft) left")
        case .insufficientFunds, .currencyNotServed:
            add(.pinTries, .approved, reason: "\(result.pinTriesLeft) left")
            add(.availableAmount, .declined, reason: declined.words)
        case .dailyAmountExceeded, .dailyCountExceeded, .rollingAmountExceeded, .rollingCountExceeded,
            .cashAmountExceeded, .cashCountExceeded:
            add(.pinTries, .approved, reason: "\(result.pinTriesLeft) left")
            add(.limits, .declined, reason: declined.words)
        default: break
        }
    }
}
