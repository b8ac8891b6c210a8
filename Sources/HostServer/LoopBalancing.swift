internal import Glibc
internal import NIOCore
internal import Synchronization

/// The loops of a host, each of which says how busy it is; the first one says who gives connections to whom.
final class LoopBalancing: Sendable {
    private struct State {
        var reports: [LoopBalance.Report?]
        var balance = LoopBalance()
    }

    private let state: Mutex<State>
    private let loops: [LoopContext]

    init(_ loops: [LoopContext]) {
        self.loops = loops
        state = Mutex(State(reports: loops.map { _ in nil }))
    }

    /// Called on each loop some times a second.
    func report(_ report: LoopBalance.Report, by loop: LoopContext) {
        let order = state.withLock { state -> LoopBalance.Order? in
            state.reports[loop.number] = report
            guard loop.number == 0 else { return nil }
            defer { for index in state.reports.indices { state.reports[index] = nil } }
            return state.balance.next(state.reports)
        }
        if let order { carryOut(order) }
    }

    /// Returns before the connections have gone.
    func carryOut(_ order: LoopBalance.Order) {
        let (from, to) = (loops[order.from], loops[order.to])
        from.eventLoop.execute { from.give(order.share, to: to) }
    }
}

extension LoopContext {
    /// What is to be known before somebody decides whether connections move.
    func report(now: UInt64) {
        guard let balancing, let wanted = threadTime?.wanted() else { return }
        defer { reported = (now, wanted) }
        guard let reported, now > reported.at else { return }
        let busy = Double(wanted &- reported.wanted) / Double(now - reported.at)
        let connections = connections()
        countTraffic(of: connections)
        balancing.report(.init(busy: min(1, busy), movable: connections.count(where: \.mayMove)), by: self)
    }

    private func countTraffic(of connections: [AcquirerConnection]) {
        let before = traffic
        traffic.removeAll(keepingCapacity: true)
        for connection in connections {
            let (id, total) = (ObjectIdentifier(connection), connection.underWay.passed)
            traffic[id] = (total, total &- (before[id]?.total ?? total))
        }
    }

    /// The busiest of its connections first, as long as they have no more than the share of its traffic.
    func give(_ share: Double, to other: LoopContext) {
        var left = share * Double(traffic.values.reduce(0) { $0 + $1.recent })
        let movable = connections().filter(\.mayMove).map { ($0, traffic[ObjectIdentifier($0)]?.recent ?? 0) }
        for (connection, recent) in movable.sorted(by: { $0.1 > $1.1 }) {
            let bytes = Double(recent)
            // Those that are equal but for chance are halved as well.
            guard share == 1 || (bytes > 0 && bytes <= left * 1.1) else { continue }
            left -= bytes
            connection.move(to: other)
        }
    }
}

/// How long a thread has run or waited for a processor. That is what it had to do: on a busy machine a thread that
/// never sleeps runs for a part of the time only.
final class ThreadTime {
    /// Below 0 where the kernel does not say how long threads wait.
    private let descriptor: CInt

    /// Of this thread.
    init() { descriptor = Glibc.open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC) }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    /// Nanoseconds since the thread began; on the thread.
    func wanted() -> UInt64 {
        let numbers = read().split(whereSeparator: \.isWhitespace).prefix(2).compactMap { UInt64($0) }
        if numbers.count == 2 { return numbers[0] &+ numbers[1] }
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func read() -> String {
        withUnsafeTemporaryAllocation(byteCount: 96, alignment: 1) { bytes in
            let count = pread(descriptor, bytes.baseAddress, bytes.count, 0)
            return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
        }
    }
}
