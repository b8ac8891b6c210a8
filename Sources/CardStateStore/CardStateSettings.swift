/// What the state store decides by.
public struct CardStateSettings: Sendable {
    /// Buckets over which cards are spread; each is one hash slot. Never changed once cards are there.
    public var bucketCount = 64
    /// How far an ATC may be ahead of the highest seen.
    public var atcJumpMax = 1_000
    /// Whether an ATC behind the highest, never seen before, may pass.
    public var lateATCAccepted = true
    /// Replicas that have to have a commit before it is answered (`WAIT`); 0: none.
    public var replicasMin = 0
    /// How long they may take.
    public var replicaTimeoutMilliseconds = 100

    /// The defaults above.
    public init() {}
}
