internal import ByteCoding
internal import Glibc
internal import Synchronization

/// Why a job was not run.
enum JobRefusal: Error, Hashable, Sendable {
    /// The bounded queue is full.
    case queueFull
    /// Its deadline passed while it waited.
    case deadlinePassed
    /// The worker has no resource at present; the words are those of the factory's error.
    case resourceUnavailable(String)
    /// The pool is stopping.
    case stopped
}

/// What a job says of its resource afterwards.
enum ResourceFate: Sendable {
    case keep
    /// It is broken: drop it and make a new one.
    case evict
}

/// Work for one worker. A class, so that the result travels in the job itself and nothing is boxed.
protocol PooledJob: AnyObject, Sendable {
    /// Nanoseconds of CLOCK_MONOTONIC after which the job must not begin any more.
    var deadlineNanoseconds: UInt64 { get }

    /// How often it broke the resource that it ran on.
    var failures: Int { get set }

    /// Keeps the refusal as its result. Called on any thread, instead of the work.
    func refuse(_ refusal: JobRefusal)

    /// Says that the result is there: posts the job to its mailbox.
    func finished()
}

/// N threads, each the owner of one resource that nobody else ever touches, before one bounded queue.
final class WorkerPool<Resource: ~Copyable, Job: PooledJob>: Sendable {
    /// How many jobs a worker takes at a time at most: saves locking without starving its neighbour.
    static var batchMax: Int { 4 }
    /// How long a finished job may wait for the next one to finish.
    static var heldBackMaxNanoseconds: UInt64 { 100_000 }
    /// How long a worker is without a job before `idle` is called, again and again.
    static var idleNanoseconds: UInt64 { 400_000_000 }
    let queue: JobQueue<Job>
    let threads: [pthread_t]
    let ended: Ended

    /// Starts the threads; each makes its resource itself, at once.
    ///
    /// - Parameters:
    ///   - workers: number of threads, at least 1.
    ///   - queuedJobsMax: jobs that may wait; more are refused.
    ///   - triesMax: on how many resources a job is tried that breaks them; it and those behind it go to other workers
    ///     meanwhile.
    ///   - retryDelayMilliseconds: shortest pause between attempts to make a resource; doubled up to 64 times.
    ///   - makeResource: called on the worker's thread, again after each eviction.
    ///   - run: does the work on the worker's thread and keeps the result in the job.
    ///   - tidy: what a job leaves to be done; called after its result was told, once for each.
    ///   - idle: looks after a resource that nobody has used for a while.
    init(
        workers: Int, queuedJobsMax: Int, triesMax: Int = 1, retryDelayMilliseconds: UInt64 = 50,
        makeResource: @escaping @Sendable (_ worker: Int) throws -> Resource,
        run: @escaping @Sendable (_ job: Job, _ resource: inout Resource) -> ResourceFate,
        tidy: @escaping @Sendable (_ resource: inout Resource) -> ResourceFate = { _ in .keep },
        idle: @escaping @Sendable (_ resource: inout Resource) -> ResourceFate = { _ in .keep }
    ) {
        precondition(workers >= 1 && queuedJobsMax >= 1)
        let queue = JobQueue<Job>(capacity: queuedJobsMax, workers: workers)
        self.queue = queue
        let ended = Ended()
        self.ended = ended
        threads = (0..<workers).map { number in
            startThread {
                WorkerPool.work(
                    queue, number: number, triesMax: triesMax,
                    retryDelay: retryDelayMilliseconds * 1_000_000, makeResource: makeResource, run: run,
                    tidy: tidy, idle: idle)
                ended.count.wrappingAdd(1, ordering: .releasing)
            }
        }
    }

    /// Queues a job. A full or stopped queue refuses it at once, on the caller's thread; `finished` is called
    /// in every case, exactly once.
    func submit(_ job: Job) {
        if let refusal = queue.push(job) {
            job.refuse(refusal)
            job.finished()
        }
    }

    /// Jobs that wait for a worker.
    var queuedJobs: Int { queue.count }

    /// Refuses new jobs, runs those already queued, ends the threads, drops the resources.
    /// - Returns: false if a thread was still at work after `seconds`: it is left to itself.
    @discardableResult
    func stop(seconds: Int = 60) -> Bool {
        guard queue.close() else { return true }
        let end = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
        while ended.count.load(ordering: .acquiring) < threads.count {
            guard monotonicNanoseconds() < end else { return false }
            usleep(1_000)
        }
        for thread in threads { pthread_join(thread, nil) }
        return true
    }

    static func work(
        _ queue: JobQueue<Job>, number: Int, triesMax: Int, retryDelay: UInt64,
        makeResource: @escaping @Sendable (Int) throws -> Resource,
        run: @Sendable (Job, inout Resource) -> ResourceFate,
        tidy: @Sendable (inout Resource) -> ResourceFate, idle: @Sendable (inout Resource) -> ResourceFate
    ) {
        var slot = ResourceSlot<Resource>(retryDelay: retryDelay) { try makeResource(number) }
        slot.prepare(now: monotonicNanoseconds())
        var batch: [Job] = []
        batch.reserveCapacity(batchMax)
        while queue.pop(into: &batch, most: batchMax, idleNanoseconds: idleNanoseconds) {
            guard !batch.isEmpty else {
                // Without jobs a resource that has broken, or could be had again, would show to nobody.
                _ = slot.withResource(idle)
                slot.prepare(now: monotonicNanoseconds())
                continue
            }
            // Told together, so that the asking side is woken once for all of them; but a slow resource must not
            // make finished jobs wait for others.
            var told = 0
            var since = monotonicNanoseconds()
            var index = 0
            while index < batch.count {
                if runOne(batch[index], on: &slot, run: run) == .evict, batch[index].failures + 1 < triesMax {
                    batch[index].failures += 1
                    for done in batch[told..<index] { done.finished() }
                    handOver(batch[index...], queue)
                    batch.removeSubrange(index...)
                    break
                }
                index += 1
                let now = monotonicNanoseconds()
                guard now - since > heldBackMaxNanoseconds || index == batch.count else { continue }
                for done in batch[told..<index] { done.finished() }
                told = index
                since = now
            }
            for _ in batch { _ = slot.withResource(tidy) }
            batch.removeAll(keepingCapacity: true)
            // Nobody waits for that here: a resource that broke has given its jobs to others.
            if triesMax > 1 { slot.prepare(now: monotonicNanoseconds()) }
        }
    }

    /// To the end of the queue.
    private static func handOver(_ jobs: ArraySlice<Job>, _ queue: JobQueue<Job>) {
        for job in jobs {
            guard let refusal = queue.push(job) else { continue }
            job.refuse(refusal)
            job.finished()
        }
    }

    static func runOne(
        _ job: Job, on slot: inout ResourceSlot<Resource>, run: (Job, inout Resource) -> ResourceFate
    ) -> ResourceFate {
        let now = monotonicNanoseconds()
        guard now < job.deadlineNanoseconds else {
            job.refuse(.deadlinePassed)
            return .keep
        }
        slot.prepare(now: now)
        var fate = ResourceFate.keep
        let isThere = slot.withResource {
            fate = run(job, &$0)
            return fate
        }
        if !isThere { job.refuse(.resourceUnavailable(slot.lastError)) }
        return fate
    }
}

/// A resource that comes, breaks and comes again with a growing pause between attempts.
struct ResourceSlot<Resource: ~Copyable>: ~Copyable {
    var resource: Resource?
    let make: () throws -> Resource
    let shortestDelay: UInt64
    var delay: UInt64
    var notBefore: UInt64 = 0
    var lastError = "not made yet"
    init(retryDelay: UInt64, make: @escaping () throws -> Resource) {
        resource = nil
        self.make = make
        shortestDelay = retryDelay
        delay = retryDelay
    }

    /// Makes the resource if it is missing and the pause is over.
    mutating func prepare(now: UInt64) {
        guard resource == nil, now >= notBefore else { return }
        do {
            resource = try make()
            delay = shortestDelay
        } catch {
            lastError = String(describing: error)
            notBefore = monotonicNanoseconds() + delay
            delay = min(2 * delay, 64 * shortestDelay)
        }
    }

    /// - Returns: false if there is no resource.
    mutating func withResource(_ body: (inout Resource) -> ResourceFate) -> Bool {
        guard resource != nil else { return false }
        if body(&resource!) == .evict {
            resource = nil
            lastError = "evicted"
            notBefore = 0
        }
        return true
    }
}

/// Threads that are done.
final class Ended: Sendable {
    let count = Atomic<Int>(0)
    init() {}
}

private final class ThreadBody: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    let box = Unmanaged.passRetained(ThreadBody(body))
    var thread = pthread_t()
    let code = pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    precondition(code == 0, "pthread_create failed with \(code)")
    return thread
}
