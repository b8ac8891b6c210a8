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
    ) throws -> TokenJob {
        let question = CryptographyQuestion(
            card: CardIdentity(pan: try PAN("4761739001010010"), panSequenceNumber: nil), cryptogram: nil,
            pin: nil, deadline: Deadline(nanoseconds: deadline))
        return TokenJob(
            AuthorisationTask(question), deadline: question.deadline,
            mailbox: CompletionMailbox<TokenJob> { _ in })
    }

    @Test func whoWaitsIsToldAtTheDeadlineAndTheLateAnswerReachesNobody() async throws {
        let clock = Clock()
        let watch = AnswerWatch { clock.schedule($0, $1) }
        let overdue = try job(deadline: 1)
        let early = try job(deadline: .max)
        watch.watch(overdue)
        watch.watch(early)
        #expect(clock.waiting == 1, "one timer for all")
        clock.tick()
        await #expect(throws: CryptographyUnavailable.deadlinePassed) { try await overdue.end() }
        #expect(!early.isDelivered && clock.waiting == 1)
        // The worker comes back with it after all.
        for job in [overdue, early] { job.refuse(.stopped) }
        #expect(!overdue.deliver())
        #expect(early.deliver())
        clock.tick()
        #expect(clock.waiting == 0, "no timer while nobody waits")
    }
}
