import Testing

@testable import HostServer

/// When connections spread over loops and when they come together again.
@Suite struct LoopBalanceTests {
    private func reports(_ busy: [Double], movable: [Int]) -> [LoopBalance.Report?] {
        zip(busy, movable).map { LoopBalance.Report(busy: $0, movable: $1) }
    }

    /// The order that comes of the same reports again and again, and after how many.
    private func order(
        _ busy: [Double], movable: [Int], from balance: inout LoopBalance, within count: Int = 200
    ) -> (order: LoopBalance.Order, after: Int)? {
        for number in 1...count {
            if let order = balance.next(reports(busy, movable: movable)) { return (order, number) }
        }
        return nil
    }

    @Test("A busy loop gives what makes both alike, once it has been busy for a second")
    func spreads() {
        var balance = LoopBalance()
        let found = order([1, 0], movable: [8, 0], from: &balance)
        #expect(found?.order == .init(from: 0, to: 1, share: 0.5))
        #expect(found?.after == LoopBalance.spreadingReports)
        // To the one that has the most time, and less where it has something to do.
        #expect(order([0.5, 1, 0.2, 0.6], movable: [1, 8, 1, 1], from: &balance)?.order.from == 1)
        var other = LoopBalance()
        #expect(order([0.86, 0], movable: [8, 0], from: &other)?.after == LoopBalance.spreadingReports)
        other = LoopBalance()
        let share = order([0.96, 0.48], movable: [8, 2], from: &other)?.order.share ?? 0
        #expect(abs(share - 0.25) < 0.001)
    }

    @Test(
        "Nothing spreads where a loop has time, the other one has none, or no connection may move",
        arguments: [([0.75, 0], [8, 0]), ([1, 0.8], [8, 8]), ([1, 0], [0, 0]), ([0.7, 0.7], [8, 8])])
    func stays(busy: [Double], movable: [Int]) {
        var balance = LoopBalance()
        #expect(order(busy, movable: movable, from: &balance)?.order == nil)
    }

    @Test("A burst of half a second moves nothing")
    func burst() {
        var balance = LoopBalance()
        for _ in 0..<20 {
            for _ in 0..<5 { #expect(balance.next(reports([1, 0], movable: [8, 0])) == nil) }
            for _ in 0..<5 { #expect(balance.next(reports([0.3, 0], movable: [8, 0])) == nil) }
        }
    }

    @Test("What has little to do comes together on the first loops, after five seconds, and stays there")
    func gathers() {
        var balance = LoopBalance()
        let found = order([0.2, 0.2], movable: [4, 4], from: &balance)
        #expect(found?.order == .init(from: 1, to: 0, share: 1))
        #expect(found?.after == LoopBalance.gatheringReports)
        // One loop needs less than both together did.
        #expect(order([0.35, 0], movable: [8, 0], from: &balance) == nil)
        var third = LoopBalance()
        #expect(
            order([0.4, 0.1, 0.1], movable: [3, 3, 3], from: &third)?.order
                == .init(from: 2, to: 1, share: 1))
        var busy = LoopBalance()
        #expect(order([0.4, 0.3], movable: [4, 4], from: &busy) == nil)
    }

    @Test("What does not come together is tried again later and later; what does goes on")
    func patience() {
        var balance = LoopBalance()
        let after = (0..<4).map { _ in
            order([0.2, 0.2], movable: [4, 4], from: &balance, within: 500)?.after
        }
        #expect(after == [50, 100, 200, 400])
        var other = LoopBalance()
        let going = [300, 172, 44].map { order([0.2, 0.2], movable: [4, $0], from: &other)?.after }
        #expect(going == [50, 50, 50])
        // A loop that is too busy keeps none of the others apart.
        var busy = LoopBalance()
        #expect(
            order([0.1, 0.1, 0.75], movable: [3, 3, 3], from: &busy)?.order
                == .init(from: 1, to: 0, share: 1))
    }

    @Test("What spread is not held against the next rush")
    func nextRush() {
        var balance = LoopBalance()
        for _ in 0..<4 {
            let after = order([1, 0], movable: [8, 0], from: &balance)?.after ?? .max
            #expect(after <= LoopBalance.spreadingReports)
            // Half of them went; then all are gone, and eight new ones begin together.
            #expect(balance.next(reports([0.6, 0.6], movable: [4, 4])) == nil)
            for _ in 0..<10 { #expect(balance.next(reports([0, 0], movable: [0, 0])) == nil) }
        }
    }

    @Test("In a flood that cannot spread, connections that come and go change nothing", arguments: [8, 1])
    func churn(connections: Int) {
        var balance = LoopBalance()
        var movable = connections
        let after = (0..<5).map { _ in
            (1...1_000).first { _ in
                movable = movable == connections ? connections - 1 : connections
                return balance.next(reports([1, 0.1], movable: [movable, 0])) != nil
            }
        }
        #expect(after == [10, 20, 40, 80, 160])
    }

    @Test("A new connection stays where it began unless that loop is crowded and another one is not")
    func new() {
        #expect(LoopBalance.placeOfNew(on: 0, reports([0.7, 0], movable: [1, 1])) == nil)
        #expect(LoopBalance.placeOfNew(on: 0, reports([0.9, 0.7], movable: [1, 1])) == nil)
        #expect(LoopBalance.placeOfNew(on: 0, reports([0.9, 0.5, 0.1], movable: [1, 1, 1])) == 2)
        #expect(LoopBalance.placeOfNew(on: 0, [.init(busy: 1, movable: 1), nil]) == nil)
    }

    @Test("After an order the loops are looked at anew, and not while one says nothing")
    func anew() {
        var balance = LoopBalance()
        #expect(order([1, 0], movable: [8, 0], from: &balance)?.after == LoopBalance.spreadingReports)
        // It was of no use: twice as long. It was, for a second: as at first.
        #expect(order([1, 0], movable: [8, 0], from: &balance)?.after == 2 * LoopBalance.spreadingReports)
        for _ in 0..<10 { #expect(balance.next(reports([0.6, 0.6], movable: [4, 4])) == nil) }
        let next = order([1, 0], movable: [4, 4], from: &balance)?.after ?? .max
        #expect(next <= LoopBalance.spreadingReports)
        balance = LoopBalance()
        for _ in 0..<9 { #expect(balance.next(reports([1, 0], movable: [8, 0])) == nil) }
        #expect(balance.next([.init(busy: 1, movable: 8), nil]) == nil)
        #expect(order([1, 0], movable: [2, 6], from: &balance)?.after == LoopBalance.spreadingReports)
    }
}
