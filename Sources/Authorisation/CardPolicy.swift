/// What a range decides about its cards, as far as a card's record is judged by it.
public final class CardPolicy: Sendable {
    /// Unless a plastic has limits of its own; nil: the available amount alone decides.
    public let limits: SpendingLimits?
    /// Completions and holds.
    public let holds: HoldRules
    /// How far an ATC may be ahead of the highest seen.
    public let atcJumpMax: Int
    /// Whether an ATC behind the highest, never seen before, may pass.
    public let acceptsLateATC: Bool
    /// True where the scheme counts a malformed PIN block as a wrong PIN.
    public let countsMalformedPINBlocks: Bool

    /// Takes the decisions.
    public init(
        limits: SpendingLimits? = nil, holds: HoldRules = HoldRules(), atcJumpMax: Int = 1_000,
        acceptsLateATC: Bool = true, countsMalformedPINBlocks: Bool = false
    ) {
        self.limits = limits
        self.holds = holds
        self.atcJumpMax = atcJumpMax
        self.acceptsLateATC = acceptsLateATC
        self.countsMalformedPINBlocks = countsMalformedPINBlocks
    }
}
