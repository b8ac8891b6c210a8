internal import AuditTrail
internal import Foundation
internal import HSM
internal import PKCS11
internal import Synchronization

/// The keys of an audit in several processes: what takes the time is that a software token deciphers each key of its store
/// once, some milliseconds of computing, and NSS does that for one key after the other, however many sessions ask.
///
/// Every process takes the next few keys that nobody has, so that all end together, whenever each began.
final class AuditLanes: Sendable {
    /// Processes at the most: a token has room for few sessions.
    private static let lanesMax = 8
    /// Fewer are looked at sooner than another process has started.
    private static let keysOfLaneMin = 32
    private static let namesAtOnce = 8

    private struct State {
        /// Keys of one name go together.
        var left: [[AuditedObject]] = []
        /// Taken by a helper that could not.
        var returned: [[[AuditedObject]]] = []
        var found: [KeyFacts] = []
        var count = 0
        var done = 0
    }

    private let counterLabel: String?
    private let tell: @Sendable (Int, Int) -> Void
    private let state = Mutex(State())
    private let ready = DispatchSemaphore(value: 0)
    private let isOver = Atomic<Bool>(false)
    private let helping = DispatchGroup()
    private let helperCount: Int

    /// Starts helpers at once: they open the token while this process has other things to do.
    /// - Parameter count: of keys, more or less.
    init(_ configuration: KeyAuditConfiguration, keys count: Int) {
        counterLabel = configuration.trail.map { AuditTrail.counterLabel(of: $0.keyLabel) }
        tell = configuration.progress
        helperCount = max(
            0, min(configuration.helpers, count / Self.keysOfLaneMin - 1, Self.lanesMax - 1))
        guard let start = configuration.helper else { return }
        for _ in 0..<helperCount {
            helping.enter()
            Thread { [self] in
                defer { helping.leave() }
                guard let helper = try? start() else { return }
                defer { helper.end() }
                ready.wait()
                help(helper)
            }.start()
        }
    }

    /// Helpers begin with these.
    func begin(_ keys: [AuditedObject]) {
        let names = Dictionary(grouping: keys, by: \.name).values.sorted {
            ($0[0].name.label, $0[0].name.keyClass.rawValue) > (
                $1[0].name.label, $1[0].name.keyClass.rawValue
            )
        }
        state.withLock {
            $0.left = names
            $0.count = keys.count
        }
        for _ in 0..<helperCount { ready.signal() }
    }

    /// This process takes its part, until nothing is left.
    /// - Returns: of every key that is still there, in no order.
    func run(_ session: inout Session) throws -> [KeyFacts] {
        var look = KeyLook(counterLabel: counterLabel)
        while let names = take() { try work(names, &look, session: &session) }
        helping.wait()
        for names in state.withLock({ $0.returned }) { try work(names, &look, session: &session) }
        return state.withLock { $0.found }
    }

    /// No helper waits for anything, or takes anything more, after it.
    func end() {
        isOver.store(true, ordering: .relaxed)
        for _ in 0..<helperCount { ready.signal() }
        helping.wait()
    }

    private func take() -> [[AuditedObject]]? {
        state.withLock { state in
            guard !state.left.isEmpty, !isOver.load(ordering: .relaxed) else { return nil }
            // Fewer towards the end, so that nobody waits for the last ones of somebody else.
            let count = min(Self.namesAtOnce, max(1, state.left.count / Self.keysOfLaneMin))
            let names = Array(state.left.suffix(count).reversed())
            state.left.removeLast(names.count)
            return names
        }
    }

    private func work(
        _ names: [[AuditedObject]], _ look: inout KeyLook, session: inout Session
    ) throws {
        for key in names.joined() {
            let facts = try look.facts(of: key, session: &session)
            put(facts.map { [$0] } ?? [], done: 1)
        }
    }

    private func help(_ helper: any AuditHelper) {
        while let names = take() {
            let share = AuditShare(
                counterLabel: counterLabel, parts: names.map { .init(name: $0[0].name, count: $0.count) })
            guard let answer = try? helper.answer(JSONEncoder().encode(share)),
                let found = try? JSONDecoder().decode([KeyFacts].self, from: answer)
            else { return state.withLock { $0.returned.append(names) } }
            put(found, done: names.joined().count)
        }
    }

    private func put(_ found: [KeyFacts], done count: Int) {
        let (done, all) = state.withLock { state in
            state.found += found
            state.done += count
            return (state.done, state.count)
        }
        tell(min(done, all), all)
    }
}
