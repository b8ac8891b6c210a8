internal import Glibc
internal import NIOCore
internal import Synchronization

/// The loops of a host, each of which says how busy it is; the first one says who gives connections to whom.
final class LoopBalancing: Sendable {
    /// Nanoseconds. A loop whose report is older says nothing.
    private static let reportTime: UInt64 = 500_000_000

    private struct State {
        var reports: [(report: LoopBalance.Report, at: UInt64)?]
        var balance = LoopBalance()
    }

    private let state: Mutex<State>
    private let loops: [LoopContext]

    init(_ loops: [LoopContext]) {
        self.loops = loops
        state = Mutex(State(reports: loops.map { _ in nil }))
    }

    /// Called on each loop some times a second.
    func report(_ report: LoopBalance.Report, by loop: LoopContext, now: UInt64) {
        let order = state.withLock { state -> LoopBalance.Order? in
            state.reports[loop.number] = (report, now)
            guard loop.number == 0 else { return nil }
            return state.balance.next(
                state.reports.map { $0.flatMap { now < $0.at &+ Self.reportTime ? $0.report : nil } })
        }
        if let order { carryOut(order) }
    }

    /// Returns before the connections have gone.
    func carryOut(_ order: LoopBalance.Order) {
        let (from, to) = (loops[order.from], loops[order.to])
        from.eventLoop.execute { from.give(order.share, to: to) }
    }

    /// Where a new connection of a loop goes that has no time; nil: it stays.
    func placeOfNew(on loop: Int) -> LoopContext? {
        let reports = state.withLock { $0.reports.map { $0?.report } }
        return LoopBalance.placeOfNew(on: loop, reports).map { loops[$0] }
    }
}

extension LoopContext {
    /// So many connections come together at one order.
    private static let gatheredMost = 128
    /// So many move in one turn, of hundreds a part that is all gone before the next order: each is some system calls on either loop,
    /// and requests of the others wait behind them.
    private static let movedAtOnce = 8
    private static let movedInTurns = 32
    private static let betweenMoves = TimeAmount.milliseconds(4)
    /// Nanoseconds. With little to do a connection is idle soon, or its requests take long and it had better stay.
    private static let gatheringTime: UInt64 = 50_000_000

    /// The busiest connections first, as long as they have no more than the share of the traffic; or all, some at a time.
    func give(_ share: Double, to other: LoopContext) {
        if share == 1 {
            let some = connections().filter(\.mayMove).prefix(Self.gatheredMost)
            return move(some, to: other, within: Self.gatheringTime)
        }
        let before = connections().map { ($0, $0.underWay.passed) }
        services.eventLoop.scheduleTask(in: .milliseconds(100)) { [self] in
            let here = before.filter { isHere($0.0) }
            spread(here.map { ($0.0, $0.0.underWay.passed &- $0.1) }, share, to: other)
        }
    }

    /// - Parameter traffic: bytes sent on each connection within the same time.
    private func spread(_ traffic: [(AcquirerConnection, UInt64)], _ share: Double, to other: LoopContext) {
        var left = share * traffic.reduce(0) { $0 + Double($1.1) }
        var leaving: [AcquirerConnection] = []
        for (connection, bytes) in traffic.sorted(by: { $0.1 > $1.1 }) {
            // Those that are equal but for chance are halved as well.
            guard bytes > 0, Double(bytes) <= left * 1.1, connection.mayMove else { continue }
            left -= Double(bytes)
            leaving.append(connection)
        }
        move(leaving[...], to: other, within: nil)
    }

    /// - Parameter nanoseconds: see `AcquirerConnection.move`; nil: as long as a line may be that is long by then, of which what
    ///   the connection has under way must be done first. A flood's is a tenth of the answer time.
    private func move(
        _ leaving: ArraySlice<AcquirerConnection>, to other: LoopContext, within nanoseconds: UInt64?
    ) {
        let part = leaving.prefix(max(Self.movedAtOnce, leaving.endIndex / Self.movedInTurns))
        for connection in part where isHere(connection) {
            connection.move(to: other, within: nanoseconds ?? connection.link.answerTimeoutNanoseconds / 5)
        }
        guard part.endIndex < leaving.endIndex else { return }
        services.eventLoop.scheduleTask(in: Self.betweenMoves) { [self] in
            move(leaving[part.endIndex...], to: other, within: nanoseconds)
        }
    }

    /// A new connection of a loop that has no time goes at once.
    func placeNew(_ connection: AcquirerConnection) {
        guard let other = balancing?.placeOfNew(on: number) else { return }
        services.eventLoop.execute { connection.move(to: other, within: Self.gatheringTime) }
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
        return numbers.count == 2 ? numbers[0] &+ numbers[1] : Self.ran()
    }

    /// Nanoseconds that the calling thread has run.
    private static func ran() -> UInt64 {
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
