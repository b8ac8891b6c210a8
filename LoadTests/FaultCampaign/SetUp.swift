/// What stands behind the two hosts of a campaign, and what goes wrong there.
package enum SetUp: String, CaseIterable, Codable, Sendable {
    /// One Redis server, whose file is all there is.
    case alone
    /// A primary, a replica and a sentinel.
    case sentinel
    /// Three masters with a replica each.
    case cluster
    /// Sentinels, with packets that are lost on the way.
    case loss
    /// Sentinels, with one host's clock set to another time.
    case clocks
    /// A primary cut off from its replica and its sentinels, but not from the hosts; nobody waits for replicas.
    case partition
    /// The same where an approval waits for a replica.
    case safePartition = "safe-partition"

    /// What goes wrong.
    package var kinds: [FaultKind] {
        switch self {
        case .alone:
            [
                .hostKilled, .storeKilled, .storeStopped, .terminalLinkCut, .terminalLinkBad, .storeLinkCut,
                .storeLinkBad, .storeLinkHeld, .tokenRemoved, .tokenFails, .tokenStalled, .flood,
            ]
        case .sentinel:
            [
                .hostKilled, .storeKilled, .storeStopped, .storeFailedOver, .replicaStopped,
                .terminalLinkCut, .terminalLinkBad, .storeLinkCut, .storeLinkBad, .storeLinkHeld,
                .tokenRemoved, .tokenFails, .tokenStalled, .flood,
            ]
        case .cluster:
            [
                .hostKilled, .storeFailedOver, .slotMoved, .replicaStopped, .terminalLinkCut, .tokenFails,
                .flood,
            ]
        case .loss: [.packetsLost, .hostKilled, .storeKilled, .storeFailedOver, .replicaStopped]
        case .clocks: [.clockSet, .hostKilled, .storeKilled, .storeFailedOver, .flood]
        case .partition, .safePartition: [.partitioned]
        }
    }

    /// Replicas that an approval waits for.
    var replicasMin: Int {
        switch self {
        case .alone, .partition: 0
        default: 1
        }
    }

    /// A partition may lose what was told meanwhile: that is counted, and is no broken promise.
    var mayLose: Bool { self == .partition }

    /// Of each host.
    var eventLoops: Int { self == .partition || self == .safePartition ? 2 : 1 }
}

/// The servers of a set-up.
protocol StoreUnderTest: AnyObject, Sendable {
    /// The lines of the hosts' configuration that say where it is.
    var configuration: String { get }

    /// Does to it what the plan says.
    /// - Returns: when the cause was over, monotonic nanoseconds; for a kill, when it happened.
    func inject(_ fault: PlannedFault) async throws -> UInt64

    /// Whether everything is again as it was before.
    func isSettled() throws -> Bool

    /// What a card's record says.
    func card(_ token: String, bucket: Int) throws -> StoredBalance

    func stop() async
}

/// The time in which requests could be lost, or told and not noted, by what went wrong then.
struct Window: Sendable {
    let kind: FaultKind
    let from: UInt64
    let until: UInt64

    /// An answer may have gone to a proxy or with a killed host, and nobody could note that.
    var hidesAnswers: Bool {
        switch kind {
        case .hostKilled, .terminalLinkCut, .terminalLinkBad, .packetsLost, .tokenStalled: true
        default: false
        }
    }

    /// Whether something sent then may have been under way in it.
    func concerns(_ request: SentRequest) -> Bool {
        let patience: UInt64 = 5_000_000_000
        return request.sentAt.contains { $0 + patience >= from && $0 <= until }
    }
}
