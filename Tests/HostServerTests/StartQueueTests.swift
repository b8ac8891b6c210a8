import Testing

@testable import HostServer

/// Which requests are begun when. A model of a loop: what is begun either is finished at once, after some ticks, or never.
@Suite struct StartQueueTests {
    /// Everything that happens to requests that are numbered as they come.
    private final class Loop {
        var queue = StartQueue()
        private(set) var begun: [Int] = []
        private struct Begun { let now: Int, tick: Int }
        private var underWay: [Int: Begun] = [:]
        private var ticks = 0
        private(set) var finished = 0
        private var depth = 0
        /// Whether a request is finished as soon as it is begun.
        let isQuick: (Int) -> Bool

        init(isQuick: @escaping (Int) -> Bool = { _ in false }) { self.isQuick = isQuick }

        func come(_ number: Int) {
            if queue.begins() { begin(number) } else { queue.add { [unowned self] in begin(number) } }
        }

        func finish(_ number: Int) {
            guard let began = underWay.removeValue(forKey: number) else { return }
            finished += 1
            if queue.ended(began.now) { beginWaiting() }
        }

        func tick(busy: Double = 1) {
            ticks += 1
            queue.tick(busy: busy)
            beginWaiting()
        }

        /// Finishes what began so many ticks ago.
        func finish(after ticks: Int) {
            for (number, began) in underWay where began.tick <= self.ticks - ticks { finish(number) }
        }

        var oldest: Int? { underWay.keys.min() }
        var underWayCount: Int { underWay.count }

        private func begin(_ number: Int) {
            depth += 1
            #expect(depth == 1, "a request began within the beginning of another")
            begun.append(number)
            underWay[number] = Begun(now: queue.now, tick: ticks)
            if isQuick(number) { finish(number) }
            depth -= 1
        }

        private func beginWaiting() {
            while let start = queue.next() {
                start()
                queue.started()
            }
        }
    }

    @Test("As many as the limit begin at once, each one that is finished begins the next, in order")
    func limit() {
        let loop = Loop()
        for number in 0..<2_000 { loop.come(number) }
        #expect(loop.begun == Array(0..<StartQueue.limitLeast))
        for number in 0..<2_000 { loop.finish(number) }
        #expect(loop.begun == Array(0..<2_000) && loop.finished == 2_000)
    }

    @Test("Those that are finished as soon as they begin do not pile up on the stack")
    func quick() {
        let loop = Loop(isQuick: { $0 >= StartQueue.limitLeast })
        for number in 0..<100_000 { loop.come(number) }
        #expect(loop.begun.count == StartQueue.limitLeast)
        loop.finish(0)
        #expect(loop.begun == Array(0..<100_000))
    }

    @Test("While everything stands still few more begin; afterwards all do")
    func pause() {
        let loop = Loop()
        for number in 0..<30_000 { loop.come(number) }
        for _ in 0..<30 { loop.tick() }
        #expect(loop.begun.count <= StartQueue.limitLeast + 30 * StartQueue.trial)
        while let oldest = loop.oldest { loop.finish(oldest) }
        #expect(loop.begun == Array(0..<30_000))
    }

    @Test(
        "One store of several that stands still holds up no request for the others for long",
        arguments: [2, 3, 10], [300, 1_000])
    func oneOfSeveral(stores: Int, comeInATick: Int) {
        let loop = Loop(isQuick: { !$0.isMultiple(of: stores) })
        for tick in 0..<50 {
            for number in tick * comeInATick..<(tick + 1) * comeInATick { loop.come(number) }
            loop.tick(busy: 0.4)
            guard tick >= 10 else { continue }
            // All but those of the last two ticks.
            let live = (0..<(tick - 1) * comeInATick).filter(loop.isQuick).count
            #expect(loop.finished >= live)
        }
    }

    @Test("Where store or token takes long and the loop has time left, it decides as many as come")
    func latency() {
        let loop = Loop()
        var came = 0
        for tick in 0..<100 {
            for _ in 0..<600 {
                loop.come(came)
                came += 1
            }
            // Each takes three ticks.
            loop.finish(after: 3)
            loop.tick(busy: 0.1)
            if tick >= 20 { #expect(loop.begun.count == came, "nothing waits") }
        }
        // It has no time left: some hundred at a time again.
        loop.tick(busy: 0.9)
        #expect(loop.queue.limit == StartQueue.limitLeast)
    }

    @Test("What takes longer than a tick does not hold back the others")
    func slow() {
        let loop = Loop()
        for number in 0..<20_000 { loop.come(number) }
        // Each takes five ticks, of a loop without time left: the limit in each of them, and not in all of them.
        for tick in 1...60 {
            loop.tick()
            loop.finish(after: 5)
            if tick > 20 {
                #expect(loop.underWayCount >= 3 * StartQueue.limitLeast || loop.begun.count == 20_000)
            }
        }
    }
}
