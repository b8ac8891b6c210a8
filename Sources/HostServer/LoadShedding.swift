/// Whether a request that comes now can still be answered in time. A request that would wait longer than anybody waits for
/// its answer is better refused at once; those accepted before go on: the newest is refused first, the oldest never.
struct LoadShedding {
    /// So many are always accepted: without some there is nothing to measure by.
    static let alwaysAdmitted = 32
    /// Requests under way on this loop.
    private(set) var inFlight = 0
    /// How quick the loop is when it has enough to do.
    var pace = LoopPace()
    var stretch = LoopPace.Stretch()
    var lengths: [Int] = []  // Of a long line, at the ticks in which requests were finished.
    var shortest = UInt64.max  // The answer times of those that came since the last tick.
    var isFlooded = false

    mutating func begun() { inFlight += 1 }

    mutating func ended() {
        inFlight -= 1
        stretch.finished += 1
        stretch.finishedSinceTick += 1
        stretch.fewestLeft = min(stretch.fewestLeft, inFlight)
    }

    /// - Parameters:
    ///   - nanoseconds: what the request's link allows for its answer.
    ///   - now: of the clock that `tick` is told.
    mutating func admits(within nanoseconds: UInt64, now: UInt64) -> Bool {
        if inFlight < Self.alwaysAdmitted { return true }
        return admitsToLongLine(within: nanoseconds, now: now)
    }
}
