/// How long to wait before the next attempt to connect: longer after every failure, up to a bound, each time a
/// different part of it, so that links that were lost together do not come back together.
struct Backoff {
    static let shortestMilliseconds = 250
    static let longestMilliseconds = 5_000

    private var failures = 0

    /// - Parameter random: 0 up to, but not, 1.
    mutating func failed(random: Double) -> Int {
        let whole = min(Backoff.longestMilliseconds, Backoff.shortestMilliseconds << min(failures, 16))
        failures += 1
        return whole / 2 + Int(Double(whole / 2) * random)
    }

    /// A connection was lost. One over which the peer said anything has worked, however short it was: a peer that takes
    /// connections and closes them at once is another failure.
    mutating func lost(wasHeard: Bool, random: Double) -> Int {
        if wasHeard { failures = 0 }
        return failed(random: random)
    }
}
