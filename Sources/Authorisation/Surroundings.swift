internal import ByteCoding

/// Where time and randomness come from, so that a simulation can hold both.
package struct Surroundings: Sendable {
    /// Seconds since 1970-01-01 00:00 UTC.
    package let unixSeconds: @Sendable () -> Int64
    /// Nanoseconds of the monotonic clock.
    package let monotonicNanoseconds: @Sendable () -> UInt64
    /// A fresh number for an approval code. Not a secret: DE38 only has to differ from its neighbours.
    package let random: @Sendable () -> UInt64
    /// Why nothing is decided that goes by what day it is; nil: it is.
    package let clockFault: @Sendable () -> String?
    /// Waits so many nanoseconds of the monotonic clock.
    let pause: @Sendable (UInt64) async -> Void

    package init(
        unixSeconds: @escaping @Sendable () -> Int64, monotonicNanoseconds: @escaping @Sendable () -> UInt64,
        random: @escaping @Sendable () -> UInt64, clockFault: @escaping @Sendable () -> String? = { nil },
        pause: @escaping @Sendable (UInt64) async -> Void = { try? await Task.sleep(nanoseconds: $0) }
    ) {
        self.unixSeconds = unixSeconds
        self.monotonicNanoseconds = monotonicNanoseconds
        self.random = random
        self.clockFault = clockFault
        self.pause = pause
    }

    /// The real clocks and the system's randomness.
    package static let system = Surroundings(
        unixSeconds: { unixMilliseconds() / 1_000 }, monotonicNanoseconds: ByteCoding.monotonicNanoseconds,
        random: ApprovalNumbers().next)
}
