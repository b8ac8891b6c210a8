/// Whether a request that comes now can still be answered in time. A request that would wait longer than anybody waits for
/// its answer is better refused at once; those accepted before go on: the newest is refused first, the oldest never.
///
/// A line that grows because nothing moves is another thing than a line that grows because more comes than can be done. A
/// pause of the store or the token says nothing of how quick they are: what came meanwhile is worked off afterwards, and
/// nothing of it is lost while its time lasts. So what is measured is only ever a stretch in which requests were finished,
/// after another such stretch. A flood is met by letting in as many as are finished, once the line is longer than it has
/// to be, so that the line is short again when the flood has ended.
struct LoadShedding {
    /// So many are always accepted: without some there is nothing to measure by.
    static let alwaysAdmitted = 32
    /// So many are never exceeded: what each holds in memory is some kilobytes.
    static let mostUnderWay = 50_000
    /// A request has to have this share of its time left for its own way.
    private static let shareForWaiting = 0.75
    /// A line that is worked off within this share of the answer's time is as it should be.
    private static let shareOfGoodLine = 0.1
    /// What one finished request lets in while the line is too long: it becomes no longer, and shorter as soon as less comes
    /// than is finished.
    private static let letInForEachFinished = 1.0
    /// A stretch ends when so many requests were finished, at the next tick, or after a second.
    static let finishedMin = 16
    static let stretchMaxNanoseconds: UInt64 = 1_000_000_000
    static let stretchesKept = 3

    /// Requests under way on this loop.
    private(set) var inFlight = 0
    /// Of the stretch.
    var finished = 0
    var finishedSinceTick = 0
    /// Of the last stretches that show how fast the loop can be, requests a second.
    var rates: [Double] = []
    var stretchBeganAt: UInt64 = 0
    var beganSaturated = false
    /// Whether requests were finished in the stretch before this one.
    var movedBefore = false
    var tickedAt: UInt64 = 0
    /// Since when nothing was finished although there was enough to do.
    var stillSince: UInt64?
    /// How many may come in although the line is too long.
    var letIn = 0.0

    mutating func begun() { inFlight += 1 }

    mutating func ended() {
        inFlight -= 1
        finished += 1
        finishedSinceTick += 1
        stillSince = nil
        letIn = min(letIn + Self.letInForEachFinished, letInMost)
    }

    /// - Parameters:
    ///   - nanoseconds: what the request's link allows for its answer.
    ///   - now: of the clock that `tick` is told.
    mutating func admits(within nanoseconds: UInt64, now: UInt64) -> Bool {
        guard inFlight >= Self.alwaysAdmitted else { return true }
        guard inFlight < Self.mostUnderWay else { return false }
        let allowed = Double(nanoseconds) / 1e9
        if let stillSince { return Double(now - min(now, stillSince)) / 1e9 < allowed * Self.shareForWaiting }
        // The best of the last stretches: one with a pause in it shows less than the loop can do.
        guard let rate = rates.max() else { return true }
        let wait = Double(inFlight) / max(rate, 0.001)
        if wait >= allowed * Self.shareForWaiting { return false }
        if wait < allowed * Self.shareOfGoodLine { return true }
        guard letIn >= 1 else { return false }
        letIn -= 1
        return true
    }

    /// A tenth of a second's worth.
    var letInMost: Double { max(Double(Self.alwaysAdmitted), (rates.max() ?? 0) / 10) }
}
