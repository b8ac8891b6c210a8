internal import Authorisation
internal import PKCS11
internal import WorkerPool

/// Work for a session beyond the authorisation itself: one small type for each operation, one trip to a worker and
/// back. What the host asks for is a public method of `HSMPort` that submits one.
protocol TokenTask: Sendable {
    associatedtype Answer: Sendable

    /// On the worker's thread. Objects that it makes in the token it destroys again.
    func run(on session: inout CryptographySession) throws(JobError) -> Answer
}

/// A task on its way, for a job that does not know its type.
protocol TokenTaskInFlight: AnyObject {
    /// On the worker's thread.
    func run(on session: inout CryptographySession) throws(JobError)
    /// On the asking side, after the job ended; `failure` where it gave no answer.
    /// - Returns: false for an answer that came after its deadline and reached nobody.
    func deliver(failure: CryptographyUnavailable?) -> Bool
    /// Whoever asked has an answer, be it that none came.
    var isDelivered: Bool { get }
    /// On the asking side, while a worker may still be at it: the deadline passed.
    func expire()
}

/// One task, its answer, and who waits for it.
final class TokenTaskRun<Task: TokenTask>: TokenTaskInFlight {
    let pending = Pending<Task.Answer, CryptographyUnavailable>()
    private let task: Task
    private var answer: Task.Answer?

    init(_ task: Task) { self.task = task }

    func run(on session: inout CryptographySession) throws(JobError) { answer = try task.run(on: &session) }

    func deliver(failure: CryptographyUnavailable?) -> Bool {
        if let answer, failure == nil { return pending.fulfil(.success(answer)) }
        return pending.fulfil(.failure(failure ?? .stopped))
    }

    var isDelivered: Bool { pending.isFulfilled }

    func expire() { pending.fulfil(.failure(.deadlinePassed)) }
}

extension HSMPort {
    /// One job for the next free worker.
    func begin<Task: TokenTask>(
        _ task: Task, deadline: Deadline
    ) -> Pending<Task.Answer, CryptographyUnavailable> {
        let run = TokenTaskRun(task)
        submit(CryptographyJob(.other(run), knownToken: nil, deadline: deadline, mailbox: mailbox))
        return run.pending
    }

    /// One job for the next free worker, awaited.
    func perform<Task: TokenTask>(
        _ task: Task, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> Task.Answer {
        try await begin(task, deadline: deadline).value
    }
}
