internal import Synchronization

/// Where finished jobs wait for the thread that asked. One wake-up serves all that have gathered: a hop costs
/// microseconds, a place in the box nanoseconds.
final class CompletionMailbox<Job: Sendable>: Sendable {
    let finished: Mutex<[Job]> = Mutex([])
    let wake: @Sendable (CompletionMailbox<Job>) -> Void

    /// - Parameter wake: called on a worker's thread when the box has become non-empty; it has to see to it
    ///   that `drain` runs soon on the asking side (for an event loop: one `execute`).
    init(wake: @escaping @Sendable (CompletionMailbox<Job>) -> Void) {
        self.wake = wake
    }

    /// Puts a finished job in.
    func post(_ job: Job) {
        let first = finished.withLock { jobs in
            jobs.append(job)
            return jobs.count == 1
        }
        if first { wake(self) }
    }

    /// Takes everything out, in the order of finishing.
    func drain(_ body: (Job) -> Void) {
        let jobs = finished.withLock { jobs in
            var taken: [Job] = []
            taken.reserveCapacity(jobs.count)
            swap(&taken, &jobs)
            return taken
        }
        for job in jobs { body(job) }
    }
}
