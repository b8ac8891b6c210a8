internal import ByteCoding
internal import Glibc

/// A bounded first-in-first-out queue between threads that wakes no more of them than the work needs.
///
/// One worker that stays awake costs less than two that wake each other: a signal is a system call, and threads
/// inside one token contend for its locks. So another worker is woken only when the oldest job has waited for
/// `patience`; sleeping workers look for such a job now and then by themselves, in case the one awake is held up.
final class JobQueue<Job: Sendable>: @unchecked Sendable {
    // Sendable because every access to the mutable state happens under `mutex`.
    let mutex: UnsafeMutablePointer<pthread_mutex_t>
    let condition: UnsafeMutablePointer<pthread_cond_t>
    var ring: [Job?]
    /// When the job at the same place of `ring` came, in nanoseconds of CLOCK_MONOTONIC.
    var arrivals: [UInt64]
    var head = 0
    var used = 0
    /// Workers that wait and have not been woken yet: each is signalled once, however many jobs come before it
    /// runs.
    var sleeping = 0
    /// Of those woken, the ones that have not noticed yet.
    var signals = 0
    /// When jobs were last taken.
    var takenAt: UInt64 = 0
    var closed = false
    let workers: Int
    /// How long a job may wait before one more worker is woken for it.
    static var patience: UInt64 { 500_000 }
    /// How often a sleeping worker looks by itself.
    static var lookEvery: UInt64 { 5_000_000 }

    /// - Parameters:
    ///   - capacity: jobs that may wait.
    ///   - workers: threads that share them.
    init(capacity: Int, workers: Int) {
        self.workers = workers
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        ring = Array(repeating: nil, count: capacity)
        arrivals = Array(repeating: 0, count: capacity)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    var count: Int {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return used
    }

    /// - Returns: why the job was not taken, nil if it was.
    func push(_ job: Job) -> JobRefusal? {
        let now = monotonicNanoseconds()
        pthread_mutex_lock(mutex)
        if closed {
            pthread_mutex_unlock(mutex)
            return .stopped
        }
        guard used < ring.count else {
            pthread_mutex_unlock(mutex)
            return .queueFull
        }
        var tail = head + used
        if tail >= ring.count { tail -= ring.count }
        ring[tail] = job
        arrivals[tail] = now
        used += 1
        let wake = sleeping > 0 && (sleeping == workers || isOverdue(now))
        if wake {
            sleeping -= 1
            signals += 1
        }
        pthread_mutex_unlock(mutex)
        if wake { pthread_cond_signal(condition) }
        return nil
    }

    /// Waits for jobs and takes up to `most`; takes none where none came for `idleNanoseconds`.
    /// - Returns: false once the queue is closed and empty.
    func pop(into batch: inout [Job], most: Int, idleNanoseconds: UInt64) -> Bool {
        pthread_mutex_lock(mutex)
        guard waitForJobs(until: monotonicNanoseconds() + idleNanoseconds), used > 0 else {
            defer { pthread_mutex_unlock(mutex) }
            return !closed
        }
        // A share of what waits: where each job is slow, the others' threads want some, too.
        for _ in 0..<min(most, max(1, used / (workers - sleeping))) {
            if let job = ring[head] { batch.append(job) }
            ring[head] = nil
            head += 1
            if head == ring.count { head = 0 }
            used -= 1
        }
        pthread_mutex_unlock(mutex)
        return true
    }

    /// Returns with the mutex held, and a job in the queue or `end` in the past; or false once it is closed and empty.
    func waitForJobs(until end: UInt64) -> Bool {
        while true {
            let now = monotonicNanoseconds()
            if used == 0 {
                if closed { return false }
                if now >= end { return true }
            } else if closed || isOverdue(now) || !isServed(now) {
                takenAt = now
                return true
            }
            sleep(until: end)
        }
    }

    /// Until this worker is signalled, or finds a job that has waited too long. A worker without others has nobody to look
    /// after: it is signalled for every first job.
    func sleep(until end: UInt64) {
        sleeping += 1
        var now = monotonicNanoseconds()
        repeat {
            let next = workers == 1 ? end : min(end, now + Self.lookEvery)
            var time = timespec(tv_sec: Int(next / 1_000_000_000), tv_nsec: Int(next % 1_000_000_000))
            pthread_cond_timedwait(condition, mutex, &time)
            // Whoever signals counts one worker as awake, and the first to run is it.
            if signals > 0 {
                signals -= 1
                return
            }
            now = monotonicNanoseconds()
        } while !closed && now < end && !(used > 0 && isOverdue(now))
        sleeping -= 1
    }

    /// Whether another worker is awake and took jobs just now, so that it will be back for these in a moment.
    func isServed(_ now: UInt64) -> Bool {
        workers - sleeping > 1 && now &- takenAt < Self.patience / 2
    }

    func isOverdue(_ now: UInt64) -> Bool { now &- arrivals[head] > Self.patience }

    /// - Returns: false if it was closed before.
    func close() -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard !closed else { return false }
        closed = true
        pthread_cond_broadcast(condition)
        return true
    }
}
