public import NIOCore

/// Runs the tasks of one event loop on that loop, so that an authorisation never changes threads but for the
/// token's worker.
public final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    /// - Parameter eventLoop: where jobs run.
    public init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Runs the job in a later turn of the loop.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        eventLoop.execute { job.runSynchronously(on: executor) }
    }
}
