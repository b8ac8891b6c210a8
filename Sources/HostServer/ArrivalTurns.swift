/// Which connections are asked at a tick what has arrived. That costs a system call each: so they take turns, by parts of equal size,
/// and each is asked once in ten ticks at least.
struct ArrivalTurns {
    /// In how many ticks each is asked, at most: a second's.
    static let ticksMost = 10

    private var tick = 0

    /// Another tick.
    mutating func next() { tick += 1 }

    /// - Parameters:
    ///   - part: which of them, 0…
    ///   - parts: how many there are, 1 or more.
    func asks(part: Int, of parts: Int) -> Bool {
        let turns = min(parts, Self.ticksMost)
        return part % turns == tick % turns
    }
}
