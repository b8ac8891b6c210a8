internal import EMV
internal import Foundation
internal import Glibc
internal import ISO8583
internal import LoadGenerator
internal import Synchronization
internal import VirtualCard

/// A terminal that buys without end: one request at a time, repeated when no decision came, on a thread of its own.
final class Lane: @unchecked Sendable {
    // Sendable because after `start` its thread alone touches the mutable parts.
    private let number: Int
    private let ledger: Ledger
    private let cards: [CampaignCard]
    private let ownFrom: Int
    private let port: Int
    private let builder: RequestBuilder
    private let codec: MessageCodec
    private let date: TransactionDate
    private let sendsReplays: Bool
    private var chance: Chance
    private var socket: LineSocket?
    private var count: UInt64 = 0
    /// ATCs of cards of its own for which an approval was told.
    private var approved: [(card: CampaignCard, atc: UInt16)] = []
    private let stopping = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)
    /// What stopped it, if it was not told to stop.
    private(set) var failure: String?

    init(
        number: Int, cards: CampaignCards, link: LoadLink, port: Int, ledger: Ledger, seed: UInt64,
        date: TransactionDate, sendsReplays: Bool
    ) throws {
        (self.number, self.port, self.ledger, self.date) = (number, port, ledger, date)
        self.sendsReplays = sendsReplays
        self.cards = Array(cards.shared) + Array(cards.own(lane: number))
        ownFrom = cards.shared.count
        builder = try RequestBuilder(link, products: cards.products)
        codec = link.codec
        chance = Chance(seed: seed &* 1_000 &+ UInt64(number))
    }

    func start() {
        let thread = Thread { [self] in
            do { try run() } catch { failure = "\(error)" }
            ended.signal()
        }
        thread.start()
    }

    func askToStop() { stopping.store(true, ordering: .relaxed) }

    func waitUntilStopped() { ended.wait() }

    private func run() throws {
        var chip = try ChipCryptography()
        while !stopping.load(ordering: .relaxed) {
            builder.setClock(unixSeconds: time(nil))
            let (request, message) = try next(&chip)
            var told = exchange(request, message)
            // Without a decision the terminal asks again, as long as it has patience.
            for _ in 0..<8 where told?.isDecision != true {
                guard !stopping.load(ordering: .relaxed), chance.below(4) > 0 else { break }
                pause(upTo: 300)
                told = exchange(request, message)
            }
            if let told, told.isApproval, request.form == .request {
                let card = cards.first { $0.number == request.card }
                if let card, request.card >= CampaignCards.sharedCount {
                    approved.append((card, request.atc))
                }
            }
            // Now and then the answer was lost behind the terminal's back: it has to be the same again.
            if told?.isDecision == true, request.card >= CampaignCards.sharedCount, chance.below(12) == 0 {
                _ = exchange(request, message)
            }
            if let remaining = reversal(of: request, told) { reverse(request, message, remaining: remaining) }
            pause(upTo: 120)
        }
    }

    /// What is to remain of it: what nobody answered is often undone, what was approved now and then.
    private func reversal(of request: SentRequest, _ told: Told?) -> Int64? {
        guard chance.below(told?.isDecision == true ? 10 : 2) == 0 else { return nil }
        if told?.isDecision == true, told?.isApproval != true { return nil }
        return chance.below(3) == 0 ? Int64(chance.below(Int(request.minorUnits))) : 0
    }

    /// Asks until it is told, with more patience than for a request: the money is the cardholder's.
    private func reverse(_ request: SentRequest, _ message: Message, remaining: Int64) {
        count += 1
        let own = UInt64(this: number, count)
        var message = message
        message.becomeReversal(
            stan: own % 1_000_000, type: .reversalAdvice, remaining: UInt64(remaining))
        for attempt in 0..<24 {
            if attempt > 0 {
                guard !stopping.load(ordering: .relaxed) else { return }
                message.mti = .reversalAdviceRepeat
                pause(upTo: 300)
            }
            let sentAt = DispatchTime.now().uptimeNanoseconds
            ledger.sentReversal(of: request.number, remaining: remaining)
            let told = transmit(message, request.number)
            if told == nil { socket = nil }
            ledger.answeredReversal(
                of: request.number, told, lane: number, sentAt: sentAt,
                now: DispatchTime.now().uptimeNanoseconds)
            if told?.isDecision == true { return }
        }
    }

    private func pause(upTo milliseconds: Int) {
        usleep(UInt32(1_000 * chance.below(milliseconds)))
    }

    // MARK: - Requests

    /// An advice is a request that a terminal has approved itself: no PIN, and nothing to decide.
    private func becomeAdvice(_ request: inout SentRequest, _ message: inout Message) {
        request.form = .advice
        message.mti = .authorisationAdvice
        message.set(.responseCode, text: "00")
    }

    private func next(_ chip: inout ChipCryptography) throws -> (SentRequest, Message) {
        count += 1
        var card = cards[chance.below(cards.count)]
        var tampering = Tampering.none
        let isForged = chance.below(30) == 0
        if isForged { tampering = .flippedCryptogramBit(chance.below(64)) }
        var isReplay = false
        if !isForged, sendsReplays, chance.below(12) == 0,
            let earlier = approved.suffix(40).randomElement(using: &chance)
        {
            card = earlier.card
            tampering = .atc(.init(rawValue: earlier.atc))
            isReplay = true
        }
        // A replay is of another amount: with the same one it would be a repeat of the same transaction.
        let amount = UInt64((isReplay ? 301 : 1) + chance.below(300))
        let kind: SentRequest.PINKind = [.none, .right, .right, .right][chance.below(4)]
        let pin = chance.below(25) == 0 ? SentRequest.PINKind.wrong : kind
        let answer = try card.answer(
            TerminalTransaction(
                amount: amount, date: date,
                unpredictableNumber: .init(rawValue: UInt32(truncatingIfNeeded: chance.next()))),
            with: &chip, tampering: tampering)
        let number = UInt64(this: self.number, count)
        var request = SentRequest(
            number: number, card: card.number, atc: answer.atc.rawValue, minorUnits: Int64(amount), pin: pin,
            isForged: isForged, isReplay: isReplay)
        var message = try builder.message(
            product: card.product, identity: card.identity, amount: amount, chipData: answer.chipData,
            pin: pin == .none ? nil : pin == .right ? card.pin : card.wrongPIN, sequence: number)
        if pin == .none, !isReplay, chance.below(4) == 0 { becomeAdvice(&request, &message) }
        return (request, message)
    }

    /// One transmission. Nil if no answer came; the connection is given up then, so that none can come later.
    private func exchange(_ request: SentRequest, _ message: Message) -> Told? {
        let sentAt = DispatchTime.now().uptimeNanoseconds
        ledger.sent(request, at: sentAt)
        let told = transmit(message, request.number)
        if told == nil { socket = nil }
        ledger.answered(
            request.number, told, lane: number, sentAt: sentAt, now: DispatchTime.now().uptimeNanoseconds)
        return told
    }

    private func transmit(_ message: Message, _ number: UInt64) -> Told? {
        if socket == nil { socket = LineSocket(port: port, timeoutMilliseconds: 4_000) }
        guard let socket, let payload = try? codec.encode(message), socket.send(payload),
            let frame = socket.receive(), let answer = try? codec.decode(frame),
            answer.text(.retrievalReferenceNumber).flatMap(UInt64.init) == number,
            answer.text(.stan) == message.text(.stan),
            let code = answer.text(.responseCode)
        else { return nil }
        return Told(code: code, approvalCode: answer.text(.authorisationCode))
    }
}

extension UInt64 {
    /// A number of its own for every request of every lane, the last six digits too until a lane has sent ten thousand.
    init(this lane: Int, _ count: UInt64) {
        self = (count / 10_000) * 1_000_000 + UInt64(lane) * 10_000 + count % 10_000
    }
}
