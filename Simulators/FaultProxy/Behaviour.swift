/// What the proxy does to one direction of every connection.
package struct Behaviour: Sendable, Equatable {
    /// Nothing passes until this is false again; nothing is lost either.
    package var isHeld = false
    /// How long everything takes longer.
    package var delay: Duration = .zero
    /// Added to `delay`, evenly between zero and this, anew for every read. Order is kept.
    package var jitter: Duration = .zero
    /// Of a million reads, so many end their connection half-way, with a reset.
    package var cutsPerMillion: UInt32 = 0

    /// Passes everything at once.
    package init() {}
}

/// Which way bytes go.
package enum Direction: Sendable, CaseIterable {
    /// From the side that connected to the target.
    case toTarget
    /// From the target back.
    case toClient
}

/// What the proxy has done.
package struct FaultCounts: Sendable, Equatable {
    /// Connections taken.
    package var connections = 0
    /// Connections that did not reach the target.
    package var unreachable = 0
    /// Connections ended by the proxy.
    package var cuts = 0
    /// Bytes passed to the target.
    package var bytesToTarget = 0
    /// Bytes passed to the client.
    package var bytesToClient = 0
}

/// Where the proxy's connections go.
package enum Target: Sendable {
    /// TCP.
    case tcp(host: String, port: Int)
    /// A Unix socket.
    case unix(path: String)
}

/// SplitMix64: small, and the same numbers for the same seed everywhere.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
