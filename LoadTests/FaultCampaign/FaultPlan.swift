internal import LoadGenerator

/// What can go wrong, one at a time.
package enum FaultKind: String, CaseIterable, Codable, CodingKeyRepresentable, Sendable {
    /// `kill -9` of the host, begun again at once.
    case hostKilled = "host killed"
    /// `kill -9` of the Redis primary, begun again at once.
    case storeKilled = "Redis killed"
    /// SIGSTOP of the Redis primary, shorter or longer than the sentinel's patience.
    case storeStopped = "Redis stopped"
    /// `kill -9` of the Redis primary, which comes back only when the sentinel has promoted the replica.
    case storeFailedOver = "Redis primary killed"
    /// All connections of terminals are reset.
    case terminalLinkCut = "terminal link cut"
    /// Everything between terminals and host takes longer, and some reads end their connection half-way.
    case terminalLinkBad = "terminal link slow and lossy"
    /// All connections to the Redis primary are reset: the host's, the replica's and the sentinel's.
    case storeLinkCut = "Redis link cut"
    /// The same connections take longer, and some are cut half-way.
    case storeLinkBad = "Redis link slow and lossy"
    /// Nothing passes to or from the Redis primary for a while.
    case storeLinkHeld = "Redis link held"
    /// The token returns `CKR_DEVICE_REMOVED`.
    case tokenRemoved = "token removed"
    /// The token returns `CKR_FUNCTION_FAILED`.
    case tokenFails = "token fails"
    /// The token's calls do not return.
    case tokenStalled = "token stalled"
    /// SIGSTOP of a replica: no approval is told until it goes on.
    case replicaStopped = "replica stopped"
    /// A bucket's slot goes to another master of the cluster, key by key.
    case slotMoved = "slot moved"
    /// One packet in twenty is dropped, of every connection.
    case packetsLost = "packets lost"
    /// The clock of one host is set a day or thirty ahead or back.
    case clockSet = "one host's clock set"
    /// The primary cut off from replica and sentinels, not from the hosts.
    case partitioned = "partition"
    /// Sixty-four requests of one card at once, half of them to each host.
    case flood = "64 at once on one card"
}

/// One fault at one moment.
package struct PlannedFault: Sendable, Equatable {
    /// What goes wrong.
    package let kind: FaultKind
    /// Load before it, milliseconds.
    package let afterMilliseconds: Int
    /// How long its cause stays, milliseconds; 0 for a kill or a cut, which are over at once.
    package let lastingMilliseconds: Int
}

/// The faults of one campaign: the same for the same seed.
package struct FaultPlan: Sendable, Equatable {
    /// Where they come from.
    package let seed: UInt64
    /// One after the other.
    package let faults: [PlannedFault]

    /// - Parameters:
    ///   - count: every kind comes as often as every other, give or take one, in random order.
    ///   - all: the kinds, at least one.
    package init(seed: UInt64, count: Int, kinds all: [FaultKind] = FaultKind.allCases) {
        self.seed = seed
        var chance = Chance(seed: seed)
        var kinds: [FaultKind] = []
        while kinds.count < count { kinds += all.shuffled(using: &chance) }
        faults = kinds.prefix(count).map { kind in
            PlannedFault(
                kind: kind, afterMilliseconds: 100 + chance.below(700),
                lastingMilliseconds: kind.lasting.map { $0.lowerBound + chance.below($0.count) } ?? 0)
        }
    }
}

extension FaultKind {
    /// Milliseconds; nil for what is over at once.
    fileprivate var lasting: Range<Int>? {
        switch self {
        case .hostKilled, .storeKilled, .storeFailedOver, .terminalLinkCut, .storeLinkCut, .slotMoved, .flood:
            nil
        case .replicaStopped: 100..<2_500
        case .packetsLost: 1_000..<5_000
        case .clockSet: 4_000..<9_000
        case .partitioned: 10_000..<17_000
        case .storeStopped: 100..<3_500
        case .storeLinkHeld: 100..<3_000
        case .terminalLinkBad, .storeLinkBad: 300..<2_000
        case .tokenRemoved, .tokenFails: 100..<1_500
        case .tokenStalled: 100..<3_000
        }
    }
}
