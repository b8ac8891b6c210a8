internal import Foundation
internal import HSM
internal import PKCS11
internal import Synchronization

/// The keys of an audit in several processes: what takes the time is that a software token deciphers each key of its store
/// once, some milliseconds of computing, and NSS does that for one key after the other, however many sessions ask.
struct AuditLanes {
    /// Processes at the most: a token has room for few sessions.
    private static let lanesMax = 8
    /// Fewer are looked at sooner than another process has started.
    private static let keysOfLaneMin = 32

    private let first: AuditWalk
    private let shares: [[AuditedObject]]
    private let counts: [KeyLedger.Name: Int]
    private let configuration: KeyAuditConfiguration
    private let progress: AuditProgress

    init(_ first: AuditWalk, _ keys: [AuditedObject], configuration: KeyAuditConfiguration) {
        self.first = first
        self.configuration = configuration
        counts = Dictionary(grouping: keys, by: \.name).mapValues(\.count)
        progress = AuditProgress(keys.count, configuration.progress)
        let lanes = max(1, min(configuration.helpers + 1, keys.count / Self.keysOfLaneMin, Self.lanesMax))
        // Keys of one name are looked at by one process, which tells them apart by nothing else.
        let names = Dictionary(grouping: keys, by: \.name).values.sorted {
            $0[0].name.label < $1[0].name.label
        }
        shares = (0..<lanes).map { lane in
            stride(from: lane, to: names.count, by: lanes).flatMap { names[$0] }
        }
    }

    /// - Parameter session: the audit's own; the first share is looked at in it, and each that no helper could.
    func run(_ session: inout Session) throws -> AuditWalk {
        let helped = Mutex<[Int: AuditShare.Found]>([:])
        let others = DispatchGroup()
        for (number, share) in shares.enumerated().dropFirst() {
            others.enter()
            let (message, helper, progress) = (self.message(share), configuration.helper, progress)
            Thread {
                defer { others.leave() }
                guard let answer = try? helper?(JSONEncoder().encode(message), { progress.add() }),
                    let found = try? JSONDecoder().decode(AuditShare.Found.self, from: answer)
                else { return }
                helped.withLock { $0[number] = found }
            }.start()
        }
        var whole = first
        try walk(shares[0], &whole, session: &session)
        others.wait()
        let found = helped.withLock { $0 }
        for (number, share) in shares.enumerated().dropFirst() {
            if let found = found[number] {
                whole.merge(found)
            } else {
                try walk(share, &whole, session: &session)
            }
        }
        whole.sort()
        return whole
    }

    private func walk(_ keys: [AuditedObject], _ walk: inout AuditWalk, session: inout Session) throws {
        for key in keys {
            try walk.look(at: key, isAmbiguous: counts[key.name] ?? 1 > 1, session: &session)
            progress.add()
        }
    }

    private func message(_ keys: [AuditedObject]) -> AuditShare {
        AuditShare(
            token: first.token, counterLabel: first.counterLabel, doubtsDerivedKeys: first.doubtsDerivedKeys,
            items: Set(keys.map(\.name)).map { name in
                AuditShare.Item(
                    name: name, isAmbiguous: counts[name] ?? 1 > 1,
                    entries: first.ledgers.map { $0.entries[name] },
                    lastUse: first.history.lastUses[name.label])
            })
    }
}

/// Counts keys, whoever looked at them.
private final class AuditProgress: Sendable {
    private let done = Atomic<Int>(0)
    private let count: Int
    private let tell: @Sendable (Int, Int) -> Void

    init(_ count: Int, _ tell: @escaping @Sendable (Int, Int) -> Void) {
        self.count = count
        self.tell = tell
    }

    func add() { tell(min(done.wrappingAdd(1, ordering: .relaxed).newValue, count), count) }
}
