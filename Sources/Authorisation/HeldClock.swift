internal import ByteCoding
internal import Synchronization

/// A host's clock, held now and then against one that several hosts share.
package final class HeldClock: Sendable {
    /// A clock that was set by more than this says nothing of what day it is, in milliseconds.
    package static let faultFrom: Int64 = 60_000

    private let unixMilliseconds: @Sendable () -> Int64
    private let monotonicMilliseconds: @Sendable () -> Int64
    let words = Mutex<String?>(nil)
    let hasFault = Atomic<Bool>(false)
    /// The clock less the monotonic one at the last look, in milliseconds; the least number before the first.
    let atLook = Atomic<Int64>(.min)
    /// The shared clock less the monotonic one, at the last look at which the clocks agreed, in milliseconds.
    let sharedAtLook = Atomic<Int64>(.min)

    /// - Parameters:
    ///   - unixMilliseconds: the clock.
    ///   - monotonicMilliseconds: one that nobody sets: what it says tells between two looks that the other one was set.
    package init(
        unixMilliseconds: @escaping @Sendable () -> Int64,
        monotonicMilliseconds: @escaping @Sendable () -> Int64
    ) {
        (self.unixMilliseconds, self.monotonicMilliseconds) = (unixMilliseconds, monotonicMilliseconds)
    }

    /// A clock that nobody sets.
    @Sendable package static func monotonicMilliseconds() -> Int64 {
        Int64(clamping: monotonicNanoseconds() / 1_000_000)
    }

    /// Why nothing is decided that goes by what day it is; nil: it is.
    package var fault: String? {
        if hasFault.load(ordering: .relaxed), let words = words.withLock({ $0 }) { return words }
        let known = atLook.load(ordering: .relaxed)
        guard known != .min else { return nil }
        let moved = unixMilliseconds() - monotonicMilliseconds() - known
        guard moved.magnitude > UInt64(Self.faultFrom) else { return nil }
        return "this host's clock was set by \(moved / 1_000) s since it was held against the state store's"
    }

    /// What decisions go by, in seconds since 1970: the shared time of the last look at which the clocks agreed, and what the
    /// monotonic clock has counted since. A clock that is set in the middle of a decision changes nothing of it.
    package var unixSeconds: Int64 {
        let known = sharedAtLook.load(ordering: .relaxed)
        return (known == .min ? unixMilliseconds() : monotonicMilliseconds() + known) / 1_000
    }

    /// What decisions go by.
    package var surroundings: Surroundings {
        Surroundings(
            unixSeconds: { [self] in unixSeconds }, monotonicNanoseconds: ByteCoding.monotonicNanoseconds,
            random: ApprovalNumbers().next, clockFault: { [self] in fault })
    }
}

/// Numbers for approval codes: a counter from a random start, mixed (SplitMix64), so that neighbours differ
/// and no system call is made for each.
final class ApprovalNumbers: Sendable {
    private let counter = Atomic<UInt64>(UInt64.random(in: .min ... .max))

    func next() -> UInt64 {
        var value = counter.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
