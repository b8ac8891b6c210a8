/// On how many event loops the connections of a host are. One loop that has little to do wakes less often than two that
/// share it, and a busy one has enough: so connections begin together, spread when their loop has little time left, and come together
/// again when there is little to do.
struct LoopBalance {
    /// Connections that are to go from one loop to another.
    struct Order: Equatable {
        let from: Int
        let to: Int
        /// Of the traffic of the loop that they leave.
        let share: Double
    }

    /// What a loop says of itself, some times a second.
    struct Report {
        /// The part of the time in which the loop had something to do, 0…1.
        var busy: Double
        /// How many of its connections could move.
        var movable: Int
    }

    /// Reports that are looked at together before connections spread: a second of them.
    static let spreadingReports = 10
    /// Before they come together: what was busy a moment ago may be so again.
    static let gatheringReports = 50
    /// A loop with less time left is busy. Where each connection waits for its answers before it asks again, one loop that all wait for
    /// has a tenth of its time left.
    private static let busyLeast = 0.8
    /// The other loop must have so much more time.
    private static let differenceLeast = 0.3
    /// Two loops that have less to do than this together are one too many.
    private static let togetherMost = 0.6

    /// A loop that was so busy a moment ago keeps no new connection.
    private static let crowded = 0.8
    /// What did not come together is tried again later and later, at most so many times as late.
    private static let patienceMost = 64
    /// The same of what did not spread: its line was too long. Until loops need nothing of each other for a second: what comes
    /// after that is another rush.
    private static let spreadingPatienceMost = 16

    private var recent: [[Report]] = []
    private var sinceOrder = 0
    private var patience = 1
    private var spreadingPatience = 1
    /// How many were left to move at the last order to come together.
    private var leftToGather = Int.max

    /// - Parameter reports: of all loops, by number; nil of one that says nothing, and then nothing moves.
    mutating func next(_ reports: [Report?]) -> Order? {
        let known = reports.compactMap(\.self)
        guard known.count == reports.count else {
            recent = []
            return nil
        }
        sinceOrder += 1
        recent.append(known)
        if recent.count > Self.gatheringReports { recent.removeFirst() }
        let order = spread(known) ?? gather(known)
        if order != nil { (recent, sinceOrder) = ([], 0) }
        return order
    }

    /// - Parameter reports: the last ones of all loops; nil where a loop has not said anything.
    /// - Returns: the loop that a new connection had better go to; nil: it stays.
    static func placeOfNew(on own: Int, _ reports: [Report?]) -> Int? {
        guard let busy = reports[own]?.busy, busy >= crowded else { return nil }
        let least = reports.indices.min { (reports[$0]?.busy ?? 1) < (reports[$1]?.busy ?? 1) }
        guard let least, busy - (reports[least]?.busy ?? 1) >= differenceLeast else { return nil }
        return least
    }

    private func busy(_ loop: Int, over count: Int) -> Double {
        recent.suffix(count).reduce(0) { $0 + $1[loop].busy } / Double(count)
    }

    private mutating func spread(_ now: [Report]) -> Order? {
        guard recent.count >= Self.spreadingReports else { return nil }
        let busy = now.indices.map { self.busy($0, over: Self.spreadingReports) }
        let least = busy.min() ?? 0
        let overloaded = now.indices.filter {
            busy[$0] >= Self.busyLeast && busy[$0] - least >= Self.differenceLeast
        }
        if overloaded.isEmpty { spreadingPatience = 1 }
        guard let from = overloaded.filter({ now[$0].movable > 0 }).max(by: { busy[$0] < busy[$1] }),
            let to = busy.firstIndex(of: least), sinceOrder >= spreadingPatience * Self.spreadingReports
        else { return nil }
        (patience, leftToGather) = (1, .max)
        spreadingPatience = min(2 * spreadingPatience, Self.spreadingPatienceMost)
        return Order(from: from, to: to, share: (busy[from] - busy[to]) / 2 / busy[from])
    }

    /// New connections begin on the first loops: the last ones are left.
    private mutating func gather(_ now: [Report]) -> Order? {
        guard recent.count == Self.gatheringReports else { return nil }
        let left = now.dropFirst().reduce(0) { $0 + $1.movable }
        if left < leftToGather { patience = 1 }
        guard sinceOrder >= patience * Self.gatheringReports else { return nil }
        let busy = now.indices.map { self.busy($0, over: Self.gatheringReports) }
        for from in now.indices.reversed() where now[from].movable > 0 {
            guard let to = now.indices.prefix(from).min(by: { busy[$0] < busy[$1] }),
                busy[from] + busy[to] < Self.togetherMost
            else { continue }
            leftToGather = left
            patience = min(2 * patience, Self.patienceMost)
            return Order(from: from, to: to, share: 1)
        }
        return nil
    }
}
