internal import EMV
internal import FoundationEssentials
internal import ISO8583
internal import IssuerMessages
internal import VirtualCard

/// A terminal for people: pays, repeats, reverses, and keeps what it needs for that.
package struct Till {
    /// Hears of every step while a transaction is under way.
    package typealias Progress = (TillStage) -> Void

    /// Cards and links to choose from.
    package let bench: Bench
    private let timeout: Duration
    private let desk: IssuerDesk?
    private let capture: CaptureFile?
    private var terminal: Terminal
    private var cards: [String: VirtualCard] = [:]
    private var kept: [Int: Kept] = [:]
    private var count = 0
    /// The last one that can be sent again or reversed.
    private var last: Int?

    /// A request that was sent, for repeats and reversals.
    private struct Kept {
        var sent: SentRequest
        let link: Link
        var canReverse: Bool
    }

    /// More than anybody goes back to.
    private static let keptMax = 1_000

    /// - Parameters:
    ///   - timeout: for a connection and an answer.
    ///   - desk: knows why the issuer declines; nil where nobody here does.
    ///   - capture: gets every byte; nil for none.
    package init(
        _ bench: Bench, timeout: Duration, desk: IssuerDesk? = nil, capture: CaptureFile? = nil,
        terminal: Terminal = Terminal()
    ) {
        self.bench = bench
        self.desk = desk
        self.capture = capture
        self.timeout = timeout
        self.terminal = terminal
    }

    /// The names of the cards, the one that nobody issued and the personalised chips among them.
    package var cardNames: [String] {
        bench.issuer.cards.map(\.name) + [DemoTable.stranger] + ChipFile.names(bench)
    }
    /// The names of the links.
    package var linkNames: [String] { bench.configuration.links.map(\.name) }

    /// Account and profile of a card, or the chip's, for people.
    package func words(ofCard name: String) -> String {
        if let card = bench.issuer.cards.first(where: { $0.name == name }) {
            return "\(card.identity.pan), \(card.product.profile.name)"
        }
        guard let chip = try? ChipFile(name, bench: bench) else { return "unknown to the issuer" }
        return "\(chip.card), \(chip.about)"
    }

    /// A purchase, a withdrawal or a refund.
    /// - Parameter progress: called at each step, on the caller's thread.
    package mutating func pay(_ order: TillOrder, progress: Progress = { _ in }) throws -> TillReceipt {
        let chip = try chip(order.card)
        let pin = try card(chip.card).definition.pin
        let isChip = ChipFile.names(bench).contains(order.card)
        var receipt = try perform(order, progress)
        if receipt.id > 0 {
            let step = ScenarioRecording.purchase(order, pin: pin, isChip: isChip)
            receipt.recorded = [step] + receipt.recorded
        }
        return receipt
    }

    private mutating func perform(_ order: TillOrder, _ progress: Progress) throws -> TillReceipt {
        let link = try bench.link(bench.configuration.link(order.link))
        let chip = try chip(order.card)
        var card = try card(chip.card)
        var purchase = Purchase(
            amount: order.amount, pin: order.pin.map { .typed($0) } ?? .none,
            distortion: order.deed.distortion(card: card, amount: order.amount))
        purchase.kind = order.kind
        purchase.setPINFormat(of: link)
        for edit in order.edits { edit.apply(to: &purchase.distortion) }
        let money = MoneyText.text(order.amount, currency: card.definition.currencyCode)
        let kind = order.kind == .purchase ? "" : "\(order.kind.words) "
        let way = order.presentation == .chip ? "" : ", \(order.presentation.words)"
        let edited = order.edits.isEmpty ? "" : ", edited"
        let title = "\(kind)\(money) with \(order.card)\(way)\(edited)"
        guard order.presentation == .chip else {
            return try swipe(
                purchase, order.presentation, card: &card, link: link, title: title, progress: progress)
        }
        guard order.deed == .nothing, order.edits.isEmpty else {
            let request = try terminal.request(
                purchase, card: &card, zonePINKey: link.zonePINKey(for: purchase.pinFormat),
                dialect: link.form.codec.dialect)
            cards[chip.card] = card
            progress(TillStage(.card, "signs with ATC \(request.cardAnswer.atc)"))
            progress(TillStage(.terminal, order.edits.isEmpty ? order.deed.words : "sends an edited request"))
            let sent = SentRequest(
                message: request.message, cardAnswer: request.cardAnswer, card: chip.card, start: .now)
            return try ask(
                sent, link, title: title, bytesCut: request.bytesCut, conversation: nil, progress: progress)
        }
        return try converse(purchase, card: &card, chip: chip, link: link, title: title, progress: progress)
    }

    /// Stripe, or number and date: the chip takes no part. A plain stripe is that of a card without one.
    private mutating func swipe(
        _ given: Purchase, _ presentation: CardPresentation, card: inout VirtualCard, link: Link,
        title: String, progress: Progress
    ) throws -> TillReceipt {
        var purchase = given
        purchase.presentation = presentation
        if presentation == .stripe { purchase.stripe.serviceCode = "101" }
        let message = try terminal.request(
            withoutChip: purchase, card: &card, zonePINKey: link.zonePINKey(for: purchase.pinFormat),
            dialect: link.form.codec.dialect, printedValue: link.printedValue, threeDSecure: link.threeDSecure
        )
        // A contactless stripe counts.
        cards[card.definition.name] = card
        progress(TillStage(.terminal, presentation.words))
        let sent = SentRequest(message: message, cardAnswer: nil, card: nil, start: .now)
        var receipt = try ask(
            sent, link, title: title, bytesCut: purchase.distortion.bytesCut, conversation: nil,
            progress: progress)
        if presentation == .threeDSecure, let place = link.threeDSecure?.place {
            receipt.addAuthentication(of: message, at: place)
        }
        return receipt
    }

    private mutating func converse(
        _ purchase: Purchase, card: inout VirtualCard, chip: ChipFile, link: Link, title: String,
        progress: Progress
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
            Till.tell(conversation, from: 0, progress: progress)
            var receipt = TillReceipt(
                title: title, approved: decision.approved,
                response: decision.approved ? "approved by the card" : "declined by the card")
            receipt.trace = ConversationText.lines(conversation)
            return receipt
        } catch let refusal as OtherInterfaceNeeded {
            return TillReceipt(title: title, approved: false, response: "\(refusal)")
        }
        cards[chip.card] = conversation.card
        Till.tell(conversation, from: 0, progress: progress)
        let sent = SentRequest(
            message: request.message, cardAnswer: request.cardAnswer, card: chip.card, start: .now)
        return try ask(sent, link, title: title, bytesCut: 0, conversation: conversation, progress: progress)
    }

    private static func tell(_ conversation: CardConversation, from index: Int, progress: Progress) {
        for command in conversation.commands.dropFirst(index) {
            progress(TillStage(.card, command.name))
        }
    }

    /// A request once more.
    /// - Parameter id: of the receipt; nil for the last one.
    package mutating func payAgain(
        _ id: Int? = nil, progress: Progress = { _ in }
    ) throws -> TillReceipt {
        let (_, found) = try find(id)
        var receipt = try ask(
            found.sent, found.link, title: "the same request again", bytesCut: 0, conversation: nil,
            canReverse: found.canReverse,
            progress: progress)
        receipt.recorded = ["repeat: {}"] + receipt.recorded
        return receipt
    }

    /// A reversal of a request.
    /// - Parameter id: of the receipt; nil for the last one.
    package mutating func reverse(
        _ id: Int? = nil, progress: Progress = { _ in }
    ) throws -> TillReceipt {
        let (number, found) = try find(id)
        guard found.canReverse else { throw StepError("this was reversed before, or is a reversal") }
        let message = terminal.reversal(
            of: found.sent.message, answer: found.sent.answer, mti: .reversalRequest, completed: nil,
            dialect: found.link.form.codec.dialect)
        let sent = SentRequest(message: message, cardAnswer: nil, card: nil, start: .now)
        let title = id == nil ? "reversal of the last request" : "reversal of no. \(number)"
        var receipt = try ask(
            sent, found.link, title: title, bytesCut: 0, conversation: nil, canReverse: false,
            progress: progress)
        receipt.recorded = ["reversal: {}"] + receipt.recorded
        if receipt.approved { kept[number]?.canReverse = false }
        last = number
        return receipt
    }

    private func find(_ id: Int?) throws -> (Int, Kept) {
        guard let number = id ?? last else { throw StepError("nothing has been sent yet") }
        guard let found = kept[number] else { throw StepError("there is no transaction \(number)") }
        return (number, found)
    }

    /// Whether a transaction can still be reversed.
    package func canReverse(_ id: Int) -> Bool { kept[id]?.canReverse ?? false }

    /// Cards are read anew from their files: somebody else has used them meanwhile.
    package mutating func forgetCards() { cards = [:] }

    /// Asks a link whether anybody is there.
    /// - Returns: how long the answer took.
    /// - Throws: what is wrong, in words for people.
    package mutating func echo(_ name: String, timeout: Duration) throws -> Duration {
        let link = try bench.link(bench.configuration.link(name))
        let message = terminal.echoRequest(dialect: link.form.codec.dialect)
        var exchange = try Exchange(to: link, timeout: timeout)
        return try exchange.perform(message, timeout: timeout).elapsed
    }

    /// Every request on a connection of its own: people are slow, and hosts are restarted meanwhile.
    private mutating func ask(
        _ sent: SentRequest, _ given: Link, title: String, bytesCut: Int,
        conversation: CardConversation?, canReverse: Bool = true, progress: Progress
    ) throws -> TillReceipt {
        let tap = WireTap(capture: capture)
        var link = given
        link.tap = tap
        count += 1
        let number = count
        kept[number] = Kept(sent: sent, link: given, canReverse: canReverse)
        kept[number - Till.keptMax] = nil
        last = number
        var receipt = try answered(
            sent, link, title: title, number: number, bytesCut: bytesCut, conversation: conversation,
            progress: progress)
        receipt.id = number
        receipt.link = link.name
        receipt.canReverse = kept[number]?.canReverse ?? false
        let messages = tap.take()
        receipt.requestHex = messages.last { $0.direction == .sent }?.hex ?? ""
        receipt.responseHex = messages.last { $0.direction == .received }?.hex ?? ""
        return receipt
    }

    private mutating func answered(
        _ sent: SentRequest, _ link: Link, title: String, number: Int, bytesCut: Int,
        conversation: CardConversation?, progress: Progress
    ) throws -> TillReceipt {
        let dialect = link.form.codec.dialect
        progress(TillStage(.terminal, "\(sent.message.mti) to \(link)"))
        let answer: Answer
        do throws(ExchangeError) {
            var exchange = try Till.connect(link, timeout)
            progress(TillStage(.issuer, "is asked"))
            answer = try exchange.perform(sent.message, bytesCut: bytesCut, timeout: timeout)
        } catch {
            progress(TillStage(.issuer, "gives no answer"))
            return try unanswered(
                sent, title, reason: "\(error)", conversation: conversation, dialect: dialect,
                progress: progress)
        }
        kept[number]?.sent.answer = answer.message
        return try receipt(
            answer, to: sent, link: link, title: title, conversation: conversation, progress: progress)
    }

    private mutating func receipt(
        _ answer: Answer, to sent: SentRequest, link: Link, title: String,
        conversation: CardConversation?, progress: Progress
    ) throws -> TillReceipt {
        let code = answer.message.text(.responseCode)
        progress(TillStage(.issuer, "answers \(PurchaseOutcome.words(code))"))
        let chipData = answer.message.bytes(.iccData).map(Array.init)
        var verdict: IssuerAuthenticationVerdict?
        if let name = sent.card, let cardAnswer = sent.cardAnswer {
            verdict = try? card(name).verify(chipData: chipData, for: cardAnswer)
        }
        let isApproved = ResponseCode.isAccepted(answer.message)
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
            Till.tell(conversation, from: before, progress: progress)
            keep(conversation, sent.card)
            receipt.approved = receipt.approved && final == .tc
            receipt.trace += ConversationText.lines(conversation)
        }
        receipt.verdict = verdict?.description ?? ""
        receipt.recorded = [ScenarioRecording.expectation(code: code, verdict: verdict)]
        receipt.milliseconds = Printing.milliseconds(answer.elapsed)
        let dialect = link.form.codec.dialect
        receipt.requestText = Printing.message(
            sent.message, title: "Request to \(link.name)", dialect: dialect)
        receipt.responseText = Printing.message(answer.message, title: "Response", dialect: dialect)
        receipt.rows = TillRow.rows(request: sent.message, response: answer.message, dialect: dialect)
        receipt.scripts = (try? IssuerScripts.commands(in: chipData ?? []))?.map(\.description) ?? []
        receipt.why = DeclineExplanation(bench: bench, desk: desk).lines(sent.message, code: code)
        if !receipt.approved, let number = sent.message.text(.retrievalReferenceNumber) {
            receipt.hint =
                DeclineExplanation.headline(receipt.why) ?? "issuer-host explain \(number)"
        }
        return receipt
    }

    /// No answer came: the terminal is unable to go online (EMV Book 3 10.8.1).
    private mutating func unanswered(
        _ sent: SentRequest, _ title: String, reason: String, conversation: CardConversation?,
        dialect: Dialect, progress: Progress
    ) throws -> TillReceipt {
        var receipt = TillReceipt(title: title, approved: false, response: "no answer")
        receipt.requestText = Printing.message(sent.message, title: "Request", dialect: dialect)
        receipt.responseText = reason
        receipt.rows = TillRow.rows(request: sent.message, response: nil, dialect: dialect)
        receipt.hint = reason
        receipt.recorded = [ScenarioRecording.expectation(code: nil, verdict: nil)]
        if var conversation {
            let before = conversation.commands.count
            let final = try conversation.finishOffline()
            Till.tell(conversation, from: before, progress: progress)
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
