internal import Synchronization

/// How often another host was quicker. Read by metrics.
package final class ConflictCount: Sendable {
    private let count = Atomic<UInt64>(0)

    /// From zero.
    package init() {}

    /// So far.
    package var value: UInt64 { count.load(ordering: .relaxed) }

    func add() { count.wrappingAdd(1, ordering: .relaxed) }
}
