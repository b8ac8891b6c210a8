internal import EventLoops
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// What a body says, if it does so in time. An event loop may be held up by what it called: whoever asks how the host is
/// must not be held up with it.
///
/// - Parameters:
///   - milliseconds: how long it may take.
///   - late: what is said in its place.
func inTime<Value: Sendable>(
    _ milliseconds: Int64, late: Value, body: @escaping @Sendable () async -> Value
) async -> Value {
    let answer = FirstAnswer<Value>()
    // A loop that no request is served on, and no pool that others may have filled.
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let work = Task(executorPreference: EventLoopExecutor(loop)) { answer.give(await body()) }
    let timer = loop.scheduleTask(in: .milliseconds(milliseconds)) {
        answer.give(nil)
    }
    let value = await answer.value()
    timer.cancel()
    work.cancel()
    return value ?? late
}

/// The first of what several may say; nil: too late. Given from any thread, awaited by one task.
final class FirstAnswer<Value: Sendable>: Sendable {
    private enum State: Sendable {
        case open
        case awaited(UnsafeContinuation<Value?, Never>)
        case given(Value?)
    }

    private let state = Mutex(State.open)

    func give(_ value: Value?) {
        let waiting: UnsafeContinuation<Value?, Never>? = state.withLock { state in
            switch state {
            case .open:
                state = .given(value)
                return nil
            case .awaited(let continuation):
                state = .given(value)
                return continuation
            case .given: return nil
            }
        }
        waiting?.resume(returning: value)
    }

    func value() async -> Value? {
        await withUnsafeContinuation { continuation in
            let given: Value?? = state.withLock { state in
                if case .given(let value) = state { return .some(value) }
                state = .awaited(continuation)
                return nil
            }
            if let given { continuation.resume(returning: given) }
        }
    }
}
