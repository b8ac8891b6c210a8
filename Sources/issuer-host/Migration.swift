internal import Authorisation
internal import ByteCoding
internal import CardStateStore
internal import EMV
internal import EventLoops
internal import HSM
internal import HostServer
internal import IssuerConfiguration
internal import NIOCore

extension IssuerConfiguration {
    /// What takes over records of the layout before; nil where they are left alone.
    func oldRecords(_ store: StateStore, _ port: HSMPort, who: String) -> OldRecordClaims? {
        redis.migration ? claims(store, port, who: who) : nil
    }

    func claims(_ store: StateStore, _ port: HSMPort, who: String) -> OldRecordClaims {
        OldRecordClaims(
            store, settings: cardStateSettings, surroundings: .system, who: who
        ) { pan, deadline throws(CryptographyUnavailable) in
            try await port.oldTokens(of: pan, deadline: deadline)
        }
    }
}

extension CardDesk {
    var claims: OldRecordClaims { configuration.claims(store, port, who: OperatorName.now) }

    /// An operator's command finds a card wherever its record is.
    func claimOldRecords(_ cards: [CardIdentity], _ tokens: [CardToken]) async throws {
        let (claims, orders) = (claims, orders)
        let accounts = Dictionary(zip(tokens, cards.map(\.pan)), uniquingKeysWith: { first, _ in first })
        try await onLoop(store.eventLoop) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (token, pan) in accounts {
                    group.addTask(executorPreference: EventLoopExecutor(claims.eventLoop)) {
                        guard try await orders.record(token) == nil else { return }
                        let deadline = Deadline(nanoseconds: monotonicNanoseconds() + 60_000_000_000)
                        do { _ = try await claims.claim(pan, for: token, deadline: deadline) } catch {
                            throw WiringError("\(pan): \(error)")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
