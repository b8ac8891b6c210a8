internal import AuditTrail
internal import CardReaders
internal import Foundation
internal import Issuance
internal import Synchronization

/// `personalise --to`: a batch brought into chips, as many side by side as there are readers.
final class CardDelivery: Sendable {
    let plan: DeliveryPlan
    let ledger: BatchLedger
    let personaliser: CardPersonaliser
    let queue: OrderQueue
    let notes: TrailNotes
    let progress: DeliveryProgress
    private let pool: CardKeyPool
    private let signers: [AuditSigner]

    var orders: CardOrders { plan.orders }
    var place: CardPlace { plan.place }
    var seat: TokenSeat { plan.seat }

    /// Begins the batch, or goes on with it; nothing goes to a card yet.
    /// - Parameter signers: who approved it.
    init(_ plan: DeliveryPlan, signers: [AuditSigner]) throws {
        (self.plan, self.signers) = (plan, signers)
        ledger = try plan.ledger ?? plan.beginLedger()
        // One session makes primes while the other signs, and makes them too where none is ready.
        pool = CardKeyPool(plan.pairs, at: plan.desk.location, threads: 1, readyMax: max(64, plan.ahead))
        personaliser = try CardPersonaliser(
            plan.seat, pool: pool, products: plan.keys.products, transport: plan.keys.transport,
            replacement: plan.keys.replacement, level: plan.level)
        queue = OrderQueue(ledger.left(of: plan.orders.orders.count))
        notes = TrailNotes(plan.desk, signers: signers)
        progress = DeliveryProgress(
            total: plan.orders.orders.count, earlier: ledger.done.count, busyBefore: plan.seat.busy)
    }

    /// The whole batch, or what of it can be done now.
    func run() throws {
        defer { pool.end() }
        stopAtInterrupt()
        // Who approved which list stands in the trail whatever becomes of the program.
        try plan.desk.note([plan.event(.commandStarted, ["command": "personalise"])], signers: signers)
        if plan.ahead > 0 {
            try pool.fill(plan.ahead) { queue.isStopped }
            progress.restart()
        }
        if !ledger.inDoubt.isEmpty { try DoubtResolution(self).run() }
        var before = -1
        // What a pulled card left open is cleared up, and what no chip has is made again.
        while queue.hasWork, ledger.done.count != before, !queue.isStopped {
            before = ledger.done.count
            deliver()
            if !ledger.inDoubt.isEmpty, queue.failure == nil { try DoubtResolution(self).run() }
        }
        progress.end()
        try finish()
    }

    private func deliver() {
        let group = DispatchGroup()
        for _ in 0..<min(plan.readers, queue.count) {
            group.enter()
            let thread = Thread { [self] in
                ReaderWork(self).run()
                group.leave()
            }
            thread.start()
        }
        group.wait()
    }

    private func stopAtInterrupt() {
        signal(SIGINT) { _ in
            // The second one ends the program as usual.
            signal(SIGINT, SIG_DFL)
            interrupted.store(true, ordering: .relaxed)
        }
    }

    private func finish() throws {
        let (done, inDoubt) = (ledger.done, ledger.inDoubt)
        let left = ledger.left(of: orders.orders.count).count
        let report = DeliveryReport(
            list: plan.list, masterKey: plan.masterKey, orders: orders.orders, done: done, inDoubt: inDoubt,
            spoiled: ledger.spoiled, left: left)
        try plan.desk.note(
            [
                plan.event(
                    .cardsPersonalised,
                    [
                        "done": "\(done.count)", "left": "\(left)", "in-doubt": "\(inDoubt.count)",
                        "spoiled": "\(report.spoiledChips.count)", "out": plan.out,
                    ])
            ], signers: signers)
        print(
            progress.summary(
                done.count, left: left, inDoubt: inDoubt.count, spoiled: report.spoiledChips.count,
                token: seat.busy))
        if left == 0, inDoubt.isEmpty {
            try report.write(to: plan.out)
            ledger.remove()
            return
        }
        for record in inDoubt {
            print(
                "card \(record.card) is in doubt: chip \(record.chip) has it or no chip has; put that chip into a reader"
            )
        }
        if let failure = queue.failure { throw failure }
        if interrupted.load(ordering: .relaxed) {
            throw IssuanceError("batch", "interrupted; the same command goes on")
        }
        throw IssuanceError(
            "batch",
            "\(left) cards are left: \(queue.lastFault ?? "no fresh card is in a reader"). The same command goes on."
        )
    }
}

/// Set by Ctrl-C.
let interrupted = Atomic<Bool>(false)

/// Orders that are still to be made, taken by many readers.
final class OrderQueue: @unchecked Sendable {
    // Sendable because everything that changes is only touched under `condition`.
    private let condition = NSCondition()
    private var pending: [Int]
    private var inHand = 0
    private var stopping: (any Error)?
    private var fault: String?

    /// - Parameter numbers: of orders, from 1.
    init(_ numbers: [Int]) { pending = numbers.reversed() }

    private func locked<Result>(_ body: () -> Result) -> Result {
        condition.lock()
        defer { condition.unlock() }
        return body()
    }

    var count: Int { locked { pending.count } }
    var hasWork: Bool { locked { !pending.isEmpty } }
    /// Something failed that no other card could mend.
    var failure: (any Error)? { locked { stopping } }
    /// Why the last card failed.
    var lastFault: String? { locked { fault } }
    var isStopped: Bool { locked { stopping != nil } || interrupted.load(ordering: .relaxed) }

    /// The next order; nil once none is left and none can come back.
    func take() -> Int? {
        locked {
            while pending.isEmpty, inHand > 0, stopping == nil {
                _ = condition.wait(until: Date(timeIntervalSinceNow: 0.2))
            }
            guard stopping == nil, !interrupted.load(ordering: .relaxed), let number = pending.popLast()
            else {
                return nil
            }
            inHand += 1
            return number
        }
    }

    /// A chip has it, or may have it.
    func complete() {
        locked {
            inHand -= 1
            condition.broadcast()
        }
    }

    /// It has to be made in another chip.
    func giveBack(_ number: Int, _ words: String) {
        locked {
            inHand -= 1
            fault = words
            pending.append(number)
            condition.broadcast()
        }
    }

    /// It was in doubt, and no chip has it.
    func add(_ number: Int) { locked { pending.append(number) } }

    /// Ends the batch after the cards in hand.
    func stop(_ error: any Error) {
        locked {
            stopping = stopping ?? error
            condition.broadcast()
        }
    }
}
