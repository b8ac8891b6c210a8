/// Whether a request that comes now can still be answered in time. It watches how fast requests are finished: what
/// stands in line before a new one takes that long, and a request that would wait longer than anybody waits for its
/// answer is better refused at once. Those accepted before go on: the newest is refused first, the oldest never.
struct LoadShedding {
    /// So many are always accepted: without some there is nothing to measure by.
    static let alwaysAdmitted = 32
    /// A request has to have this share of its time left for its own way.
    private static let shareForWaiting = 0.75

    /// Requests under way on this loop.
    private(set) var inFlight = 0
    private var finished = 0
    /// Of the last windows, requests a second; nil before anything was measured.
    private var finishedPerSecond: Double?
    private var windowBeganAt: UInt64?
    private var beganSaturated = false

    mutating func begun() { inFlight += 1 }

    mutating func ended() {
        inFlight -= 1
        finished += 1
    }

    /// - Parameter nanoseconds: what the request's link allows for its answer.
    func admits(within nanoseconds: UInt64) -> Bool {
        guard inFlight >= LoadShedding.alwaysAdmitted, let finishedPerSecond else { return true }
        let wait = Double(inFlight) / max(finishedPerSecond, 0.001)
        return wait < Double(nanoseconds) / 1e9 * LoadShedding.shareForWaiting
    }

    /// Closes a window of measurement. Only a loop with enough to do from one end of the window to the other shows
    /// how fast it can be; one that had less is known for nothing.
    mutating func tick(now: UInt64) {
        let saturated = inFlight >= LoadShedding.alwaysAdmitted
        defer { (windowBeganAt, finished, beganSaturated) = (now, 0, saturated) }
        guard saturated else { return finishedPerSecond = nil }
        guard beganSaturated, let began = windowBeganAt, now > began else { return }
        let rate = Double(finished) / (Double(now - began) / 1e9)
        finishedPerSecond = finishedPerSecond.map { 0.5 * $0 + 0.5 * rate } ?? rate
    }
}
