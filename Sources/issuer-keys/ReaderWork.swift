internal import AuditTrail
internal import CardReaders
internal import EMV
internal import Foundation
internal import Issuance

/// One reader's part of a batch: card after card until none is left.
struct ReaderWork {
    private let delivery: CardDelivery
    private static let failuresMax = 40
    private static let secondsForACard = 600

    init(_ delivery: CardDelivery) { self.delivery = delivery }

    func run() {
        var failures = 0
        while failures < ReaderWork.failuresMax, let number = delivery.queue.take() {
            let isDone = make(delivery.orders.orders[number - 1])
            failures = isDone ? 0 : failures + 1
            // Another reader may give a fresh card back.
            if !isDone { Thread.sleep(forTimeInterval: 0.005 * Double(failures)) }
        }
    }

    /// - Returns: false where the order is still to be made.
    private func make(_ order: CardOrder) -> Bool {
        let (queue, ledger) = (delivery.queue, delivery.ledger)
        do {
            let reader = try open()
            defer { close(reader) }
            let record = try delivery.personaliser.personalise(
                order, in: reader, begun: { try ledger.begin(order.number, chip: $0) },
                noted: { record in
                    // Another order's last command went to this chip, which is fresh all the same.
                    for freed in try ledger.release(inDoubtIn: record.chip, taker: record.card) {
                        queue.add(freed)
                    }
                    try delivery.notes.note(ReaderWork.event(record, list: delivery.plan.list))
                }, finishing: { try ledger.finish($0) })
            try ledger.complete(record.card)
            queue.complete()
            delivery.progress.cardIsDone()
            return true
        } catch PersonalisationFault.inDoubt {
            // Looked at once the others are done.
            queue.complete()
            return true
        } catch let fault as PersonalisationFault {
            queue.giveBack(order.number, "\(fault)")
        } catch let error as CardReaderError {
            queue.giveBack(order.number, "\(error)")
            if error.kind == .unreachable { queue.stop(error) }
        } catch {
            queue.giveBack(order.number, "\(error)")
            queue.stop(error)
        }
        return false
    }

    private func open() throws -> any CardReader {
        guard case .pcsc = delivery.place else { return try delivery.place.open() }
        // A second at a time, so that Ctrl-C is heard between them.
        for _ in 0..<ReaderWork.secondsForACard {
            do { return try delivery.place.open(waiting: 1) } catch {
                guard error.kind == .absent, !delivery.queue.isStopped else { throw error }
            }
        }
        throw CardReaderError(.absent, "\(delivery.place): no card came")
    }

    /// A rack takes the card out by itself; at a real reader a person does.
    private func close(_ reader: any CardReader) {
        reader.close()
        guard let real = reader as? PCSCReader, delivery.queue.hasWork else { return }
        FileHandle.standardError.write(Data("\(real.name): take the card out and put the next one in\n".utf8))
        while !real.waitForRemoval(seconds: 1), !delivery.queue.isStopped {}
    }

    private static func event(_ record: CardRecord, list: String) -> AuditEvent {
        AuditEvent(
            .cardCertified,
            details: [
                "card": "\(record.card)", "list": list, "chip": record.chip, "channel": record.channel,
                "serials": record.serialNumbers.joined(separator: " "),
                "kcvs": record.checkValues.joined(separator: " "), "key-version": "\(record.keyVersion)",
                "channel-kcvs": record.channelCheckValues.joined(separator: " "),
            ])
    }
}

/// What became of cards whose last command was not answered: every chip that is at hand is asked who it is.
struct DoubtResolution {
    private let delivery: CardDelivery
    private static let passesMax = 20
    private static let lostMax = 5

    init(_ delivery: CardDelivery) { self.delivery = delivery }

    func run() throws {
        for record in delivery.ledger.done {
            for card in try delivery.ledger.release(inDoubtIn: record.chip, taker: record.card) {
                delivery.queue.add(card)
            }
        }
        for _ in 0..<DoubtResolution.passesMax where !delivery.ledger.inDoubt.isEmpty {
            guard try pass() else { return }
        }
    }

    /// - Returns: false where another look would see the same.
    private func pass() throws -> Bool {
        var held: [any CardReader] = []
        defer { for reader in held { reader.close() } }
        var lost = 0
        var isUnsure = false
        while lost < DoubtResolution.lostMax, !delivery.ledger.inDoubt.isEmpty {
            guard let reader = try nextReader() else { break }
            do {
                let found = try ChipIdentity.read(
                    reader, identifiers: delivery.orders.identifiers, seat: delivery.seat)
                try settle(found)
                held.append(reader)
                // Somebody else's card, or an answer that was damaged on its way.
                if found == .unknown { isUnsure = true }
                // Chips far back in a large rack are asked too: only several in a row end a look.
                lost = 0
            } catch is PersonalisationFault {
                // Pulled out meanwhile, or no card is left.
                reader.close()
                lost += 1
                isUnsure = true
            }
            if case .pcsc = delivery.place { break }
        }
        return isUnsure && !held.isEmpty && !delivery.ledger.inDoubt.isEmpty
    }

    /// Nil where no card is at hand.
    private func nextReader() throws -> (any CardReader)? {
        do { return try delivery.place.open() } catch {
            if error.kind == .unreachable { throw error }
            return nil
        }
    }

    private func settle(_ found: ChipIdentity) throws {
        for record in delivery.ledger.inDoubt {
            switch found {
            case .personalised(delivery.orders.orders[record.card - 1].card.identity):
                try delivery.ledger.complete(record.card)
                delivery.progress.cardIsDone()
            case .fresh(record.chip):
                try delivery.ledger.release(record.card)
                delivery.queue.add(record.card)
            default: continue
            }
        }
    }
}
