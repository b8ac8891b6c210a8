package import Authorisation
internal import Foundation
internal import Redis
internal import Synchronization

/// What a host has to say about its store, once each.
package enum StoreEvent: Sendable, Hashable, CustomStringConvertible {
    /// It is not the store that this host knows, or not all of it: nothing is decided on it.
    case refused(String)
    /// It is again what it has to be.
    case taken
    /// Another server took over and lacks entries that were acknowledged, with no replica asked for.
    case lostInFailover(String)
    /// The file cannot be written.
    case placeNotKept(String)
    /// A clock is off, or in time again.
    case clock(String)
    /// A primary has no replicas any more.
    case replicasLost(String)
    /// It has some again.
    case replicasBack(String)

    /// One line.
    package var description: String {
        switch self {
        case .refused(let why): "state store refused: \(why)"
        case .taken: "state store accepted"
        case .lostInFailover(let what): "entries lost in a failover: \(what)"
        case .placeNotKept(let why): "place in the store not kept: \(why)"
        case .clock(let words), .replicasLost(let words), .replicasBack(let words): words
        }
    }
}

/// Watches that the store does not go backwards: before every new connection is used, and once a second.
///
/// A store that is empty, that is another one, or that lacks an entry which was acknowledged to this host is refused
/// until an operator has accepted it as it is.
package final class StoreWatch: Sendable {
    private struct State {
        var place: StorePlace
        var isChanged = false
        /// By bucket: of a cluster, the nodes that are as they were left serve on.
        var refusals: [Int: String] = [:]
        var lossesInFailovers: UInt64 = 0
        var memory: [StoreMemory] = []
        var nextBucket = 0
        var lost: [LostTime] = []
        /// Of every loop.
        var acknowledged: [AcknowledgedPlaces] = []
    }

    /// Buckets that one round looks at. A store that is emptied or replaced shows in any of them; whatever else takes
    /// entries away breaks the connection, and then all are looked at.
    private static let bucketsOfARound = 64

    private let path: String
    let settings: CardStateSettings
    private let report: @Sendable (StoreEvent) -> Void
    private let mayLose: Bool
    private let state: Mutex<State>

    /// - Parameters:
    ///   - path: of the file in which the host's place is kept.
    ///   - location: of the store; where it fails over and no replica is asked for, a loss is told instead of
    ///   refused.
    ///   - report: gets each event once.
    /// - Throws: `StorePlaceError`.
    package init(
        path: String, location: StoreLocation, settings: CardStateSettings,
        report: @escaping @Sendable (StoreEvent) -> Void
    ) throws(StorePlaceError) {
        (self.path, self.settings, self.report) = (path, settings, report)
        mayLose = location.failsOver && settings.replicasMin == 0
        state = Mutex(State(place: try StorePlace(path: path)))
        // Better now than when the first entry is to be kept.
        try state.withLock { $0.place }.write(to: path)
    }

    /// Why nothing is decided on the store; nil: it is as it was left.
    package var refusal: String? {
        state.withLock { $0.refusals.min { $0.key < $1.key }?.value }
    }

    /// Buckets that lacked their last entry after another server had taken over.
    package var lossesInFailovers: UInt64 { state.withLock { $0.lossesInFailovers } }

    /// How full each server is, as of the last look.
    package var memory: [StoreMemory] { state.withLock { $0.memory } }

    /// Times of which the store lacks decisions, since it was accepted as it was.
    package var lost: [LostTime] { state.withLock { $0.lost } }

    /// What a loop's writes are acknowledged with counts from that moment on.
    func listen(to places: AcknowledgedPlaces) { state.withLock { $0.acknowledged.append(places) } }

    // MARK: - Looking

    /// Looks at every bucket that this server has.
    /// - Throws: `StateUnavailable` where the store is refused.
    func check(_ connection: RedisConnection) async throws {
        let place = current()
        let buckets = Array(0..<settings.bucketCount)
        let (replies, session) = await connection.sendTogether(
            buckets.map { StoreWatch.question($0, place.entries[$0]?.position) } + [LostTimes.question])
        // Another node of a cluster has it.
        if let lost = try? LostTimes.read(replies[buckets.count].get()) { state.withLock { $0.lost = lost } }
        guard let session else { throw StateUnavailable("place: no connection") }
        var findings: [Finding] = []
        for (bucket, reply) in zip(buckets, replies) {
            if let finding = try Finding(bucket, try reply.get(), server: session.address) {
                findings.append(finding)
            }
        }
        try judge(findings, against: place)
    }

    /// Looks once more, and keeps what was acknowledged since the last time.
    /// - Parameter stores: all of this host; the first is asked.
    package func round(_ stores: [StateStore]) async {
        keep(stores)
        guard let store = stores.first, await store.unavailability() == nil else { return }
        let place = current()
        var findings: [Finding] = []
        var sessions: [RedisAddress: RedisSession] = [:]
        for bucket in nextBuckets() {
            let question = StoreWatch.question(bucket, place.entries[bucket]?.position)
            guard let answer = try? await store.replyFromAnywhere(to: question, bucket: bucket),
                let finding = try? Finding(bucket, answer.reply, server: answer.session.address)
            else { continue }
            findings.append(finding)
            sessions[finding.server] = answer.session
        }
        do {
            for ofOne in Dictionary(grouping: findings, by: \.server).values {
                try judge(ofOne, against: place)
            }
        } catch {
            for store in stores { store.leave(because: "\(error)") }
            return
        }
        await learn(findings, sessions, from: store)
        if let memory = try? await store.memory() { state.withLock { $0.memory = memory } }
    }

    /// What other hosts and operators have written is missed from now on too, if it is as safe as what this host is told.
    private func learn(
        _ findings: [Finding], _ sessions: [RedisAddress: RedisSession], from store: StateStore
    ) async {
        var safe: Set<RedisAddress> = []
        for (server, session) in sessions where await store.isSafe(session, settings) { safe.insert(server) }
        state.withLock { [safe] state in
            for finding in findings where safe.contains(finding.server) && finding.last.milliseconds > 0 {
                if let known = state.place.entries[finding.bucket], known.position >= finding.last {
                    continue
                }
                state.place.entries[finding.bucket] = AcknowledgedPlaces.Place(
                    position: finding.last, server: finding.server)
                state.isChanged = true
            }
        }
    }

    private func nextBuckets() -> [Int] {
        let count = min(Self.bucketsOfARound, settings.bucketCount)
        return state.withLock { state in
            defer { state.nextBucket = (state.nextBucket + count) % settings.bucketCount }
            return (0..<count).map { (state.nextBucket + $0) % settings.bucketCount }
        }
    }

    /// Takes over what the loops' writes were acknowledged with, and brings the file up to date.
    package func keep(_ stores: [StateStore]) {
        let taken = stores.map { $0.acknowledged.take() }
        let place = state.withLock { state -> StorePlace? in
            for (bucket, place) in taken.joined() {
                if let known = state.place.entries[bucket], known.position >= place.position { continue }
                state.place.entries[bucket] = place
                state.isChanged = true
            }
            // A store that was accepted meanwhile has another file: this one must not replace it.
            guard state.isChanged, state.refusals.isEmpty else { return nil }
            state.isChanged = false
            return state.place
        }
        guard let place else { return }
        do throws(StorePlaceError) { try place.write(to: path) } catch {
            state.withLock { $0.isChanged = true }
            report(.placeNotKept("\(error)"))
        }
    }

    /// The place as it is known now; while the store is refused, an operator may have accepted it.
    private func current() -> StorePlace {
        state.withLock { state in
            if !state.refusals.isEmpty, let file = try? StorePlace(path: path),
                file.accepted > state.place.accepted
            {
                state.place = file
                for places in state.acknowledged { _ = places.take() }
            }
            var place = state.place
            for (bucket, latest) in state.acknowledged.flatMap(\.all)
            where place.entries[bucket].map({ $0.position < latest.position }) ?? true {
                place.entries[bucket] = latest
            }
            return place
        }
    }

    // MARK: - Judging

    /// What a bucket says of itself.
    struct Finding: Sendable {
        let bucket: Int
        let generation: String?
        let last: JournalPosition
        /// False: the journal has never had the entry asked for.
        let hasEntry: Bool
        let server: RedisAddress

        /// Nil for a bucket that another node has.
        init?(_ bucket: Int, _ reply: RedisReply, server: RedisAddress) throws {
            if case .error(let error) = reply {
                // A node that will serve later, as after a restart, is looked at then: not one command goes to it before.
                guard Redirection.isOne(error) || RedisError.refused(error).isMoving else {
                    throw StateUnavailable("place: \(RedisError.refused(error).inWords)")
                }
                return nil
            }
            guard let parts = reply.elements, parts.count == 3,
                let last = parts[1].text.flatMap({ JournalPosition($0) }),
                case .integer(let found) = parts[2]
            else { throw StateUnavailable("place: unexpected reply") }
            (self.bucket, generation, self.last, hasEntry, self.server) =
                (bucket, parts[0].text, last, found != 0, server)
        }
    }

    static func question(_ bucket: Int, _ position: JournalPosition?) -> RedisCommand {
        let tag = StoreNames.bucketTag(bucket)
        return RedisCommand(
            "FCALL_RO", "cardrecords_place", "2", "\(tag):journal", "\(tag):generation",
            position.map { "\($0)" } ?? "")
    }

    private func judge(_ findings: [Finding], against place: StorePlace) throws {
        guard !findings.isEmpty else { return }
        if let why = StoreWatch.fault(findings, place) { throw refuse(findings, why) }
        let lacking = findings.filter { !$0.hasEntry }
        // A failover is recognised by another server than the one that acknowledged the entry.
        let explained = mayLose && lacking.allSatisfy { $0.server != place.entries[$0.bucket]?.server }
        if let first = lacking.first, !explained {
            let entry = place.entries[first.bucket].map { "\($0.position)" } ?? ""
            throw refuse(
                findings,
                "\(lacking.count) of \(findings.count) buckets lack the last entry that this host saw, such as bucket "
                    + "\(first.bucket) entry \(entry), which ends with \(first.last): restored, cut short or replaced; "
                    + "see `issuer-host store status`, then `issuer-host store accept`")
        }
        take(findings, lacking)
    }

    /// What is wrong with the store as a whole.
    static func fault(_ findings: [Finding], _ place: StorePlace) -> String? {
        let found = Set(findings.map(\.generation))
        if found == [nil] {
            return place.generation.map {
                "it has no generation, and this host knows \($0): emptied or replaced; see `issuer-host store status`, "
                    + "then `issuer-host store accept`"
            }
                ?? "it was never initialised: `issuer-host cards import` or `issuer-host store initialise` does that"
        }
        guard found.count == 1, let generation = found.first ?? nil else {
            let without = findings.first { $0.generation != place.generation }
            return
                "bucket \(without?.bucket ?? 0) is of another generation than the others: part of it was replaced; "
                + "see `issuer-host store status`, then `issuer-host store accept`"
        }
        guard let known = place.generation, known != generation else { return nil }
        return
            "it is of generation \(generation), and this host knows \(known): another store; see `issuer-host store "
            + "status`, then `issuer-host store accept`"
    }

    private func refuse(_ findings: [Finding], _ why: String) -> StateUnavailable {
        let isNew = state.withLock { state in
            let isNew = findings.allSatisfy { state.refusals[$0.bucket] == nil }
            for finding in findings { state.refusals[finding.bucket] = why }
            return isNew
        }
        if isNew { report(.refused(why)) }
        return StateUnavailable("store refused: \(why)")
    }

    private func take(_ findings: [Finding], _ lacking: [Finding]) {
        let wasRefused = state.withLock { state in
            let wasRefused = !state.refusals.isEmpty
            for finding in findings { state.refusals[finding.bucket] = nil }
            if state.place.generation == nil {
                state.place.generation = findings[0].generation
                state.isChanged = true
            }
            for finding in lacking {
                state.place.entries[finding.bucket] = AcknowledgedPlaces.Place(
                    position: finding.last, server: finding.server)
                state.isChanged = true
                for places in state.acknowledged { places.forget(finding.bucket, butOf: finding.server) }
            }
            state.lossesInFailovers += UInt64(lacking.count)
            return wasRefused && state.refusals.isEmpty
        }
        if wasRefused { report(.taken) }
        if !lacking.isEmpty {
            report(.lostInFailover("\(lacking.count) of \(findings.count) buckets lack their last entry"))
        }
        keep([])
    }
}
