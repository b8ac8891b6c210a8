import Testing

@testable import HostServer

/// In which order connections are asked what has arrived.
@Suite struct ArrivalTurnsTests {
    /// - Returns: for each part the ticks at which it is asked, out of so many.
    private func asked(_ parts: Int, ticks: Int) -> [[Int]] {
        var turns = ArrivalTurns()
        var asked = [[Int]](repeating: [], count: parts)
        for tick in 0..<ticks {
            for part in 0..<parts where turns.asks(part: part, of: parts) { asked[part].append(tick) }
            turns.next()
        }
        return asked
    }

    @Test("One part is asked at each tick, up to ten in turn", arguments: [1, 2, 8, 10])
    func inTurn(parts: Int) {
        let asked = asked(parts, ticks: 2 * parts)
        #expect(asked.allSatisfy { $0.count == 2 && $0[1] - $0[0] == parts })
        #expect(asked.joined().sorted() == Array(0..<2 * parts))
    }

    @Test("More than ten share the ticks: each is asked once in ten", arguments: [11, 79])
    func many(parts: Int) {
        let asked = asked(parts, ticks: 20)
        #expect(asked.allSatisfy { $0.count == 2 && $0[1] - $0[0] == ArrivalTurns.ticksMost })
        let perTick = (0..<20).map { tick in asked.joined().count { $0 == tick } }
        #expect(perTick.allSatisfy { $0 <= (parts + 9) / 10 })
    }
}
