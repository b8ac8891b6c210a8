/// A point on the monotonic clock after which an answer is of no use. Nanoseconds since an arbitrary start.
package struct Deadline: Hashable, Comparable, Sendable {
    /// Nanoseconds of the monotonic clock.
    package let nanoseconds: UInt64

    /// - Parameter nanoseconds: of the same clock that the ports read.
    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Earlier is less.
    package static func < (left: Deadline, right: Deadline) -> Bool { left.nanoseconds < right.nanoseconds }
}

/// Where time and randomness come from, so that a simulation can hold both.
package struct Surroundings: Sendable {
    /// Seconds since 1970-01-01 00:00 UTC.
    package let unixSeconds: @Sendable () -> Int64
    /// Nanoseconds of the monotonic clock.
    package let monotonicNanoseconds: @Sendable () -> UInt64
    /// A fresh number for an approval code. Not a secret: DE38 only has to differ from its neighbours.
    package let random: @Sendable () -> UInt64

    /// Takes the three sources.
    package init(
        unixSeconds: @escaping @Sendable () -> Int64, monotonicNanoseconds: @escaping @Sendable () -> UInt64,
        random: @escaping @Sendable () -> UInt64
    ) {
        self.unixSeconds = unixSeconds
        self.monotonicNanoseconds = monotonicNanoseconds
        self.random = random
    }
}
