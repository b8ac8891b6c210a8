internal import NIOCore

/// Requests that wait for their turn to begin.
extension StartQueue {
    static let limitLeast = 256
    static let limitMost = 4_096
    /// So many more at each tick while none is finished: if it is one store of several that stands still, some of these are
    /// for the others.
    static let trial = limitLeast / 8
    /// A loop that decides as many as it can has something to do for more of its time than this.
    private static let busyLeast = 0.6

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
    /// - Parameter busy: the part of the time since the last tick in which the loop had something to do, 0…1, also while others had its
    ///   processor. Where requests wait for their turn and the loop has time left, store or token takes long: more at a time are
    ///   decided then.
    mutating func tick(busy: Double) {
        if busy >= Self.busyLeast {
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
