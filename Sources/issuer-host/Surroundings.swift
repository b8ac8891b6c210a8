internal import Authorisation
internal import Glibc
internal import HSM
internal import Synchronization

@Sendable private func monotonicClock() -> UInt64 { monotonicNanoseconds() }

extension Surroundings {
    /// The real clocks and the system's randomness.
    static let system: Surroundings = {
        let numbers = ApprovalNumbers()
        return Surroundings(
            unixSeconds: { Int64(time(nil)) }, monotonicNanoseconds: monotonicClock,
            random: { numbers.next() })
    }()
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
