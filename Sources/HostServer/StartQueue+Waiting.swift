internal import NIOCore

/// Requests that wait for their turn to begin.
extension StartQueue {
    static let limitLeast = 256
    static let limitMost = 4_096
    /// So many more at each tick while none is finished: if it is one store of several that stands still, some of these are
    /// for the others.
    static let trial = limitLeast / 8
    /// Share of its time that a loop takes to decide as many as it can.
    private static let busy = 0.6

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
    /// - Parameter share: of the time since the last tick in which the loop's thread ran. Where requests wait for their turn and
    ///   the loop has time left, store or token takes long: more at a time are decided then.
    mutating func tick(share: Double) {
        if share >= Self.busy {
            limit = Self.limitLeast
        } else if hasEnded, !waiting.isEmpty {
            limit = min(2 * limit, Self.limitMost)
        }
        if hasEnded || underWay == 0 {
            (underWay, trials) = (0, 0)
            now += 1
        } else {
            trials += Self.trial
        }
        hasEnded = false
    }
}

extension LoopContext {
    /// One after the other, also where one is finished before the next begins; of those some hundred in one turn of the loop.
    func beginWaiting() {
        for _ in 0..<StartQueue.limitLeast {
            guard let start = starts.next() else { return }
            start()
            starts.started()
        }
        eventLoop.execute { [self] in beginWaiting() }
    }
}
