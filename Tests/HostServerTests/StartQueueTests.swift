import Testing

@testable import HostServer

/// Which requests are begun when. A model of a loop: what is begun either is finished at once, after some ticks, or never.
@Suite struct StartQueueTests {
    /// Everything that happens to requests that are numbered as they come.
    private final class Loop {
        var queue = StartQueue()
        private(set) var begun: [Int] = []
        /// Ticks in which those began that are not finished, by number.
        private(set) var underWay: [Int: Int] = [:]
        private(set) var finished = 0
        private var deepest = 0
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
            if queue.ended(began) { beginWaiting() }
        }

        func tick() {
            queue.tick()
            beginWaiting()
        }

        private func begin(_ number: Int) {
            depth += 1
            #expect(depth == 1, "a request began within the beginning of another")
            begun.append(number)
            underWay[number] = queue.now
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
        #expect(loop.begun == Array(0..<StartQueue.limit))
        for number in 0..<2_000 { loop.finish(number) }
        #expect(loop.begun == Array(0..<2_000) && loop.finished == 2_000)
    }

    @Test("Those that are finished as soon as they begin do not pile up on the stack")
    func quick() {
        let loop = Loop(isQuick: { $0 >= StartQueue.limit })
        for number in 0..<100_000 { loop.come(number) }
        #expect(loop.begun.count == StartQueue.limit)
        loop.finish(0)
        #expect(loop.begun == Array(0..<100_000))
    }

    @Test("While everything stands still few more begin; afterwards all do")
    func pause() {
        let loop = Loop()
        for number in 0..<30_000 { loop.come(number) }
        for _ in 0..<30 { loop.tick() }
        #expect(loop.begun.count <= StartQueue.limit + 30 * StartQueue.trial)
        while let oldest = loop.underWay.keys.min() { loop.finish(oldest) }
        #expect(loop.begun == Array(0..<30_000))
    }

    @Test(
        "One store of several that stands still holds up no request for the others for long",
        arguments: [2, 3, 10])
    func oneOfSeveral(stores: Int) {
        let loop = Loop(isQuick: { !$0.isMultiple(of: stores) })
        // 3,000 a second in ticks of 100 ms, for five seconds.
        for tick in 0..<50 {
            for number in tick * 300..<tick * 300 + 300 { loop.come(number) }
            loop.tick()
            let live = (0..<tick * 300).filter(loop.isQuick).count
            // Those of the last half second may be on their way.
            #expect(loop.finished >= live - 1_500)
        }
        loop.tick()
        #expect(loop.finished >= (0..<15_000).filter(loop.isQuick).count - 300)
    }

    @Test("What takes longer than a tick does not hold back the others")
    func slow() {
        let loop = Loop()
        for number in 0..<20_000 { loop.come(number) }
        // Each takes five ticks: the limit in each of them, and not in all of them.
        for tick in 1...60 {
            loop.tick()
            for (number, began) in loop.underWay where began <= loop.queue.now - 5 { loop.finish(number) }
            if tick > 20 {
                #expect(loop.underWay.count >= 3 * StartQueue.limit || loop.begun.count == 20_000)
            }
        }
    }
}
