internal import Glibc

/// Numbers that look random and are the same for the same seed (SplitMix64, Steele, Lea and Flood 2014).
package struct Chance: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// - Parameter seed: any number.
    package init(seed: UInt64) { state = seed }

    /// 64 bits.
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Uniform in 0..<bound; the bias of a bound far below 2^64 is nothing that a load would show.
    package mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() >> 1) % bound }

    /// Exponential with mean 1.
    mutating func exponential() -> Double {
        -log(Double(next() >> 11 + 1) * 0x1p-53)
    }
}
