/// How many requests a second a loop finishes when it has enough to do. A pause of the store or the token says nothing of
/// that, nor does a time in which little came. So it is measured by stretches in which the line was never short, after
/// another such stretch; the middle of the last ones counts, since what a pause held up is finished faster than it could be
/// done.
struct LoopPace {
    /// What is counted until it is long enough to tell something.
    struct Stretch {
        var finished = 0
        var finishedSinceTick = 0
        /// Requests under way after any of them was finished.
        var fewestLeft = 0
        fileprivate var beganAt: UInt64 = 0
        /// Requests were finished in the stretch before this one.
        fileprivate var movedBefore = false
    }

    /// A stretch has at least so many.
    private static let finishedMin = 16
    /// Nanoseconds, of a stretch: several turns of a loop that has much to do, each of which may only read or only finish.
    private static let stretchLeast: UInt64 = 250_000_000
    /// Nanoseconds. Where fewer were finished by then, nothing to speak of moves.
    private static let stretchMost: UInt64 = 500_000_000
    private static let stretchesKept = 15

    /// Requests a second; nil while nothing is known. It is known from the last time that there was enough to do.
    private(set) var rate: Double?
    /// Since when nothing moved although there was enough to do.
    private(set) var stillSince: UInt64?
    private var rates: [Double] = []
    /// The last tick before which something was finished.
    private var movedAt: UInt64 = 0

    /// Looks at what was counted, and begins a new stretch where one has ended.
    mutating func tick(_ stretch: inout Stretch, underWay: Int, now: UInt64) {
        if stretch.finishedSinceTick > 0 { movedAt = now }
        stretch.finishedSinceTick = 0
        let enough = LoadShedding.alwaysAdmitted
        guard min(underWay, stretch.fewestLeft + 1) >= enough else {
            (stillSince, movedAt) = (nil, now)
            stretch = Stretch(fewestLeft: underWay, beganAt: now)
            return
        }
        let elapsed = now - min(now, stretch.beganAt)
        if stretch.finished < Self.finishedMin {
            guard now - min(now, movedAt) >= Self.stretchLeast || elapsed >= Self.stretchMost else { return }
            stillSince = stillSince ?? min(movedAt, stretch.beganAt)
            stretch = Stretch(fewestLeft: underWay, beganAt: now)
        } else {
            stillSince = nil
            guard elapsed >= Self.stretchLeast else { return }
            if stretch.movedBefore { keep(Double(stretch.finished) / (Double(elapsed) / 1e9)) }
            stretch = Stretch(fewestLeft: underWay, beganAt: now, movedBefore: true)
        }
    }

    private mutating func keep(_ rate: Double) {
        rates.append(rate)
        if rates.count > Self.stretchesKept { rates.removeFirst() }
        self.rate = rates.sorted()[rates.count / 2]
    }
}
