/// How fast the loop is.
extension LoadShedding {
    /// Closes a stretch of measurement. Only a loop with enough to do from one end to the other shows how fast it can be;
    /// one that had less is known for nothing. To be told some times a second.
    mutating func tick(now: UInt64) {
        let saturated = inFlight >= Self.alwaysAdmitted
        stillSince = saturated && finishedSinceTick == 0 ? stillSince ?? tickedAt : nil
        (tickedAt, finishedSinceTick) = (now, 0)
        if !saturated { rates = [] }
        let nanoseconds = now - min(now, stretchBeganAt)
        guard !saturated || finished >= Self.finishedMin || nanoseconds >= Self.stretchMaxNanoseconds else {
            return
        }
        if saturated, beganSaturated, movedBefore, finished > 0, nanoseconds > 0 {
            keep(rate: Double(finished) / (Double(nanoseconds) / 1e9))
        }
        movedBefore = finished > 0
        (stretchBeganAt, finished, beganSaturated) = (now, 0, saturated)
    }

    private mutating func keep(rate: Double) {
        let isFirst = rates.isEmpty
        rates.append(rate)
        if rates.count > Self.stretchesKept { rates.removeFirst() }
        if isFirst { letIn = letInMost }
    }
}
