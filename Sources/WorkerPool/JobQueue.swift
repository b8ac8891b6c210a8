internal import Glibc

/// A bounded first-in-first-out queue between threads. Signals only when a worker sleeps: under load nobody
/// does, and a signal is a system call.
final class JobQueue<Job: Sendable>: @unchecked Sendable {
    // Sendable because every access to the mutable state happens under `mutex`.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var ring: [Job?]
    private var head = 0
    private var used = 0
    /// Workers that wait and have not been woken yet: each is signalled once, however many jobs come before it
    /// runs.
    private var sleeping = 0
    private var closed = false
    private let workers: Int

    /// - Parameters:
    ///   - capacity: jobs that may wait.
    ///   - workers: threads that share them.
    init(capacity: Int, workers: Int) {
        self.workers = workers
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        ring = Array(repeating: nil, count: capacity)
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
        used += 1
        let wake = sleeping > 0
        if wake { sleeping -= 1 }
        pthread_mutex_unlock(mutex)
        if wake { pthread_cond_signal(condition) }
        return nil
    }

    /// Waits for jobs and takes up to `most`.
    /// - Returns: false once the queue is closed and empty.
    func pop(into batch: inout [Job], most: Int) -> Bool {
        pthread_mutex_lock(mutex)
        while used == 0 {
            if closed {
                pthread_mutex_unlock(mutex)
                return false
            }
            sleeping += 1
            pthread_cond_wait(condition, mutex)
        }
        // A share of what waits: where each job is slow, the others' threads want some, too.
        for _ in 0..<min(most, max(1, used / workers)) {
            if let job = ring[head] { batch.append(job) }
            ring[head] = nil
            head += 1
            if head == ring.count { head = 0 }
            used -= 1
        }
        pthread_mutex_unlock(mutex)
        return true
    }

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
