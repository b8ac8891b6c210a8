/// What a range decides about its cards, as far as a card's record is judged by it.
package final class CardPolicy: Sendable {
    /// Unless a plastic has limits of its own; nil: the available amount alone decides.
    package let limits: SpendingLimits?
    /// Other currencies than the account's.
    package let abroad: AbroadPolicy
    /// Completions and holds.
    package let holds: HoldRules
    /// How far an ATC may be ahead of the highest seen.
    package let atcJumpMax: Int
    /// Whether an ATC behind the highest, never seen before, may pass.
    package let acceptsLateATC: Bool
    /// True where the scheme counts a malformed PIN block as a wrong PIN.
    package let countsMalformedPINBlocks: Bool

    package init(
        limits: SpendingLimits? = nil, abroad: AbroadPolicy = AbroadPolicy(), holds: HoldRules = HoldRules(),
        atcJumpMax: Int = 1_000,
        acceptsLateATC: Bool = true, countsMalformedPINBlocks: Bool = false
    ) {
        self.limits = limits
        self.abroad = abroad
        self.holds = holds
        self.atcJumpMax = atcJumpMax
        self.acceptsLateATC = acceptsLateATC
        self.countsMalformedPINBlocks = countsMalformedPINBlocks
    }
}
