internal import EventLoops
package import Authorisation
internal import Glibc
package import IssuerMessages
internal import Logging
package import NIOCore
internal import NIOPosix
internal import Synchronization

/// Versions of zone keys by the name of the key. A message is answered with the version that it came with, whatever
/// is in force by then.
package struct ZoneKeysInForce: Sendable {
    /// The version in use; a key without an entry is its only version.
    package var current: [KeyName: KeyName] = [:]
    /// The one before while it still passes.
    package var previous: [KeyName: KeyName] = [:]

    /// All keys are their only versions.
    package init() {}
}

/// How one event loop decides requests.
package struct LoopServices: Sendable {
    /// The loop whose connections use it.
    package let eventLoop: any EventLoop
    /// Decides one request; called on the loop.
    package let decide: @Sendable (AuthorisationRequest) async -> Result<Decision, CouldNotDecide>

    /// Computes a MAC over a message; called on the loop.
    package let mac:
        @Sendable (MessageMAC, [UInt8], Deadline) async -> Result<[UInt8], CryptographyUnavailable>

    /// Told of every accepted request that got no decision, or whose sender was not told it; called on the loop.
    package let note: @Sendable (AuthorisationRequest, JournalNote.Event) -> Void

    /// Which versions of those keys are in force that change over the wire.
    package var zoneKeys = ZoneKeysInForce()

    /// Takes a new key of the link of this name; returns when the key is in force, or with why it is not. Called on
    /// the loop.
    package var changeKey: @Sendable (KeyChangeRequest, String) async -> ResponseCode = { _, _ in
        .unsupportedTransaction
    }

    /// Takes the parts. Without `mac` no link may have MACs.
    package init(
        eventLoop: any EventLoop,
        decide: @escaping @Sendable (AuthorisationRequest) async -> Result<Decision, CouldNotDecide>,
        mac:
            @escaping @Sendable (MessageMAC, [UInt8], Deadline) async -> Result<
                [UInt8], CryptographyUnavailable
            > = { _, _, _ in .failure(.tokenFailed("no token for MACs")) },
        note: @escaping @Sendable (AuthorisationRequest, JournalNote.Event) -> Void = { _, _ in }
    ) {
        self.eventLoop = eventLoop
        self.decide = decide
        self.mac = mac
        self.note = note
    }
}

/// Everything that the connections of one event loop share.
final class LoopContext: @unchecked Sendable {
    // Sendable because only its event loop touches the mutable parts.

    /// How often connections are asked what time it is for them.
    private static let tickInterval = TimeAmount.milliseconds(100)
    /// More connections are asked in parts, so that no request waits for all of them.
    private static let tickedAtOnce = 128

    private(set) var services: LoopServices
    let executor: EventLoopExecutor
    let logger: Logger
    let clock: @Sendable () -> UInt64
    var metrics = LoopMetrics()
    var load = LoadShedding()
    var starts = StartQueue()
    var refusals = RefusalLog()
    let number: Int
    let eventLoop: any EventLoop
    /// Nil where there is one loop.
    var balancing: LoopBalancing?
    private var threadTime: ThreadTime?
    private var lastTick: (at: UInt64, wanted: UInt64) = (0, 0)
    /// Connections that may move, whatever happens on them now.
    private(set) var movable = 0
    /// Those that have left another loop for this one and are not here yet.
    let arriving = Atomic<Int>(0)
    private let unixSeconds: @Sendable () -> Int64
    private var connectionsMade = 0
    private var connections: [ObjectIdentifier: AcquirerConnection] = [:]
    private var ticking: RepeatedTask?
    private var turns = ArrivalTurns()
    private var hasGathered = false
    /// So many requests under way take tens of megabytes.
    private static let gatheredMin = 4_096
    /// `malloc_trim`, whose header Swift's Glibc leaves out.
    private static let trim: (@Sendable @convention(c) (Int) -> Int32)? = dlsym(nil, "malloc_trim").map {
        unsafeBitCast($0, to: (@Sendable @convention(c) (Int) -> Int32).self)
    }

    /// - Parameter number: of the loop, for the names of its connections.
    init(
        _ services: LoopServices, number: Int, logger: Logger, clock: @escaping @Sendable () -> UInt64,
        unixSeconds: @escaping @Sendable () -> Int64
    ) {
        self.services = services
        self.number = number
        eventLoop = services.eventLoop
        self.logger = logger
        self.clock = clock
        self.unixSeconds = unixSeconds
        executor = EventLoopExecutor(services.eventLoop)
    }

    // MARK: - On the loop

    func start() {
        threadTime = ThreadTime()
        _ = busy(now: clock())
        ticking = services.eventLoop.scheduleRepeatedTask(
            initialDelay: LoopContext.tickInterval, delay: LoopContext.tickInterval
        ) { [self] _ in tick() }
    }

    func stop() {
        ticking?.cancel()
        balancing = nil
    }

    /// Decisions of a new configuration, from the next request on.
    func replace(_ new: LoopServices) { services = new }

    func nextConnectionName() -> String {
        connectionsMade += 1
        return "\(number)-\(connectionsMade)"
    }

    func opened(_ connection: AcquirerConnection) {
        connections[ObjectIdentifier(connection)] = connection
        metrics.connections += 1
        if connection.isMovable { movable += 1 }
    }

    func closed(_ connection: AcquirerConnection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        metrics.connections -= 1
        if connection.isMovable { movable -= 1 }
    }

    /// Those of one link, or all.
    func connections(of link: ServedLink? = nil) -> [AcquirerConnection] {
        connections.values.filter { link == nil || $0.served === link }
    }

    var connectionCount: Int { connections.count }

    /// DE7, MMDDhhmmss in UTC.
    func localTime() -> String { CalendarTime(unixSeconds: unixSeconds()).localTime }

    func transmissionTime() -> String { CalendarTime(unixSeconds: unixSeconds()).transmissionTime }

    /// What gathered in a pause took memory that nothing needs any more once it is worked off; the allocator would keep it.
    /// Not on this loop: looking for it takes milliseconds.
    private func giveBackMemory() {
        if load.inFlight >= Self.gatheredMin {
            hasGathered = true
        } else if hasGathered, load.inFlight < LoadShedding.alwaysAdmitted {
            hasGathered = false
            MultiThreadedEventLoopGroup.singleton.any().execute { _ = Self.trim?(0) }
        }
    }

    /// The part of the time since the last tick in which this loop had something to do, 0…1.
    private func busy(now: UInt64) -> Double {
        let wanted = threadTime?.wanted() ?? 0
        defer { lastTick = (now, wanted) }
        return min(1, Double(wanted &- lastTick.wanted) / Double(max(1, now &- lastTick.at)))
    }

    private func tick(_ connections: ArraySlice<AcquirerConnection>) {
        let now = clock()
        let part = connections.startIndex / Self.tickedAtOnce
        let asks = turns.asks(part: part, of: (connections.endIndex - 1) / Self.tickedAtOnce + 1)
        // One that has moved is another loop's.
        for connection in connections.prefix(Self.tickedAtOnce) where isHere(connection) {
            connection.tick(now: now, asks: asks)
        }
        let rest = connections.dropFirst(Self.tickedAtOnce)
        guard !rest.isEmpty else { return }
        // Not in the same turn.
        services.eventLoop.scheduleTask(in: .milliseconds(2)) { [self] in tick(rest) }
    }

    func isHere(_ connection: AcquirerConnection) -> Bool {
        connections[ObjectIdentifier(connection)] != nil
    }

    private func tick() {
        let now = clock()
        turns.next()
        load.tick(now: now)
        let busy = busy(now: now)
        starts.tick(busy: busy)
        beginWaiting()
        giveBackMemory()
        refusals.tick(logger)
        balancing?.report(.init(busy: busy, movable: movable), by: self, now: now)
        // A copy: closing a connection takes it out.
        tick(Array(connections.values)[...])
    }
}
