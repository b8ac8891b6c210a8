internal import EMV
internal import FoundationEssentials
internal import ISO8583
internal import IssuerMessages
internal import VirtualCard

/// A terminal for people: pays, repeats, reverses, and keeps what it needs for that.
public struct Till {
    /// Hears of every step while a transaction is under way.
    public typealias Progress = (TillStage) -> Void

    /// Cards and links to choose from.
    public let bench: Bench
    private let timeout: Duration
    private let desk: IssuerDesk?
    private var terminal: Terminal
    private var cards: [String: VirtualCard] = [:]
    private var last: (sent: SentRequest, link: Link)?

    /// - Parameters:
    ///   - timeout: for a connection and an answer.
    ///   - desk: knows why the issuer declines; nil where nobody here does.
    public init(
        _ bench: Bench, timeout: Duration, desk: IssuerDesk? = nil, terminal: Terminal = Terminal()
    ) {
        self.bench = bench
        self.desk = desk
        self.timeout = timeout
        self.terminal = terminal
    }

    /// The names of the cards, the one that nobody issued and the personalised chips among them.
    public var cardNames: [String] {
        bench.issuer.cards.map(\.name) + [DemoTable.stranger] + ChipFile.names(bench)
    }
    /// The names of the links.
    public var linkNames: [String] { bench.configuration.links.map(\.name) }

    /// Account and profile of a card, or the chip's, for people.
    public func words(ofCard name: String) -> String {
        if let card = bench.issuer.cards.first(where: { $0.name == name }) {
            return "\(card.identity.pan), \(card.product.profile.name)"
        }
        guard let chip = try? ChipFile(name, bench: bench) else { return "unknown to the issuer" }
        return "\(chip.card), \(chip.about)"
    }

    /// A purchase, a withdrawal or a refund.
    /// - Parameter progress: called at each step, on the caller's thread.
    public mutating func pay(_ order: TillOrder, progress: Progress = { _ in }) throws -> TillReceipt {
        let link = try bench.link(bench.configuration.link(order.link))
        let chip = try chip(order.card)
        var card = try card(chip.card)
        var purchase = Purchase(
            amount: order.amount, pin: order.pin.map { .typed($0) } ?? .none,
            distortion: order.deed.distortion(card: card, amount: order.amount))
        purchase.kind = order.kind
        purchase.setPINFormat(of: link)
        let money = MoneyText.text(order.amount, currency: card.definition.currencyCode)
        let kind = order.kind == .purchase ? "" : "\(order.kind.words) "
        let way = order.presentation == .chip ? "" : ", \(order.presentation.words)"
        let title = "\(kind)\(money) with \(order.card)\(way)"
        guard order.presentation == .chip else {
            return try swipe(purchase, order.presentation, card, link, title, progress)
        }
        guard order.deed == .nothing else {
            let request = try terminal.request(
                purchase, card: &card, zonePINKey: link.zonePINKey(for: purchase.pinFormat),
                dialect: link.form.codec.dialect)
            cards[chip.card] = card
            progress(TillStage(.card, "signs with ATC \(request.cardAnswer.atc)"))
            progress(TillStage(.terminal, order.deed.words))
            let sent = SentRequest(
                message: request.message, cardAnswer: request.cardAnswer, card: chip.card, start: .now)
            return try ask(sent, link, title, bytesCut: request.bytesCut, nil, progress)
        }
        return try converse(purchase, card: &card, chip, link, title, progress)
    }

    /// Stripe, or number and date: the chip takes no part. A plain stripe is that of a card without one.
    private mutating func swipe(
        _ given: Purchase, _ presentation: CardPresentation, _ card: VirtualCard, _ link: Link,
        _ title: String, _ progress: Progress
    ) throws -> TillReceipt {
        var purchase = given
        purchase.presentation = presentation
        if presentation == .stripe { purchase.stripe.serviceCode = "101" }
        let message = try terminal.request(
            withoutChip: purchase, card: card, zonePINKey: link.zonePINKey(for: purchase.pinFormat),
            dialect: link.form.codec.dialect, printedValue: link.printedValue)
        progress(TillStage(.terminal, presentation.words))
        let sent = SentRequest(message: message, cardAnswer: nil, card: nil, start: .now)
        return try ask(sent, link, title, bytesCut: purchase.distortion.bytesCut, nil, progress)
    }

    private mutating func converse(
        _ purchase: Purchase, card: inout VirtualCard, _ chip: ChipFile, _ link: Link, _ title: String,
        _ progress: Progress
    ) throws -> TillReceipt {
        var risk = chip.risk
        risk.month = terminal.month
        risk.draw = UInt64.random(in: 1...99)
        var conversation = CardConversation(card, application: chip.application, risk: risk)
        let request: PurchaseRequest
        do {
            request = try terminal.request(
                purchase, card: &card, zonePINKey: link.zonePINKey(for: purchase.pinFormat),
                dialect: link.form.codec.dialect
            ) { card, transaction in
                switch try conversation.begin(transaction, pin: purchase.pin.pin(of: card)) {
                case .online(let answer): return answer
                case .approvedOffline: throw OfflineDecision(approved: true)
                case .declinedOffline: throw OfflineDecision(approved: false)
                }
            }
        } catch let decision as OfflineDecision {
            cards[chip.card] = conversation.card
            Till.tell(conversation, from: 0, progress)
            var receipt = TillReceipt(
                title: title, approved: decision.approved,
                response: decision.approved ? "approved by the card" : "declined by the card")
            receipt.trace = ConversationText.lines(conversation)
            return receipt
        } catch let refusal as OtherInterfaceNeeded {
            return TillReceipt(title: title, approved: false, response: "\(refusal)")
        }
        cards[chip.card] = conversation.card
        Till.tell(conversation, from: 0, progress)
        let sent = SentRequest(
            message: request.message, cardAnswer: request.cardAnswer, card: chip.card, start: .now)
        return try ask(sent, link, title, bytesCut: 0, conversation, progress)
    }

    private static func tell(_ conversation: CardConversation, from index: Int, _ progress: Progress) {
        for command in conversation.commands.dropFirst(index) {
            progress(TillStage(.card, command.name))
        }
    }

    /// The last request once more.
    public mutating func payAgain(progress: Progress = { _ in }) throws -> TillReceipt {
        guard let last else { throw StepError("nothing has been sent yet") }
        return try ask(last.sent, last.link, "the same request again", bytesCut: 0, nil, progress)
    }

    /// A reversal of the last request.
    public mutating func reverse(progress: Progress = { _ in }) throws -> TillReceipt {
        guard let last else { throw StepError("nothing has been sent yet") }
        let message = terminal.reversal(
            of: last.sent.message, answer: last.sent.answer, mti: .reversalRequest, completed: nil,
            dialect: last.link.form.codec.dialect)
        let sent = SentRequest(message: message, cardAnswer: nil, card: nil, start: .now)
        let kept = last
        let receipt = try ask(sent, last.link, "reversal of the last request", bytesCut: 0, nil, progress)
        self.last = kept
        return receipt
    }

    /// Every request on a connection of its own: people are slow, and hosts are restarted meanwhile.
    private mutating func ask(
        _ sent: SentRequest, _ link: Link, _ title: String, bytesCut: Int,
        _ conversation: CardConversation?, _ progress: Progress
    ) throws -> TillReceipt {
        last = (sent, link)
        let dialect = link.form.codec.dialect
        progress(TillStage(.terminal, "\(sent.message.mti) to \(link)"))
        let answer: Answer
        do throws(ExchangeError) {
            var exchange = try Till.connect(link, timeout)
            progress(TillStage(.issuer, "is asked"))
            answer = try exchange.perform(sent.message, bytesCut: bytesCut, timeout: timeout)
        } catch {
            progress(TillStage(.issuer, "gives no answer"))
            return try unanswered(sent, title, "\(error)", conversation, dialect, progress)
        }
        var answered = sent
        answered.answer = answer.message
        last = (answered, link)
        return try receipt(answer, to: sent, link, title, conversation, progress)
    }

    private mutating func receipt(
        _ answer: Answer, to sent: SentRequest, _ link: Link, _ title: String,
        _ conversation: CardConversation?, _ progress: Progress
    ) throws -> TillReceipt {
        let code = answer.message.text(.responseCode)
        progress(TillStage(.issuer, "answers \(PurchaseOutcome.words(code))"))
        let chipData = answer.message.bytes(.iccData).map(Array.init)
        var verdict: IssuerAuthenticationVerdict?
        if let name = sent.card, let cardAnswer = sent.cardAnswer {
            verdict = try? card(name).verify(chipData: chipData, for: cardAnswer)
        }
        let isApproved = code == ResponseCode.approved.rawValue
        var receipt = TillReceipt(
            title: title,
            approved: isApproved && (verdict?.approves ?? true) && answer.discrepancies.isEmpty,
            response: PurchaseOutcome.words(code))
        receipt.trace = answer.discrepancies
        if var conversation {
            let told = code.flatMap { AuthorisationResponseCode($0) }
            let before = conversation.commands.count
            let final = try conversation.finish(
                approved: isApproved, code: told ?? .unableToGoOnlineDeclined, chipData: chipData)
            Till.tell(conversation, from: before, progress)
            keep(conversation, sent.card)
            receipt.approved = receipt.approved && final == .tc
            receipt.trace += ConversationText.lines(conversation)
        }
        receipt.verdict = verdict?.description ?? ""
        receipt.milliseconds = Printing.milliseconds(answer.elapsed)
        let dialect = link.form.codec.dialect
        receipt.requestText = Printing.message(
            sent.message, title: "Request to \(link.name)", dialect: dialect)
        receipt.responseText = Printing.message(answer.message, title: "Response", dialect: dialect)
        receipt.rows = TillRow.rows(request: sent.message, response: answer.message, dialect: dialect)
        receipt.scripts = (try? IssuerScripts.commands(in: chipData ?? []))?.map(\.description) ?? []
        if !receipt.approved, let number = sent.message.text(.retrievalReferenceNumber) {
            receipt.why = DeclineExplanation(bench: bench, desk: desk).lines(sent.message, code: code)
            receipt.hint =
                DeclineExplanation.headline(receipt.why) ?? "issuer-host explain \(number)"
        }
        return receipt
    }

    /// No answer came: the terminal is unable to go online (EMV Book 3 10.8.1).
    private mutating func unanswered(
        _ sent: SentRequest, _ title: String, _ reason: String, _ conversation: CardConversation?,
        _ dialect: Dialect, _ progress: Progress
    ) throws -> TillReceipt {
        var receipt = TillReceipt(title: title, approved: false, response: "no answer")
        receipt.requestText = Printing.message(sent.message, title: "Request", dialect: dialect)
        receipt.responseText = reason
        receipt.rows = TillRow.rows(request: sent.message, response: nil, dialect: dialect)
        receipt.hint = reason
        if var conversation {
            let before = conversation.commands.count
            let final = try conversation.finishOffline()
            Till.tell(conversation, from: before, progress)
            keep(conversation, sent.card)
            receipt.approved = final == .tc
            if receipt.approved { receipt.response = "no answer, approved by the card" }
            receipt.trace = ConversationText.lines(conversation)
        }
        return receipt
    }

    private mutating func keep(_ conversation: CardConversation, _ name: String?) {
        if let name { cards[name] = conversation.card }
    }

    private static func connect(_ link: Link, _ timeout: Duration) throws(ExchangeError) -> Exchange {
        do { return try Exchange(to: link, timeout: timeout) } catch {
            throw .connection(error)
        }
    }

    /// A personalised chip by its name, or the usual one of a demo card.
    private func chip(_ name: String) throws -> ChipFile {
        if ChipFile.names(bench).contains(name) { return try ChipFile(name, bench: bench) }
        let product = try bench.issuer.card(name == DemoTable.stranger ? DemoTable.strangerModel : name)
            .product
        return ChipFile(card: name, application: ChipApplication(for: product), risk: TerminalRisk())
    }

    private mutating func card(_ name: String) throws -> VirtualCard {
        if let card = cards[name] { return card }
        return try name == DemoTable.stranger ? bench.stranger() : bench.card(name)
    }
}
