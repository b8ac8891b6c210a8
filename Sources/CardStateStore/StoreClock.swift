package import Authorisation
internal import ByteCoding
internal import Redis
internal import Synchronization

/// Holds this host's clock against the store's, and against those of the other hosts by what they left there.
///
/// Each host writes how far it is from the store's clock into one hash, so that it can be said which clock is
/// wrong.
package final class StoreClock: Sendable {
    /// From here on it is said, in milliseconds.
    static let warnedFrom: Int64 = 5_000
    /// From here on nothing is decided that counts days or judges an expiry date, in milliseconds.
    static let refusedFrom = HeldClock.faultFrom
    /// What a host left longer ago says nothing of its clock, in milliseconds.
    private static let othersKept: Int64 = 30_000
    private static let key = StoreNames.bucketTag(0) + ":clocks"

    /// What one look came to.
    package enum Verdict: Sendable, Hashable {
        case inTime
        case warned(String)
        case refused(String)

        /// For people.
        package var words: String {
            switch self {
            case .inTime: "in time with the state store"
            case .warned(let words), .refused(let words): words
            }
        }
    }

    private struct State {
        var verdict = Verdict.inTime
        var offset: Int64 = 0
    }

    private let name: String
    private let unixMilliseconds: @Sendable () -> Int64
    private let report: @Sendable (StoreEvent) -> Void
    private let state = Mutex(State())
    private let monotonicMilliseconds: @Sendable () -> Int64
    /// What decisions go by.
    package let held: HeldClock

    /// - Parameters:
    ///   - name: of this host among the others.
    ///   - unixMilliseconds: its clock.
    ///   - monotonicMilliseconds: a clock that nobody sets: what it says tells between two looks that the other one was set.
    package init(
        name: String, unixMilliseconds: @escaping @Sendable () -> Int64 = ByteCoding.unixMilliseconds,
        monotonicMilliseconds: @escaping @Sendable () -> Int64 = HeldClock.monotonicMilliseconds,
        report: @escaping @Sendable (StoreEvent) -> Void
    ) {
        self.monotonicMilliseconds = monotonicMilliseconds
        (self.name, self.unixMilliseconds, self.report) = (name, unixMilliseconds, report)
        held = HeldClock(unixMilliseconds: unixMilliseconds, monotonicMilliseconds: monotonicMilliseconds)
    }

    /// As of the last look.
    package var verdict: Verdict { state.withLock { $0.verdict } }

    /// This host's clock less the store's, in milliseconds.
    package var offsetMilliseconds: Int64 { state.withLock { $0.offset } }

    /// Looks. A store that does not answer changes nothing.
    package func round(_ store: StateStore) async {
        let before = unixMilliseconds()
        guard let parts = try? await store.sendFromAnywhere(RedisCommand("TIME"), bucket: 0).elements,
            parts.count == 2, let seconds = parts[0].text.flatMap({ Int64($0) }),
            let micros = parts[1].text.flatMap({ Int64($0) })
        else { return }
        let after = unixMilliseconds()
        // A slow answer says nothing to the second.
        guard after - before < 2_000 else { return }
        let monotonic = monotonicMilliseconds()
        held.looked(own: after, monotonic: monotonic)
        let storeTime = seconds * 1_000 + micros / 1_000
        let offset = (before + after) / 2 - storeTime
        let others = await others(store, now: storeTime)
        // A full store does not take it; then the others say nothing of this one.
        _ = try? await store.sendFromAnywhere(
            RedisCommand("HSET", Self.key, name, "\(offset);\(storeTime)"), bucket: 0)
        let verdict = StoreClock.judge(offset, others: others)
        // Of two clocks that do not agree nobody knows here which was set.
        if verdict.step < 2 || !held.hasAdopted {
            held.adopt(shared: storeTime + (after - before) / 2, monotonic: monotonic)
        }
        conclude(verdict, offset)
    }

    private func others(_ store: StateStore, now: Int64) async -> [Int64] {
        let fields = try? await store.sendFromAnywhere(RedisCommand("HGETALL", Self.key), bucket: 0).elements
        var offsets: [Int64] = []
        for index in stride(from: 0, to: (fields?.count ?? 0) - 1, by: 2) {
            guard let fields, let host = fields[index].text, host != name,
                let parts = fields[index + 1].text?.split(separator: ";"), parts.count == 2,
                let offset = Int64(parts[0]), let at = Int64(parts[1]), abs(now - at) <= Self.othersKept
            else { continue }
            offsets.append(offset)
        }
        return offsets
    }

    /// - Parameters:
    ///   - offset: this host's clock less the store's, in milliseconds.
    ///   - others: the same of the other hosts.
    static func judge(_ offset: Int64, others: [Int64]) -> Verdict {
        guard offset.magnitude > UInt64(warnedFrom) else { return .inTime }
        let withThis = others.filter { abs($0 - offset) <= warnedFrom }.count
        let withStore = others.filter { abs($0) <= warnedFrom }.count
        let seconds = offset.magnitude / 1_000
        let side = offset > 0 ? "ahead of" : "behind"
        let words: String
        if withThis > withStore {
            words =
                "the state store's clock is \(seconds) s \(offset > 0 ? "behind" : "ahead of") this host's, with which "
                + "\(withThis) of \(others.count) other hosts agree"
        } else {
            words =
                "this host's clock is \(seconds) s \(side) the state store's, with which \(withStore) of "
                + "\(others.count) other hosts agree"
        }
        return offset.magnitude > UInt64(refusedFrom) ? .refused(words) : .warned(words)
    }

    private func conclude(_ verdict: Verdict, _ offset: Int64) {
        let before = state.withLock { state in
            defer { (state.verdict, state.offset) = (verdict, offset) }
            return state.verdict
        }
        switch verdict {
        case .refused(let words): held.setFault(words)
        case .inTime, .warned: held.setFault(nil)
        }
        // The seconds change all the time: said once when it goes off, and once when it comes back.
        guard before.step != verdict.step else { return }
        report(
            .clock(
                verdict.words + (verdict.step == 2 ? "; what counts days or judges expiry is refused" : "")))
    }
}

extension StoreClock.Verdict {
    fileprivate var step: Int {
        switch self {
        case .inTime: 0
        case .warned: 1
        case .refused: 2
        }
    }
}
