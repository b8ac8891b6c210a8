import Synchronization
import Testing

@testable import Authorisation

/// The queue of one card: in order, and with a gap for other hosts.
@Suite struct CardTurnsTests {
    private final class Seen: Sendable {
        let clock = Mutex<UInt64>(0)
        let pauses = Mutex<[UInt64]>([])
        let order = Mutex<[Int]>([])
    }

    @Test("After every fourth hand-over the account is left alone for as long as a turn took, 20 ms at most")
    func gaps() async {
        let seen = Seen()
        let turns = CardTurns(
            Surroundings(
                unixSeconds: { 0 }, monotonicNanoseconds: { seen.clock.withLock { $0 } }, random: { 0 },
                pause: { gap in seen.pauses.withLock { $0.append(gap) } }))
        let token = CardToken(high: 1, low: 1)
        await turns.enter(token)
        await withTaskGroup { group in
            for number in 1...8 {
                group.addTask {
                    await turns.enter(token)
                    seen.order.withLock { $0.append(number) }
                    // The eighth follows a turn of 30 ms.
                    seen.clock.withLock { $0 += number == 7 ? 30_000_000 : 1_000_000 }
                    turns.leave(token)
                }
                while turns.queues.withLock({ $0[token]?.waiting.count ?? 0 }) < number { await Task.yield() }
            }
            turns.leave(token)
        }
        #expect(seen.order.withLock { $0 } == Array(1...8))
        #expect(seen.pauses.withLock { $0 } == [1_000_000, 20_000_000])
    }
}
