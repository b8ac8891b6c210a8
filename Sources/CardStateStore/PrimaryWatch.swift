internal import NIOCore
internal import Redis
internal import Synchronization

/// Looks once a second how many replicas follow each primary. One that has lost all of them for longer than a bound may be
/// cut off: it is left, even where it still answers, unless most of the sentinels name it. Where nobody can name another
/// one, it is only told.
package final class PrimaryWatch: Sendable {
    private struct State {
        /// Primaries that had replicas, and since when they have had none.
        var followed: [RedisAddress: ContinuousClock.Instant?] = [:]
        var reported: Set<RedisAddress> = []
        var round = Round()
    }

    /// What one look has found.
    package struct Round: Sendable {
        /// Replicas that follow, of all primaries.
        package fileprivate(set) var replicas = 0
        /// Those of the primary that has the fewest; nil while none answers.
        package fileprivate(set) var fewest: Int?
        /// Of the replica that is furthest behind: seconds since its primary heard of it, and bytes that it lacks.
        package fileprivate(set) var lagSeconds = 0
        /// See `lagSeconds`.
        package fileprivate(set) var lagBytes: Int64 = 0
        /// Servers that this host works with, as they call themselves: `master` or `slave`.
        package fileprivate(set) var roles: [(address: String, role: String)] = []
    }

    /// Seconds since a replica was last heard of by its primary, from which on it counts as lost.
    private static let lagMax = 2

    private let bound: Duration
    private let hasSentinels: Bool
    private let report: @Sendable (StoreEvent) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - bound: how long a primary may be without the replicas that it had.
    ///   - location: whether sentinels can be asked.
    package init(
        bound: Duration, location: StoreLocation, report: @escaping @Sendable (StoreEvent) -> Void
    ) {
        (self.bound, self.report) = (bound, report)
        if case .server(.sentinels) = location { hasSentinels = true } else { hasSentinels = false }
    }

    /// What the last look has found.
    package var last: Round { state.withLock { $0.round } }

    /// Looks at every primary over one event loop's connections.
    package func round(_ stores: [StateStore]) async {
        var round = Round()
        for (index, store) in stores.enumerated() {
            for master in store.masters {
                let (replies, session) = await master.sendTogether([RedisCommand("INFO", "replication")])
                guard let session, let text = try? replies[0].get().text else { continue }
                let role = StoreCheck.value("role", text) ?? ""
                if index == 0 { round.roles.append(("\(session.address)", role)) }
                guard role == "master" else { continue }
                let count = PrimaryWatch.following(text)
                round.fewest = min(round.fewest ?? count, count)
                if index == 0 { round.add(count, text) }
                judge(count, of: session.address, on: master)
            }
        }
        state.withLock { [round] in $0.round = round }
    }

    /// Of the lines `slave0:ip=…,port=…,state=online,offset=…,lag=…`.
    static func following(_ info: String) -> Int {
        info.split(whereSeparator: \.isNewline).count { line in
            guard line.hasPrefix("slave"), line.contains("state=online"),
                let lag = line.split(separator: ",").first(where: { $0.hasPrefix("lag=") })
            else { return false }
            return Int(lag.dropFirst(4)).map { $0 <= lagMax } ?? false
        }
    }

    private func judge(_ count: Int, of address: RedisAddress, on master: RedisConnection) {
        let now = ContinuousClock.now
        let (isLost, isNew, isBack) = state.withLock { state in
            guard count == 0 else {
                state.followed[address] = .some(nil)
                return (false, false, state.reported.remove(address) != nil)
            }
            guard let known = state.followed[address] else { return (false, false, false) }
            guard let since = known else {
                state.followed[address] = now
                return (false, false, false)
            }
            guard now - since >= bound else { return (false, false, false) }
            return (true, state.reported.insert(address).inserted, false)
        }
        if hasSentinels { master.replicasAreLost(isLost, of: address) }
        if isNew { report(.replicasLost("\(address) has lost all its replicas")) }
        if isBack { report(.replicasBack("\(address) has replicas again")) }
    }
}

extension PrimaryWatch.Round {
    /// Of one primary: how many follow it, and what it says of each.
    fileprivate mutating func add(_ count: Int, _ info: String) {
        replicas += count
        let end = StoreCheck.value("master_repl_offset", info).flatMap { Int64($0) } ?? 0
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("slave") {
            func number(_ name: String) -> Int64? {
                line.split(separator: ",").first { $0.hasPrefix(name + "=") }
                    .flatMap { Int64($0.dropFirst(name.count + 1)) }
            }
            lagSeconds = max(lagSeconds, Int(number("lag") ?? 0))
            lagBytes = max(lagBytes, end - (number("offset") ?? end))
        }
    }
}
