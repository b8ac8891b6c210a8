internal import Foundation
internal import HSM
internal import PKCS11
internal import Synchronization

/// The keys of an audit on several threads, each with a session of its own: what takes the time is that a software token
/// deciphers each key of its store once, some milliseconds of computing that it lets sessions do side by side.
struct AuditLanes: Sendable {
    /// Threads at the most: a token has room for few sessions.
    private static let lanesMax = 8

    private let first: AuditWalk
    private let keys: [AuditedObject]
    private let counts: [KeyLedger.Name: Int]
    private let progress: @Sendable (Int, Int) -> Void

    init(_ first: AuditWalk, _ keys: [AuditedObject], progress: @escaping @Sendable (Int, Int) -> Void) {
        self.first = first
        self.keys = keys
        self.progress = progress
        counts = Dictionary(grouping: keys, by: \.name).mapValues(\.count)
    }

    /// - Parameter session: the audit's own; one lane is run in it.
    func run(_ session: inout Session, at location: TokenLocation) throws -> AuditWalk {
        let lanes = max(1, min(ProcessInfo.processInfo.activeProcessorCount, keys.count / 8, Self.lanesMax))
        let work = AuditWork()
        let others = DispatchGroup()
        for _ in 1..<max(lanes, 1) {
            others.enter()
            Thread {
                defer { others.leave() }
                // A token that gives no further session is audited in those that it gives.
                guard var own = try? location.openSession(readWrite: true) else { return }
                work.keep(Result { try walk(work, &own) })
            }.start()
        }
        work.keep(Result { try walk(work, &session) })
        others.wait()
        var whole = first
        for outcome in work.outcomes { whole.merge(try outcome.get()) }
        whole.sort()
        return whole
    }

    /// Takes key after key until none is left.
    private func walk(_ work: AuditWork, _ session: inout Session) throws -> AuditWalk {
        var walk = first
        while let number = work.next(below: keys.count) {
            let key = keys[number]
            do {
                // One that was retired meanwhile is no part of the report.
                if try AuditedObject.label(of: key.handle, &session) != nil {
                    try walk.add(key, isAmbiguous: counts[key.name] ?? 1 > 1, session: &session)
                }
            } catch let error as PKCS11Error where error.leavesSessionIntact {
                walk.addUnreadable(key.name, error)
            }
            progress(work.done(), keys.count)
        }
        return walk
    }
}

/// What lanes share.
private final class AuditWork: Sendable {
    private let taken = Atomic<Int>(0)
    private let finished = Atomic<Int>(0)
    private let kept: Mutex<[Result<AuditWalk, any Error>]> = Mutex([])

    func next(below count: Int) -> Int? {
        let number = taken.wrappingAdd(1, ordering: .relaxed).oldValue
        return number < count ? number : nil
    }

    func done() -> Int { finished.wrappingAdd(1, ordering: .relaxed).newValue }

    func keep(_ outcome: Result<AuditWalk, any Error>) { kept.withLock { $0.append(outcome) } }

    var outcomes: [Result<AuditWalk, any Error>] { kept.withLock { $0 } }
}
