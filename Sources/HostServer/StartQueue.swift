internal import NIOCore

/// Which requests of a loop are begun, and which wait until others are done. With some hundred at a time a loop is as quick as it
/// can be. Of thousands that are half decided each holds kilobytes, and none is in the processor's caches when it goes on.
struct StartQueue {
    /// So many of those that began since the last tick are being decided; more while the loop has time left.
    var limit = StartQueue.limitLeast

    /// The tick in which a request begins; `ended` wants it back.
    var now = 0
    var (underWay, trials) = (0, 0)
    var (hasEnded, isStarting) = (false, false)
    var waiting = CircularBuffer<() -> Void>()

    var isFree: Bool { underWay < limit + trials }

    /// Whether a request may begin at once. If so, it has begun; if not, it is to be added.
    mutating func begins(unasked: Bool = false) -> Bool {
        guard unasked || waiting.isEmpty && isFree else { return false }
        underWay += 1
        return true
    }

    /// A request is finished that began in this tick.
    /// - Returns: whether others wait.
    mutating func ended(_ began: Int) -> Bool {
        hasEnded = true
        if began == now { underWay -= 1 }
        return !waiting.isEmpty
    }
}
