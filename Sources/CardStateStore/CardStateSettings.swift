/// How cards are spread over the store, and how safe a write has to be before it is told.
package struct CardStateSettings: Sendable {
    /// Buckets over which cards are spread; each is one hash slot. Never changed once cards are there.
    package var bucketCount = 64
    /// Replicas that have to have a commit before it is answered (`WAIT`); 0: none.
    package var replicasMin = 0
    /// How long they may take.
    package var replicaTimeoutMilliseconds = 100

    /// The defaults above.
    package init() {}
}
