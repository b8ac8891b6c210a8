/// A line that is long.
///
/// A long line has one of two causes. What a pause of store or token, or a burst, has left behind is worked off within some
/// seconds, and nothing of it is lost while its time lasts: it is let stand. A flood is a line that does not get shorter
/// although requests are finished. It is met by a short line, so that those in it are answered quickly and the line is gone
/// soon after the flood.
extension LoadShedding {
    /// So many are never exceeded: what each holds in memory is some kilobytes.
    static let mostUnderWay = 50_000
    // Shares of the time that an answer may take.
    /// What has stood still for longer is not waited for. The first request is finished a while after the store goes on: what
    /// waits there is read first, all of it.
    private static let stillMost = 1.0
    /// The line that a pause or a burst may leave behind.
    private static let backlogMost = 0.5
    /// A line as it should be, at most.
    private static let goodLine = 0.1
    /// A flood is over when the line is shorter.
    private static let shortLine = 0.02

    /// Ticks. A line that was long all this time, and is no shorter than it was at the beginning, is a flood.
    private static let floodTicks = 15

    /// As `admits`, with more than a few under way.
    mutating func admitsToLongLine(within nanoseconds: UInt64, now: UInt64) -> Bool {
        guard inFlight < Self.mostUnderWay else { return false }
        let allowed = Double(nanoseconds)
        if let stillSince = pace.stillSince {
            isLong = false
            return Double(now - min(now, stillSince)) < allowed * Self.stillMost
        }
        guard let rate = pace.rate else { return true }
        let line = Double(inFlight) / rate * 1e9 / allowed
        if line < Self.shortLine { isFlooded = false }
        guard line >= Self.goodLine else {
            isLong = false
            return true
        }
        isLong = true
        return !isFlooded && line < Self.backlogMost
    }

    /// To be told some times a second.
    mutating func tick(now: UInt64) {
        if inFlight < Self.alwaysAdmitted { (isLong, isFlooded) = (false, false) }
        pace.tick(&stretch, underWay: inFlight, now: now)
        guard isLong, pace.stillSince == nil else {
            return lengths.removeAll(keepingCapacity: true)
        }
        lengths.append(inFlight)
        guard lengths.count > Self.floodTicks else { return }
        if inFlight >= lengths.removeFirst() { isFlooded = true }
    }
}
