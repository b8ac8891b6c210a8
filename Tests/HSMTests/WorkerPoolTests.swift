import Synchronization
import Testing

@testable import HSM

/// A resource that counts what was done with it and tells when it ends.
private struct Counter: ~Copyable {
    var uses = 0
    let ended: @Sendable () -> Void

    deinit { ended() }
}

private final class Job: PooledJob, @unchecked Sendable {
    // Sendable because the pool hands it from one thread to the next.
    enum Result: Equatable {
        case ran(uses: Int)
        case refused(JobRefusal)
    }

    let deadlineNanoseconds: UInt64
    var failures = 0
    let evicts: Bool
    let work: @Sendable () -> Void
    private(set) var result: Result?
    private let mailbox: CompletionMailbox<Job>

    init(
        _ mailbox: CompletionMailbox<Job>, deadline: UInt64 = .max, evicts: Bool = false,
        work: @escaping @Sendable () -> Void = {}
    ) {
        self.mailbox = mailbox
        deadlineNanoseconds = deadline
        self.evicts = evicts
        self.work = work
    }

    func refuse(_ refusal: JobRefusal) { result = .refused(refusal) }

    func finished() { mailbox.post(self) }

    func run(_ counter: inout Counter) -> ResourceFate {
        work()
        counter.uses += 1
        result = .ran(uses: counter.uses)
        return evicts ? .evict : .keep
    }
}

/// Waits for finished jobs without polling.
private final class Inbox: Sendable {
    let stream: AsyncStream<Job>
    let mailbox: CompletionMailbox<Job>

    init() {
        let (stream, continuation) = AsyncStream<Job>.makeStream()
        self.stream = stream
        mailbox = CompletionMailbox { box in box.drain { continuation.yield($0) } }
    }

    func take(_ count: Int) async -> [Job] {
        var jobs: [Job] = []
        for await job in stream {
            jobs.append(job)
            if jobs.count == count { break }
        }
        return jobs
    }
}

private struct NoResource: Error, CustomStringConvertible {
    let description = "no resource today"
}

@Suite struct WorkerPoolTests {
    private func pool(
        workers: Int = 1, queued: Int = 1_000, ended: @escaping @Sendable () -> Void = {},
        make: @escaping @Sendable () throws -> Void = {}
    ) -> WorkerPool<Counter, Job> {
        WorkerPool(
            workers: workers, queuedJobsMax: queued, retryDelayMilliseconds: 1,
            makeResource: { _ in
                try make()
                return Counter(ended: ended)
            },
            run: { job, counter in job.run(&counter) })
    }

    @Test func everyJobFinishesExactlyOnce() async {
        let inbox = Inbox()
        let pool = pool(workers: 4, queued: 20_000)
        for _ in 0..<10_000 { pool.submit(Job(inbox.mailbox)) }
        let jobs = await inbox.take(10_000)
        #expect(Set(jobs.map(ObjectIdentifier.init)).count == 10_000)
        #expect(jobs.allSatisfy { if case .ran = $0.result { true } else { false } })
        pool.stop()
    }

    @Test func oneWorkerRunsInOrder() async {
        let inbox = Inbox()
        let pool = pool()
        for _ in 0..<500 { pool.submit(Job(inbox.mailbox)) }
        let jobs = await inbox.take(500)
        #expect(jobs.map(\.result) == (1...500).map { .ran(uses: $0) })
        pool.stop()
    }

    @Test func jobsBehindAHeldWorkerAreTakenByTheNext() async {
        let inbox = Inbox()
        let gate = Gate()
        let pool = pool(workers: 2)
        pool.submit(Job(inbox.mailbox) { gate.passThrough() })
        await gate.reached()
        // No further job comes that could wake anybody: the other worker has to look by itself.
        pool.submit(Job(inbox.mailbox))
        let first = await inbox.take(1)
        #expect(first.map(\.result) == [.ran(uses: 1)])
        gate.open()
        let held = await inbox.take(1)
        #expect(held.map(\.result) == [.ran(uses: 1)])
        pool.stop()
    }

    @Test func aFullQueueRefusesAtOnce() async {
        let inbox = Inbox()
        let gate = Gate()
        let pool = pool(queued: 4)
        pool.submit(Job(inbox.mailbox) { gate.passThrough() })
        await gate.reached()
        for _ in 0..<6 { pool.submit(Job(inbox.mailbox)) }
        #expect(pool.queuedJobs == 4)
        gate.open()
        let results = await inbox.take(7).map(\.result)
        #expect(results.filter { $0 == .refused(.queueFull) }.count == 2)
        pool.stop()
    }

    @Test func aJobWhoseDeadlineHasPassedIsNotRun() async {
        let inbox = Inbox()
        let pool = pool()
        pool.submit(Job(inbox.mailbox, deadline: 1))
        pool.submit(Job(inbox.mailbox))
        let results = await inbox.take(2).map(\.result)
        #expect(results == [.refused(.deadlinePassed), .ran(uses: 1)])
        pool.stop()
    }

    @Test func anEvictedResourceIsDroppedAndMadeAnew() async {
        let inbox = Inbox()
        let ends = Ends()
        let pool = pool(ended: { ends.add() })
        pool.submit(Job(inbox.mailbox))
        pool.submit(Job(inbox.mailbox, evicts: true))
        pool.submit(Job(inbox.mailbox))
        let results = await inbox.take(3).map(\.result)
        #expect(results == [.ran(uses: 1), .ran(uses: 2), .ran(uses: 1)])
        #expect(ends.value == 1)
        pool.stop()
        #expect(ends.value == 2)
    }

    @Test func withoutAResourceJobsAreRefusedWithItsReasonAndRecoveryNeedsNoHelp() async throws {
        let inbox = Inbox()
        let broken = Ends()
        let pool = pool(make: { if broken.value == 0 { throw NoResource() } })
        pool.submit(Job(inbox.mailbox))
        #expect(await inbox.take(1).first?.result == .refused(.resourceUnavailable("no resource today")))
        broken.add()
        // The pause between attempts is over after at most 64 times the shortest; each job tries again.
        var last: Job.Result?
        for _ in 0..<200 where last != .ran(uses: 1) {
            pool.submit(Job(inbox.mailbox))
            last = await inbox.take(1).first?.result
            if last != .ran(uses: 1) { try await Task.sleep(for: .milliseconds(2)) }
        }
        #expect(last == .ran(uses: 1))
        pool.stop()
    }

    @Test func stopRunsWhatIsQueuedAndRefusesWhatComesLater() async {
        let inbox = Inbox()
        let pool = pool(workers: 2)
        for _ in 0..<100 { pool.submit(Job(inbox.mailbox)) }
        pool.stop()
        pool.submit(Job(inbox.mailbox))
        let results = await inbox.take(101).map(\.result)
        #expect(results.filter { $0 == .refused(.stopped) }.count == 1)
        #expect(results.last == .refused(.stopped))
        pool.stop()
    }

    @Test func aWorkerThatDoesNotComeBackIsLeftToItself() async {
        let gate = Gate()
        let inbox = Inbox()
        let pool = pool(workers: 1)
        pool.submit(Job(inbox.mailbox) { gate.passThrough() })
        await gate.reached()
        #expect(!pool.stop(seconds: 0))
        gate.open()
        #expect(await inbox.take(1).first?.result == .ran(uses: 1))
    }

    @Test func aMailboxWakesOnceForMany() {
        let wakes = Ends()
        let mailbox = CompletionMailbox<Int> { _ in wakes.add() }
        for number in 0..<10 { mailbox.post(number) }
        #expect(wakes.value == 1)
        var taken: [Int] = []
        mailbox.drain { taken.append($0) }
        #expect(taken == Array(0..<10))
        mailbox.post(10)
        #expect(wakes.value == 2)
    }
}

/// A shared count.
private final class Ends: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .sequentiallyConsistent) }

    func add() { count.wrappingAdd(1, ordering: .sequentiallyConsistent) }
}

/// Holds a worker until it is opened, and says when it is held.
private final class Gate: Sendable {
    private let held: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation) =
        AsyncStream.makeStream()
    private let isOpen = Mutex(false)

    func passThrough() {
        held.continuation.yield()
        while !isOpen.withLock({ $0 }) {}
    }

    func reached() async { for await _ in held.stream { return } }

    func open() { isOpen.withLock { $0 = true } }
}
