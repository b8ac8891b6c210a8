/// A PIN that was not right.
extension CardTransition {
    /// The reason of the decline, nil where no PIN was sent; a wrong PIN takes a try.
    mutating func failPIN(_ verdict: PINVerdict, _ checked: Plastic, index: Int) -> DeclineReason? {
        switch verdict {
        case .notSent, .right: return nil
        case .malformed(let fault):
            trace.add(.pin, .declined, reason: fault.words)
            guard policy.countsMalformedPINBlocks else { return .pinBlockUnreadable }
        case .wrong, .otherForm: trace.add(.pin, .declined, reason: "wrong")
        case .notOnRecord:
            return trace.declined(.pin, .pinNotOnRecord, reason: "no reference on record")
        case .notServed(let why): return trace.declined(.pin, .pinNotOnRecord, reason: why)
        }
        // A malformed block is a try too, but maybe not the cardholder's: the scheme says whether it counts.
        var plastic = checked
        plastic.pinTriesUsed += 1
        share(plastic, index)
        return plastic.pinTriesUsed >= plastic.pinTriesMax ? .pinTriesExceeded : .pinWrong
    }
}
