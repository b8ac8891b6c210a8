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

    /// Ticks. A long line that has grown all this time is a flood.
    private static let growingTicks = 8
    /// Ticks. So is one that is no shorter after them. A connection at its cap has more in its socket: its line gets shorter only once
    /// that is read.
    private static let floodTicks = 30
    private static let averagedTicks = 5

    /// What is over the cap of a connection is refused and not left in its socket.
    var sheds: Bool { isFlooded && pace.stillSince == nil }

    /// As `admits`, with more than a few under way.
    mutating func admitsToLongLine(within nanoseconds: UInt64, now: UInt64) -> Bool {
        guard inFlight < Self.mostUnderWay else { return false }
        shortest = min(shortest, nanoseconds)
        if let stillSince = pace.stillSince {
            return Double(now - min(now, stillSince)) < Double(nanoseconds) * Self.stillMost
        }
        guard let line = line(within: nanoseconds) else { return true }
        return line < (isFlooded ? Self.goodLine : Self.backlogMost)
    }

    /// How long it takes to answer all that are under way, as a share of an answer time; nil while nobody knows.
    private func line(within nanoseconds: UInt64) -> Double? {
        pace.rate.map { Double(inFlight) / $0 * 1e9 / Double(nanoseconds) }
    }

    /// To be told some times a second.
    mutating func tick(now: UInt64) {
        defer { shortest = .max }
        pace.tick(&stretch, underWay: inFlight, now: now)
        if inFlight < Self.alwaysAdmitted { isFlooded = false }
        guard pace.stillSince == nil, shortest != .max, let line = line(within: shortest) else {
            return lengths.removeAll(keepingCapacity: true)
        }
        if line < Self.shortLine { isFlooded = false }
        guard line >= Self.goodLine else { return lengths.removeAll(keepingCapacity: true) }
        lengths.append(inFlight)
        if isGrowing || isStanding { isFlooded = true }
        if lengths.count > Self.floodTicks { lengths.removeFirst() }
    }

    private var isGrowing: Bool {
        guard lengths.count >= Self.growingTicks else { return false }
        let last = lengths.suffix(Self.growingTicks)
        let half = Self.growingTicks / 2
        return last.suffix(half).min() ?? 0 > last.prefix(half).max() ?? 0
    }

    private var isStanding: Bool {
        guard lengths.count > Self.floodTicks else { return false }
        return lengths.suffix(Self.averagedTicks).reduce(0, +)
            >= lengths.prefix(Self.averagedTicks).reduce(0, +)
    }
}
