internal import EMV
internal import FoundationEssentials
internal import Synchronization
internal import VirtualCard

/// What the page asks for, without HTTP: paths and bodies in, status and content out.
final class WebTerminal: Sendable {
    struct Reply: Sendable {
        var status = 200
        var type = "application/json"
        var body: String
    }

    /// What the page sends; everything optional, and checked one by one.
    private struct Order: Decodable {
        let card: String?
        let link: String?
        let amount: String?
        let pin: String?
        let deed: String?
        let kind: String?
        let entry: String?
    }

    private struct Choice: Encodable {
        let value: String
        let words: String
    }

    private struct Choices: Encodable {
        let cards: [Choice]
        let links: [Choice]
        let deeds: [Choice]
        let kinds: [Choice]
        let entries: [Choice]
    }

    private let till: Mutex<Till>

    init(_ till: sending Till) { self.till = Mutex(till) }

    /// Blocks while the host is asked.
    func reply(method: String, path: String, body: [UInt8]) -> Reply {
        switch (method, path) {
        case ("GET", "/"): return Reply(type: "text/html; charset=utf-8", body: WebPage.html)
        case ("GET", "/style.css"): return Reply(type: "text/css", body: WebPage.style)
        case ("GET", "/script.js"): return Reply(type: "text/javascript", body: WebPage.script)
        case ("GET", "/choices"): return json(choices())
        case ("POST", "/pay"): return answer { try self.pay(body, &$0) }
        case ("POST", "/repeat"): return answer { try $0.payAgain() }
        case ("POST", "/reverse"): return answer { try $0.reverse() }
        default: return Reply(status: 404, type: "text/plain", body: "not found\n")
        }
    }

    private func choices() -> Choices {
        till.withLock { till in
            let cards = till.cardNames.map { name in
                Choice(value: name, words: "\(name)  \(till.words(ofCard: name))")
            }
            return Choices(
                cards: cards, links: till.linkNames.map { Choice(value: $0, words: $0) },
                deeds: Deed.allCases.map { Choice(value: $0.rawValue, words: $0.words) },
                kinds: TransactionKind.allCases.map { Choice(value: $0.words, words: $0.words) },
                entries: CardPresentation.allCases.map { Choice(value: $0.rawValue, words: $0.words) })
        }
    }

    private func pay(_ body: [UInt8], _ till: inout Till) throws -> TillReceipt {
        let order: Order
        do { order = try JSONDecoder().decode(Order.self, from: Data(body)) } catch {
            throw StepError("the order is not of the expected form")
        }
        guard let card = order.card, till.cardNames.contains(card) else { throw StepError("no such card") }
        guard let link = order.link ?? till.linkNames.first else { throw StepError("no such link") }
        guard let amount = order.amount.flatMap({ MoneyText.minorUnits($0) }), amount > 0 else {
            throw StepError("the amount has to be a number such as 42.50")
        }
        var pin: PIN?
        if let digits = order.pin, !digits.isEmpty {
            guard let typed = PIN(digits) else { throw StepError("the PIN has 4 to 12 digits") }
            pin = typed
        }
        guard let deed = Deed(rawValue: order.deed ?? Deed.nothing.rawValue) else {
            throw StepError("no such tampering")
        }
        guard let kind = TransactionKind.allCases.first(where: { $0.words == order.kind ?? "purchase" })
        else {
            throw StepError("no such kind of transaction")
        }
        guard let entry = CardPresentation(rawValue: order.entry ?? CardPresentation.chip.rawValue) else {
            throw StepError("no such way for a card to come")
        }
        var wanted = TillOrder(card: card, link: link, amount: amount, kind: kind, pin: pin, deed: deed)
        wanted.presentation = entry
        return try till.pay(wanted)
    }

    private func answer(_ body: (inout Till) throws -> TillReceipt) -> Reply {
        do {
            return json(try till.withLock { till in try body(&till) })
        } catch {
            var reply = json(["error": "\(error)"])
            reply.status = 400
            return reply
        }
    }

    private func json(_ value: some Encodable) -> Reply {
        guard let data = try? JSONEncoder().encode(value) else { return Reply(status: 500, body: "{}") }
        return Reply(body: String(decoding: data, as: UTF8.self))
    }
}
