import Authorisation
import EMV
import Synchronization
import Testing

@testable import HSM

/// A token that does not answer in time.
@Suite struct AnswerWatchTests {
    private final class Clock: Sendable {
        private let works: Mutex<[@Sendable () -> Void]> = Mutex([])
        var waiting: Int { works.withLock(\.count) }
        func schedule(_ milliseconds: Int64, _ work: @escaping @Sendable () -> Void) {
            works.withLock { $0.append(work) }
        }
        func tick() {
            for work in works.withLock({ works in
                defer { works = [] }; return works
            }) { work() }
        }
    }

    private func job(
        deadline: UInt64
    ) throws -> (AuthorisationJob, Pending<CryptographyAnswer, CryptographyUnavailable>) {
        let question = CryptographyQuestion(
            card: CardIdentity(pan: try PAN("4761739001010010"), panSequenceNumber: nil), cryptogram: nil,
            pin: nil, deadline: Deadline(nanoseconds: deadline))
        let job = AuthorisationJob(question, mailbox: CompletionMailbox<TokenJob> { _ in })
        return (job, job.pending)
    }

    @Test func whoWaitsIsToldAtTheDeadlineAndTheLateAnswerReachesNobody() async throws {
        let clock = Clock()
        let watch = AnswerWatch { clock.schedule($0, $1) }
        let (overdue, pending) = try job(deadline: 1)
        let (early, other) = try job(deadline: .max)
        watch.watch(overdue)
        watch.watch(early)
        #expect(clock.waiting == 1, "one timer for all")
        clock.tick()
        await #expect(throws: CryptographyUnavailable.deadlinePassed) { try await pending.value }
        #expect(!other.isFulfilled && clock.waiting == 1)
        // The worker comes back with it after all.
        let tokens = CardTokenStore(capacity: 4)
        #expect(!overdue.deliver(keepingTokensIn: tokens))
        #expect(early.deliver(keepingTokensIn: tokens))
        clock.tick()
        #expect(clock.waiting == 0, "no timer while nobody waits")
    }
}
