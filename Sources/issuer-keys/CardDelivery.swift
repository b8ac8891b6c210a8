internal import ArgumentParser
internal import AuditTrail
internal import ByteCoding
internal import CardReaders
internal import EMV
internal import Foundation
internal import HSM
internal import Issuance
internal import KeyManagement
internal import PKCS11
internal import Synchronization

/// `personalise --to`: a batch brought into chips, as many side by side as there are readers.
final class CardDelivery: Sendable {
    let orders: CardOrders
    let place: CardPlace
    let seat: TokenSeat
    let ledger: BatchLedger
    let personaliser: CardPersonaliser
    let queue: OrderQueue
    let notes: TrailNotes
    let progress: DeliveryProgress
    private let pool: CardKeyPool
    private let desk: KeyDesk
    private let signers: [AuditSigner]
    private let list: String
    private let out: String
    private let masterKey: String
    private let readers: Int
    private let ahead: Int

    /// Opens keys, readers' place and ledger; nothing goes to a card yet.
    init(
        _ orders: CardOrders, _ certification: Certification, options: DeliveryOptions, list: String,
        out: String, desk: KeyDesk, signers: [AuditSigner]
    ) throws {
        (self.orders, self.list, self.out, self.desk, self.signers) = (orders, list, out, desk, signers)
        place = try options.place()
        masterKey = try options.masterKey()
        readers = try options.count(orders.orders.count, place)
        let batch = Hex.encode(
            PublicKeyArithmetic.portable.sha1(
                Array((list + orders.products.map(\.issuer.fingerprint).joined() + masterKey).utf8)) ?? [])
        ledger = try BatchLedger(path: out + ".batch", batch: batch, cards: orders.orders.count)
        let seat = try TokenSeat(at: desk.location)
        self.seat = seat
        let left = ledger.left(of: orders.orders.count)
        let (form, level) = (try options.form(), try options.level())
        // Certificates of each issuer, and pairs of each length, that are still to be made.
        var (certificates, pairs) = ([Int: Int](), [Int: Int]())
        for number in left {
            let product = orders.orders[number - 1].product
            let wanted = orders.products[product].issuer.certifier.keyPairsOfACard
            certificates[product, default: 0] += wanted.values.reduce(0, +)
            pairs.merge(wanted, uniquingKeysWith: +)
        }
        let opened = try seat.work { keys -> Opened in
            try TokenAbility.require(&keys)
            return Opened(
                products: try orders.products.enumerated().map { index, product in
                    try CardProductKeys(
                        product.issuer.certifier,
                        CardKeySource(product.labels, option: product.option, session: &keys.session),
                        serialNumbers: SerialNumberSupply(
                            certification.serialNumbers(of: product.issuer), wanted: certificates[index] ?? 0),
                        keys: &keys)
                },
                transport: try CardManagementMaster(
                    options.masterKey(), diversification: form, session: &keys.session),
                replacement: try options.newMaster.map {
                    guard (1...127).contains(options.newVersion) else {
                        throw ValidationError("--new-version has to be 1 to 127")
                    }
                    return (try CardManagementMaster($0, session: &keys.session), options.newVersion)
                })
        }
        // One session makes primes while the other signs, and makes them too where none is ready.
        ahead = try options.ahead()
        pool = CardKeyPool(pairs, at: desk.location, threads: 1, readyMax: max(64, ahead))
        personaliser = try CardPersonaliser(
            seat, pool: pool, products: opened.products, transport: opened.transport,
            replacement: opened.replacement, level: level)
        queue = OrderQueue(left)
        notes = TrailNotes(desk, signers: signers)
        progress = DeliveryProgress(
            total: orders.orders.count, earlier: ledger.done.count, busyBefore: seat.busy)
    }

    private struct Opened {
        let products: [CardProductKeys]
        let transport: CardManagementMaster
        let replacement: (master: CardManagementMaster, version: UInt8)?
    }

    /// The whole batch, or what of it can be done now.
    func run() throws {
        defer { pool.end() }
        stopAtInterrupt()
        if ahead > 0 {
            try pool.fill(ahead) { queue.isStopped }
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
        for _ in 0..<min(readers, queue.count) {
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
            list: list, masterKey: masterKey, orders: orders.orders, done: done, inDoubt: inDoubt,
            spoiled: ledger.spoiled, left: left)
        try desk.note(
            [
                AuditEvent(
                    .cardsPersonalised, key: masterKey,
                    details: [
                        "to": place.description, "list": list, "cards": "\(orders.orders.count)",
                        "done": "\(done.count)", "left": "\(left)", "in-doubt": "\(inDoubt.count)",
                        "spoiled": "\(report.spoiledChips.count)", "out": out,
                    ])
            ], signers: signers)
        print(
            progress.summary(
                done.count, left: left, inDoubt: inDoubt.count, spoiled: report.spoiledChips.count,
                token: seat.busy))
        if left == 0, inDoubt.isEmpty {
            try report.write(to: out)
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
            throw ValidationError("interrupted; the same command goes on")
        }
        throw ValidationError(
            "\(left) cards are left: \(queue.lastFault ?? "no fresh card is in a reader"). The same command goes on."
        )
    }
}

/// Set by Ctrl-C.
let interrupted = Atomic<Bool>(false)

/// What a token has to be able to do before a card is touched.
enum TokenAbility {
    /// - Throws: `ValidationError` in words for a token that wraps no keys under block ciphers (SoftHSM2).
    static func require(_ keys: inout SigningKeys) throws {
        let wrapping = Template(
            keyType: .aes, valueCount: 16, on: [.sensitive, .isPrivate, .wrap], off: [.token, .extractable])
        let leaving = Template(
            keyType: .aes, valueCount: 16, on: [.sensitive, .isPrivate, .extractable], off: [.token])
        let (wrapper, key) = (
            try keys.session.generateKey(.aes, wrapping), try keys.session.generateKey(.aes, leaving)
        )
        defer {
            try? keys.session.destroy(wrapper)
            try? keys.session.destroy(key)
        }
        let vector = [UInt8](repeating: 0, count: 16)
        do { _ = try keys.session.wrapKey(.aesCBC(initialVector: vector), under: wrapper, object: key) } catch
        {
            throw ValidationError(
                "this token cannot wrap a card's keys under the card's DEK (\(error)); cards cannot be personalised from it"
            )
        }
    }
}

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
