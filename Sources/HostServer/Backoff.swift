/// How long to wait before the next attempt to connect: longer after every failure, up to a bound, each time a
/// different part of it, so that links that were lost together do not come back together.
struct Backoff {
    static let shortestMilliseconds = 100
    static let longestMilliseconds = 30_000
    /// A connection that held so long was a success; one that was closed at once is another failure.
    static let heldMilliseconds = 10_000

    private var failures = 0

    /// - Parameter random: 0 up to, but not, 1.
    mutating func failed(random: Double) -> Int {
        let whole = min(Backoff.longestMilliseconds, Backoff.shortestMilliseconds << min(failures, 16))
        failures += 1
        return whole / 2 + Int(Double(whole / 2) * random)
    }

    /// A connection was lost after it had held for a while.
    mutating func lost(afterMilliseconds held: Int, random: Double) -> Int {
        if held >= Backoff.heldMilliseconds { failures = 0 }
        return failed(random: random)
    }
}
