package import Synchronization

/// A value that another thread will bring, once. Cheaper than a child task: no task is made, and waiting
/// costs nothing when the value is already there.
///
/// Fulfilled at most once, awaited by at most one task at a time, readable again after that. Inlinable, so that each
/// module has it for its own types: unspecialised, it asks the runtime for metadata at every step.
package final class Pending<Value: Sendable, Failure: Error>: Sendable {
    @usableFromInline
    enum State: Sendable {
        case empty
        case waiting(UnsafeContinuation<Result<Value, Failure>, Never>)
        case filled(Result<Value, Failure>)
    }

    @usableFromInline
    let state: Mutex<State>

    /// A value still to come.
    @inlinable
    package init() { state = Mutex(.empty) }

    /// A value that is there already.
    @inlinable
    package init(_ result: Result<Value, Failure>) { state = Mutex(.filled(result)) }

    /// Brings the value. A second call is ignored: the first answer stands.
    /// - Returns: false for a second call.
    @inlinable
    @discardableResult
    package func fulfil(_ result: Result<Value, Failure>) -> Bool {
        var isFirst = true
        let waiter: UnsafeContinuation<Result<Value, Failure>, Never>? = state.withLock { state in
            switch state {
            case .empty:
                state = .filled(result)
                return nil
            case .waiting(let continuation):
                state = .filled(result)
                return continuation
            case .filled:
                isFirst = false
                return nil
            }
        }
        waiter?.resume(returning: result)
        return isFirst
    }

    /// The value is there.
    @inlinable
    package var isFulfilled: Bool { state.withLock { if case .filled = $0 { true } else { false } } }

    /// Waits for the value. Resumes on the caller's executor.
    @inlinable
    package var value: Value {
        get async throws(Failure) {
            if let result = arrived { return try result.get() }
            let result = await withUnsafeContinuation { continuation in
                let present: Result<Value, Failure>? = state.withLock { state in
                    if case .filled(let result) = state { return result }
                    state = .waiting(continuation)
                    return nil
                }
                if let present { continuation.resume(returning: present) }
            }
            return try result.get()
        }
    }

    @usableFromInline
    @inline(__always)
    var arrived: Result<Value, Failure>? {
        state.withLock { if case .filled(let result) = $0 { result } else { nil } }
    }
}
