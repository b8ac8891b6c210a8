internal import NIOCore

/// Requests that wait for their turn to begin.
extension StartQueue {
    /// So many more at each tick while none is finished: if it is one store of several that stands still, some of these are
    /// for the others.
    static let trial = limit / 8

    /// One that may not begin at once.
    mutating func add(_ start: @escaping () -> Void) { waiting.append(start) }

    /// The next request that may begin; it has begun. Nil while one is being started: what it ends is seen after it.
    mutating func next() -> (() -> Void)? {
        guard !isStarting, isFree, let start = waiting.popFirst() else { return nil }
        isStarting = true
        underWay += 1
        return start
    }

    /// What `next` gave was started.
    mutating func started() { isStarting = false }

    /// Some times a second. While others are finished, one that takes longer than a tick holds nobody up.
    mutating func tick() {
        if hasEnded || waiting.isEmpty {
            (underWay, trials) = (0, 0)
            now += 1
        } else {
            trials += Self.trial
        }
        hasEnded = false
    }
}

extension LoopContext {
    /// One after the other, also where one is finished before the next begins.
    func beginWaiting() {
        while let start = starts.next() {
            start()
            starts.started()
        }
    }
}
