/// How cards are spread over the store, and how safe a write has to be before it is told.
public struct CardStateSettings: Sendable {
    /// Buckets over which cards are spread; each is one hash slot. Never changed once cards are there.
    public var bucketCount = 64
    /// Replicas that have to have a commit before it is answered (`WAIT`); 0: none.
    public var replicasMin = 0
    /// How long they may take.
    public var replicaTimeoutMilliseconds = 100

    /// The defaults above.
    public init() {}
}
