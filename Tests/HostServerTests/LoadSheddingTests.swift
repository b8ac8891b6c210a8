import Testing

@testable import HostServer

/// Which requests are refused: those that are lost, and no others. A model of a loop that answers in order, at a capacity
/// that the test sets, with requests that come at a rate; time goes in steps of a millisecond.
@Suite struct LoadSheddingTests {
    private struct Loop {
        var load = LoadShedding()
        var now: UInt64 = 1_000_000_000
        /// When each request under way came, oldest first.
        var line: [UInt64] = []
        var head = 0
        var (owed, due) = (0.0, 0.0)
        var (offered, refused, late, answered) = (0, 0, 0, 0)
        /// The longest that an answer took, in milliseconds.
        var longest: UInt64 = 0
        var answerTime: UInt64 = 5_000_000_000

        /// - Parameters:
        ///   - rate: requests a second.
        ///   - capacity: answers a second; 0: everything stands still.
        mutating func run(milliseconds: Int, rate: Double, capacity: Double) {
            for _ in 0..<milliseconds {
                now += 1_000_000
                due += rate / 1_000
                while due >= 1 {
                    due -= 1
                    come()
                }
                owed = min(owed + capacity / 1_000, max(1, capacity / 1_000))
                while owed >= 1, head < line.count {
                    owed -= 1
                    finish()
                }
                if now % 100_000_000 == 0 { load.tick(now: now) }
            }
        }

        mutating func come() {
            offered += 1
            if load.admits(within: answerTime, now: now) {
                load.begun()
                line.append(now)
            } else {
                refused += 1
            }
        }

        private mutating func finish() {
            let took = now - line[head]
            head += 1
            longest = max(longest, took / 1_000_000)
            answered += 1
            if took > answerTime { late += 1 }
            load.ended()
        }

        /// Counts begin anew.
        mutating func forget() { (offered, refused, late, answered, longest) = (0, 0, 0, 0, 0) }
    }

    @Test(
        "A pause of up to three fifths of the answer time at half load costs no refusal and no late answer",
        arguments: [100, 250, 500, 1_000, 2_000, 3_000], [200.0, 2_000, 20_000])
    func pauses(milliseconds: Int, capacity: Double) {
        var loop = Loop()
        loop.run(milliseconds: 3_000, rate: capacity / 2, capacity: capacity)
        for _ in 0..<3 {
            loop.run(milliseconds: milliseconds, rate: capacity / 2, capacity: 0)
            loop.run(milliseconds: 2 * milliseconds + 500, rate: capacity / 2, capacity: capacity)
        }
        #expect(loop.refused == 0)
        #expect(loop.late == 0)
    }

    @Test("What moves a little in a pause does not end it", arguments: [2.0, 10, 30])
    func trickle(finishedPerSecond: Double) {
        var loop = Loop()
        loop.run(milliseconds: 3_000, rate: 2_000, capacity: 4_000)
        for _ in 0..<3 {
            loop.run(milliseconds: 3_000, rate: 2_000, capacity: finishedPerSecond)
            loop.run(milliseconds: 6_500, rate: 2_000, capacity: 4_000)
        }
        #expect(loop.refused == 0)
        #expect(loop.late == 0)
    }

    @Test("What a pause held up may be finished at once, and what was not sent meanwhile may come at once")
    func bursts() {
        var loop = Loop()
        loop.run(milliseconds: 1_000, rate: 6_000, capacity: 4_000)
        loop.run(milliseconds: 3_000, rate: 2_000, capacity: 4_000)
        loop.forget()
        for _ in 0..<3 {
            loop.run(milliseconds: 1_500, rate: 2_000, capacity: 0)
            loop.run(milliseconds: 1_500, rate: 0, capacity: 0)
            // Half of a stretch, so that two of them show five times of what the loop can do.
            loop.run(milliseconds: 150, rate: 2_000, capacity: 20_000)
            for _ in 0..<3_000 { loop.come() }
            loop.run(milliseconds: 6_000, rate: 2_000, capacity: 4_000)
        }
        #expect(loop.refused == 0)
        #expect(loop.late == 0)
    }

    @Test("Half load with a line that is long for moments teaches nothing of what the loop can do")
    func busyMoments() {
        var loop = Loop()
        // Sixty come at once thirty times a second: the line is long at many ticks, and empty before the next.
        for _ in 0..<120 {
            for _ in 0..<60 { loop.come() }
            loop.run(milliseconds: 33, rate: 0, capacity: 4_000)
        }
        loop.run(milliseconds: 3_000, rate: 2_000, capacity: 0)
        loop.run(milliseconds: 4_000, rate: 2_000, capacity: 4_000)
        #expect(loop.refused == 0)
        #expect(loop.late == 0)
    }

    @Test("In a flood the oldest are answered in time, the newest refused, and afterwards all is as before")
    func flood() {
        var loop = Loop()
        loop.run(milliseconds: 2_000, rate: 1_000, capacity: 4_000)
        loop.forget()
        loop.run(milliseconds: 2_500, rate: 12_000, capacity: 4_000)
        #expect(loop.answered >= 25 * 400 * 9 / 10, "goodput")
        #expect(loop.late == 0 && loop.longest <= 2_600)
        // It is known after a second in which the line grew, and the line becomes short.
        loop.run(milliseconds: 2_500, rate: 12_000, capacity: 4_000)
        #expect(loop.refused > loop.offered / 2)
        loop.forget()
        loop.run(milliseconds: 4_000, rate: 12_000, capacity: 4_000)
        #expect(loop.answered >= 4 * 4_000 * 99 / 100, "goodput")
        #expect(loop.late == 0 && loop.longest < 600)
        // What stands in line now is worked off within the first second, which refuses nobody.
        loop.forget()
        loop.run(milliseconds: 1_000, rate: 1_000, capacity: 4_000)
        #expect(loop.refused == 0 && loop.late == 0)
        loop.forget()
        loop.run(milliseconds: 1_000, rate: 1_000, capacity: 4_000)
        #expect(loop.refused == 0 && loop.longest < 50)
    }

    @Test("A line that gets shorter is no flood", arguments: [0.5, 0.7, 0.9])
    func shrinks(load: Double) {
        var loop = Loop()
        loop.run(milliseconds: 3_000, rate: 4_000 * load, capacity: 4_000)
        loop.run(milliseconds: 2_000, rate: 4_000 * load, capacity: 0)
        loop.run(milliseconds: 9_000, rate: 4_000 * load, capacity: 4_000)
        #expect(loop.refused == 0 && !loop.load.isFlooded)
    }

    @Test("A flood is one by the shortest of the answer times, whatever others have")
    func answerTimes() {
        var loop = Loop()
        loop.run(milliseconds: 2_000, rate: 1_000, capacity: 4_000)
        for step in 0..<3_000 {
            loop.answerTime = step % 3 == 0 ? 60_000_000_000 : 5_000_000_000
            loop.run(milliseconds: 1, rate: 12_000, capacity: 4_000)
        }
        #expect(loop.load.isFlooded)
    }

    @Test("A flood that only keeps a long line as long as it is becomes known as well")
    func standing() {
        var loop = Loop()
        loop.run(milliseconds: 2_000, rate: 2_000, capacity: 4_000)
        for _ in 0..<4_000 { loop.come() }
        loop.run(milliseconds: 4_500, rate: 4_000, capacity: 4_000)
        #expect(loop.load.isFlooded)
    }

    @Test("A flood after a pause, and a pause in a flood, make no accepted request late")
    func floodAndPause() {
        var loop = Loop()
        loop.run(milliseconds: 1_000, rate: 2_000, capacity: 4_000)
        loop.run(milliseconds: 1_500, rate: 2_000, capacity: 0)
        loop.run(milliseconds: 3_000, rate: 12_000, capacity: 4_000)
        loop.run(milliseconds: 1_500, rate: 6_000, capacity: 0)
        loop.run(milliseconds: 4_000, rate: 6_000, capacity: 4_000)
        #expect(loop.late == 0)
    }

    @Test("A line that will not be worked off in time takes nobody in")
    func slow() {
        var loop = Loop()
        loop.run(milliseconds: 3_000, rate: 100, capacity: 50)
        loop.answerTime = 500_000_000
        loop.forget()
        loop.run(milliseconds: 200, rate: 100, capacity: 50)
        #expect(loop.refused > 10)
    }

    @Test("What stands still for longer than there is time for is not waited for")
    func still() {
        var loop = Loop()
        loop.run(milliseconds: 1_000, rate: 1_000, capacity: 4_000)
        loop.run(milliseconds: 4_900, rate: 1_000, capacity: 0)
        #expect(loop.refused == 0)
        loop.run(milliseconds: 1_000, rate: 1_000, capacity: 0)
        #expect(loop.refused > 500)
        // And once it moves, everybody is let in again.
        loop.run(milliseconds: 4_000, rate: 1_000, capacity: 8_000)
        loop.forget()
        loop.run(milliseconds: 1_000, rate: 1_000, capacity: 8_000)
        #expect(loop.refused == 0)
    }

    @Test("One request that hangs keeps nobody out")
    func oneHangs() {
        var loop = Loop()
        loop.load.begun()
        loop.run(milliseconds: 10_000, rate: 1_000, capacity: 4_000)
        #expect(loop.refused == 0)
    }

    @Test("Nothing is known of a loop that has little to do: it takes all")
    func idle() {
        var loop = Loop()
        loop.answerTime = 10_000_000
        loop.run(milliseconds: 3_000, rate: 20, capacity: 30)
        #expect(loop.refused == 0)
    }
}
