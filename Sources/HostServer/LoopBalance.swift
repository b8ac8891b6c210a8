/// On how many event loops the connections of a host are. One loop that has little to do wakes less often than two that
/// share it, and a busy one has enough: so connections begin together, spread when their loop has no time left, and come together
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
        /// How many of its connections may move.
        var movable: Int
    }

    /// Reports that are looked at together before connections spread: a second of them.
    static let spreadingReports = 10
    /// Before they come together: what was busy a moment ago may be so again.
    static let gatheringReports = 50
    /// A loop with less time left is busy.
    private static let busyLeast = 0.92
    /// The other loop must have so much more time.
    private static let differenceLeast = 0.3
    /// Two loops that have less to do than this together are one too many.
    private static let togetherMost = 0.6

    private var recent: [[Report]] = []

    /// - Parameter reports: of all loops, by number; nil of one that says nothing, and then nothing moves.
    mutating func next(_ reports: [Report?]) -> Order? {
        let known = reports.compactMap(\.self)
        guard known.count == reports.count else {
            recent = []
            return nil
        }
        recent.append(known)
        if recent.count > Self.gatheringReports { recent.removeFirst() }
        let order = spread(known) ?? gather(known)
        if order != nil { recent = [] }
        return order
    }

    private func busy(_ loop: Int, over count: Int) -> Double {
        recent.suffix(count).reduce(0) { $0 + $1[loop].busy } / Double(count)
    }

    private func spread(_ now: [Report]) -> Order? {
        guard recent.count >= Self.spreadingReports else { return nil }
        let busy = now.indices.map { self.busy($0, over: Self.spreadingReports) }
        guard let from = now.indices.filter({ now[$0].movable > 0 }).max(by: { busy[$0] < busy[$1] }),
            let to = now.indices.min(by: { busy[$0] < busy[$1] }), busy[from] >= Self.busyLeast,
            busy[from] - busy[to] >= Self.differenceLeast
        else { return nil }
        return Order(from: from, to: to, share: (busy[from] - busy[to]) / 2 / busy[from])
    }

    /// New connections begin on the first loops: the last ones are left.
    private func gather(_ now: [Report]) -> Order? {
        guard recent.count == Self.gatheringReports else { return nil }
        let busy = now.indices.map { self.busy($0, over: Self.gatheringReports) }
        guard let from = now.indices.last(where: { now[$0].movable > 0 }),
            let to = now.indices.prefix(from).min(by: { busy[$0] < busy[$1] }),
            busy[from] + busy[to] < Self.togetherMost
        else { return nil }
        return Order(from: from, to: to, share: 1)
    }
}
