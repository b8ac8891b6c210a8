internal import EMV
internal import ISO8583
internal import IssuerMessages
public import VirtualCard

/// One transaction as a till shows it, everything decoded and masked.
public struct TillReceipt: Sendable, Encodable {
    /// What was done.
    public let title: String
    /// Issuer and card agree to it.
    public let approved: Bool
    /// `00 approved`, or why there is no answer.
    public let response: String
    /// What the card makes of the issuer's cryptogram; empty where it was not asked.
    public let verdict: String
    /// Of the answer.
    public let milliseconds: String
    /// The request, element by element.
    public let requestText: String
    /// The answer, element by element.
    public let responseText: String
    /// Stages on the way, and the card's conversation.
    public let trace: [String]
}

/// A terminal for people: pays, repeats, reverses, and keeps what it needs for that.
public struct Till {
    /// Cards and links to choose from.
    public let bench: Bench
    private let timeout: Duration
    private var terminal: Terminal
    private var cards: [String: VirtualCard] = [:]
    private var last: (sent: SentRequest, link: Link)?

    /// - Parameter timeout: for a connection and an answer.
    public init(_ bench: Bench, timeout: Duration, terminal: Terminal = Terminal()) {
        self.bench = bench
        self.timeout = timeout
        self.terminal = terminal
    }

    /// The names of the cards, the one that nobody issued among them.
    public var cardNames: [String] { bench.issuer.cards.map(\.name) + [DemoTable.stranger] }
    /// The names of the links.
    public var linkNames: [String] { bench.configuration.links.map(\.name) }

    /// A purchase.
    /// - Parameters:
    ///   - pin: nil pays without.
    ///   - deed: what is done to the request behind the terminal's back.
    public mutating func pay(
        card name: String, link linkName: String, amount: UInt64, pin: PIN?, deed: Deed
    ) throws -> TillReceipt {
        let link = try bench.link(bench.configuration.link(linkName))
        var card = try card(name)
        let purchase = Purchase(
            amount: amount, pin: pin.map { .typed($0) } ?? .none,
            distortion: deed.distortion(card: card, amount: amount))
        let title = "\(MoneyText.text(amount, currency: card.definition.currencyCode)) with \(name)"
        guard deed == .nothing else {
            let request = try terminal.request(
                purchase, card: &card, zonePINKey: link.zonePINKey, dialect: link.form.codec.dialect)
            cards[name] = card
            let sent = SentRequest(
                message: request.message, cardAnswer: request.cardAnswer, card: name, start: .now)
            return try ask(sent, link, title, bytesCut: request.bytesCut, nil)
        }
        return try converse(purchase, card: &card, link, title)
    }

    private mutating func converse(
        _ purchase: Purchase, card: inout VirtualCard, _ link: Link, _ title: String
    ) throws -> TillReceipt {
        let name = card.definition.name
        var risk = TerminalRisk()
        risk.month = terminal.month
        var conversation = CardConversation(
            card, application: ChipApplication(for: card.definition.product), risk: risk)
        let request: PurchaseRequest
        do {
            request = try terminal.request(
                purchase, card: &card, zonePINKey: link.zonePINKey, dialect: link.form.codec.dialect
            ) { _, transaction in
                switch try conversation.begin(transaction, pinEntered: purchase.pin != .none) {
                case .online(let answer): return answer
                case .approvedOffline: throw OfflineDecision(approved: true)
                case .declinedOffline: throw OfflineDecision(approved: false)
                }
            }
        } catch let decision as OfflineDecision {
            cards[name] = conversation.card
            return TillReceipt(
                title: title, approved: decision.approved,
                response: decision.approved ? "approved by the card" : "declined by the card", verdict: "",
                milliseconds: "-", requestText: "", responseText: "",
                trace: ConversationText.lines(conversation))
        }
        cards[name] = conversation.card
        let sent = SentRequest(
            message: request.message, cardAnswer: request.cardAnswer, card: name, start: .now)
        return try ask(sent, link, title, bytesCut: 0, conversation)
    }

    /// The last request once more.
    public mutating func payAgain() throws -> TillReceipt {
        guard let last else { throw StepError("nothing has been sent yet") }
        return try ask(last.sent, last.link, "the same request again", bytesCut: 0, nil)
    }

    /// A reversal of the last request.
    public mutating func reverse() throws -> TillReceipt {
        guard let last else { throw StepError("nothing has been sent yet") }
        let message = terminal.reversal(
            of: last.sent.message, answer: last.sent.answer, mti: .reversalRequest, completed: nil,
            dialect: last.link.form.codec.dialect)
        let sent = SentRequest(message: message, cardAnswer: nil, card: nil, start: .now)
        let kept = last
        let receipt = try ask(sent, last.link, "reversal of the last request", bytesCut: 0, nil)
        self.last = kept
        return receipt
    }

    /// Every request on a connection of its own: people are slow, and hosts are restarted meanwhile.
    private mutating func ask(
        _ sent: SentRequest, _ link: Link, _ title: String, bytesCut: Int,
        _ conversation: CardConversation?
    ) throws -> TillReceipt {
        last = (sent, link)
        let dialect = link.form.codec.dialect
        let request = Printing.message(sent.message, title: "Request to \(link.name)", dialect: dialect)
        let answer: Answer
        do throws(ExchangeError) {
            var exchange = try Till.connect(link, timeout)
            answer = try exchange.perform(sent.message, bytesCut: bytesCut, timeout: timeout)
        } catch {
            return TillReceipt(
                title: title, approved: false, response: "no answer", verdict: "", milliseconds: "-",
                requestText: request, responseText: "\(error)",
                trace: conversation.map { ConversationText.lines($0) } ?? [])
        }
        var answered = sent
        answered.answer = answer.message
        last = (answered, link)
        let code = answer.message.text(.responseCode)
        let chipData = answer.message.bytes(.iccData).map(Array.init)
        var verdict: IssuerAuthenticationVerdict?
        if let name = sent.card, let cardAnswer = sent.cardAnswer {
            verdict = try? card(name).verify(chipData: chipData, for: cardAnswer)
        }
        let isApproved = code == ResponseCode.approved.rawValue
        var trace: [String] = []
        if var conversation {
            let told = code.flatMap { AuthorisationResponseCode($0) }
            _ = try conversation.finish(
                approved: isApproved, code: told ?? AuthorisationResponseCode(rawValue: 0x5A33),
                chipData: chipData)
            trace = ConversationText.lines(conversation)
        }
        return TillReceipt(
            title: title,
            approved: isApproved && (verdict?.approves ?? true) && answer.discrepancies.isEmpty,
            response: PurchaseOutcome.words(code), verdict: verdict?.description ?? "",
            milliseconds: Printing.milliseconds(answer.elapsed), requestText: request,
            responseText: Printing.message(answer.message, title: "Response", dialect: dialect),
            trace: answer.discrepancies + trace)
    }

    private static func connect(_ link: Link, _ timeout: Duration) throws(ExchangeError) -> Exchange {
        do { return try Exchange(to: link.endpoint, form: link.form, timeout: timeout) } catch {
            throw .connection(error)
        }
    }

    private mutating func card(_ name: String) throws -> VirtualCard {
        if let card = cards[name] { return card }
        guard name == DemoTable.stranger else { return try bench.card(name) }
        let model = try bench.issuer.card("visa-cvn18")
        return try VirtualCard(
            bench.issuer, definition: model.renumbered(try PAN(DemoTable.strangerPAN), name: name))
    }
}

extension Deed {
    /// For people.
    public var words: String {
        switch self {
        case .nothing: "nothing"
        case .cryptogramBitFlipped: "one bit of the ARQC flipped"
        case .verificationResultsChanged: "TVR changed after signing"
        case .amountRaised: "amount raised after signing"
        case .counterReplayed: "used ATC again"
        case .counterFarAhead: "ATC 2,000 ahead"
        case .chipDataMalformed: "DE55 malformed"
        case .messageCutShort: "message cut short"
        }
    }
}
