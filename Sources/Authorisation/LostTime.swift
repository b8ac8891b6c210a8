/// A time of which the store may lack decisions: it was restored from a backup, or cut short, and accepted as it was.
package struct LostTime: Hashable, Sendable {
    /// Seconds since 1970: up to then everything is there.
    package let from: Int64
    /// Seconds since 1970: from then on everything is there again.
    package let until: Int64

    /// Senders' clocks and this one differ by seconds.
    private static let slack: Int64 = 60

    /// Takes both.
    package init(from: Int64, until: Int64) { (self.from, self.until) = (from, until) }

    /// Whether a transaction of a moment may be lacking; nil: one of an unknown time, which came before `now`.
    func mayHaveTaken(_ moment: Int64?, now: Int64) -> Bool {
        guard let moment else { return now - until <= EarlyReversals.secondsMax }
        return moment >= from - Self.slack && moment <= until + Self.slack
    }
}
