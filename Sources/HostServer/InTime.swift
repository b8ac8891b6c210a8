internal import Authorisation
internal import NIOCore
internal import NIOPosix

/// What a body says, if it does so in time. An event loop may be held up by what it called: whoever asks how the host is
/// must not be held up with it.
///
/// - Parameters:
///   - milliseconds: how long it may take.
///   - late: what is said in its place.
func inTime<Value: Sendable>(
    _ milliseconds: Int64, late: Value, _ body: @escaping @Sendable () async -> Value
) async -> Value {
    let answer = Pending<Value, TooLate>()
    // A loop that no request is served on, and no pool that others may have filled.
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let work = Task(executorPreference: EventLoopExecutor(loop)) { answer.fulfil(.success(await body())) }
    let timer = loop.scheduleTask(in: .milliseconds(milliseconds)) {
        _ = answer.fulfil(.failure(TooLate()))
    }
    let value = try? await answer.value
    timer.cancel()
    work.cancel()
    return value ?? late
}

/// Nobody waits for the answer any more.
struct TooLate: Error {}
