package import NIOCore

/// Runs the tasks of one event loop on that loop, so that an authorisation never changes threads but for the
/// token's worker.
package final class EventLoopExecutor: TaskExecutor, @unchecked Sendable {
    // Sendable because only the loop touches what changes.
    private let eventLoop: any EventLoop
    private var waiting: [UnownedJob] = []
    /// An array that was emptied, for the next turn.
    private var spare: [UnownedJob] = []
    private var isScheduled = false

    /// - Parameter eventLoop: where jobs run.
    package init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Runs the job later in the same turn of the loop, with all others that have come by then: one entry in the loop's
    /// list serves them all. From another thread, in a later turn.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        guard eventLoop.inEventLoop else {
            let executor = asUnownedTaskExecutor()
            return eventLoop.execute { job.runSynchronously(on: executor) }
        }
        waiting.append(job)
        guard !isScheduled else { return }
        isScheduled = true
        eventLoop.execute { self.runWaiting() }
    }

    /// How others give work to a loop that know no loops.
    package static func handover(
        to eventLoop: any EventLoop
    ) -> @Sendable (@escaping @Sendable () -> Void) -> Void {
        { work in eventLoop.execute(work) }
    }

    private func runWaiting() {
        isScheduled = false
        var jobs = spare
        spare = []
        swap(&jobs, &waiting)
        let executor = asUnownedTaskExecutor()
        for job in jobs { job.runSynchronously(on: executor) }
        jobs.removeAll(keepingCapacity: true)
        spare = jobs
    }
}
