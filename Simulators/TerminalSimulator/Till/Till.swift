internal import EMV
internal import FoundationEssentials
internal import ISO8583
internal import IssuerMessages
internal import VirtualCard

/// A terminal for people: pays, repeats, reverses, and keeps what it needs for that. Copies share what they remember, and
/// several threads may ask at once.
package struct Till: Sendable {
    /// Hears of every step while a transaction is under way.
    package typealias Progress = (TillStage) -> Void

    /// Cards and links to choose from.
    package let bench: Bench
    private let timeout: Duration
    private let desk: IssuerDesk?
    private let capture: CaptureFile?
    private let memory: TillMemory

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
        memory = TillMemory(terminal)
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
    package func pay(_ order: TillOrder, progress: Progress = { _ in }) throws -> TillReceipt {
        let chip = try chip(order.card)
        let pin = try memory.with { try $0.card(chip.card, bench: bench) }.definition.pin
        let isChip = ChipFile.names(bench).contains(order.card)
        var receipt = try perform(order, progress)
        if receipt.id > 0 {
            let step = ScenarioRecording.purchase(order, pin: pin, isChip: isChip)
            receipt.recorded = [step] + receipt.recorded
        }
        return receipt
    }

    private func perform(_ order: TillOrder, _ progress: Progress) throws -> TillReceipt {
        let link = try bench.link(bench.configuration.link(order.link))
        let chip = try chip(order.card)
        let card = try memory.with { try $0.card(chip.card, bench: bench) }
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
                purchase, order.presentation, card: card.definition.name, link: link, title: title,
                progress: progress)
        }
        guard order.deed == .nothing, order.edits.isEmpty else {
            let plain = purchase
            let request = try memory.with { memory in
                var card = try memory.card(chip.card, bench: bench)
                let request = try memory.terminal.request(
                    plain, card: &card, zonePINKey: link.zonePINKey(for: plain.pinFormat),
                    dialect: link.form.codec.dialect)
                try memory.put(card, chip.card)
                return request
            }
            progress(TillStage(.card, "signs with ATC \(request.cardAnswer.atc)"))
            progress(TillStage(.terminal, order.edits.isEmpty ? order.deed.words : "sends an edited request"))
            let sent = SentRequest(
                message: request.message, cardAnswer: request.cardAnswer, card: chip.card, start: .now)
            return try ask(
                sent, link, title: title, bytesCut: request.bytesCut, conversation: nil, progress: progress)
        }
        return try converse(purchase, chip: chip, link: link, title: title, progress: progress)
    }

    /// Stripe, or number and date: the chip takes no part. A plain stripe is that of a card without one.
    private func swipe(
        _ given: Purchase, _ presentation: CardPresentation, card name: String, link: Link,
        title: String, progress: Progress
    ) throws -> TillReceipt {
        var plain = given
        plain.presentation = presentation
        if presentation == .stripe { plain.stripe.serviceCode = "101" }
        let purchase = plain
        let message = try memory.with { memory in
            var card = try memory.card(name, bench: bench)
            let message = try memory.terminal.request(
                withoutChip: purchase, card: &card, zonePINKey: link.zonePINKey(for: purchase.pinFormat),
                dialect: link.form.codec.dialect, printedValue: link.printedValue,
                threeDSecure: link.threeDSecure)
            // A contactless stripe counts.
            try memory.put(card, name)
            return message
        }
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

    private func converse(
        _ purchase: Purchase, chip: ChipFile, link: Link, title: String, progress: Progress
    ) throws -> TillReceipt {
        let begun: (conversation: CardConversation, request: PurchaseRequest?, approvesOffline: Bool)
        do {
            begun = try memory.with { memory in
                var card = try memory.card(chip.card, bench: bench)
                var risk = chip.risk
                risk.month = memory.terminal.month
                risk.draw = UInt64.random(in: 1...99)
                var conversation = CardConversation(card, application: chip.application, risk: risk)
                do {
                    let request = try memory.terminal.request(
                        purchase, card: &card, zonePINKey: link.zonePINKey(for: purchase.pinFormat),
                        dialect: link.form.codec.dialect
                    ) { card, transaction in
                        switch try conversation.begin(transaction, pin: purchase.pin.pin(of: card)) {
                        case .online(let answer): return answer
                        case .approvedOffline: throw OfflineDecision(approved: true)
                        case .declinedOffline: throw OfflineDecision(approved: false)
                        }
                    }
                    try memory.put(conversation.card, chip.card)
                    return (conversation, request, false)
                } catch let decision as OfflineDecision {
                    try memory.put(conversation.card, chip.card)
                    return (conversation, nil, decision.approved)
                }
            }
        } catch let refusal as OtherInterfaceNeeded {
            return TillReceipt(title: title, approved: false, response: "\(refusal)")
        }
        let conversation = begun.conversation
        Till.tell(conversation, from: 0, progress: progress)
        guard let request = begun.request else {
            var receipt = TillReceipt(
                title: title, approved: begun.approvesOffline,
                response: begun.approvesOffline ? "approved by the card" : "declined by the card")
            receipt.trace = ConversationText.lines(conversation)
            return receipt
        }
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
    package func payAgain(
        _ id: Int? = nil, progress: Progress = { _ in }
    ) throws -> TillReceipt {
        let found = try memory.with { try $0.find(id).kept }
        var receipt = try ask(
            found.sent, found.link, title: "the same request again", bytesCut: 0, conversation: nil,
            canReverse: found.canReverse,
            progress: progress)
        receipt.recorded = ["repeat: {}"] + receipt.recorded
        return receipt
    }

    /// A reversal of a request.
    /// - Parameter id: of the receipt; nil for the last one.
    package func reverse(
        _ id: Int? = nil, progress: Progress = { _ in }
    ) throws -> TillReceipt {
        let (number, found) = try memory.with { try $0.find(id) }
        guard found.canReverse else { throw StepError("this was reversed before, or is a reversal") }
        let message = memory.with { memory in
            memory.terminal.reversal(
                of: found.sent.message, answer: found.sent.answer, mti: .reversalRequest, completed: nil,
                dialect: found.link.form.codec.dialect)
        }
        let sent = SentRequest(message: message, cardAnswer: nil, card: nil, start: .now)
        let title = id == nil ? "reversal of the last request" : "reversal of no. \(number)"
        var receipt = try ask(
            sent, found.link, title: title, bytesCut: 0, conversation: nil, canReverse: false,
            progress: progress)
        receipt.recorded = ["reversal: {}"] + receipt.recorded
        let isDone = receipt.approved
        memory.with { memory in
            if isDone { memory[number]?.canReverse = false }
            memory.last = number
        }
        return receipt
    }

    /// Whether a transaction can still be reversed.
    package func canReverse(_ id: Int) -> Bool { memory.with { $0[id]?.canReverse ?? false } }

    /// Cards are read anew from their files: somebody else has used them meanwhile.
    package func forgetCards() { memory.with { $0.forgetCards() } }

    /// Asks a link whether anybody is there.
    /// - Returns: how long the answer took.
    /// - Throws: what is wrong, in words for people.
    package func echo(_ name: String, timeout: Duration) throws -> Duration {
        let link = try bench.link(bench.configuration.link(name))
        let message = memory.with { $0.terminal.echoRequest(dialect: link.form.codec.dialect) }
        var exchange = try Exchange(to: link, timeout: timeout)
        return try exchange.perform(message, timeout: timeout).elapsed
    }

    /// Every request on a connection of its own: people are slow, and hosts are restarted meanwhile.
    private func ask(
        _ sent: SentRequest, _ given: Link, title: String, bytesCut: Int,
        conversation: CardConversation?, canReverse: Bool = true, progress: Progress
    ) throws -> TillReceipt {
        let tap = WireTap(capture: capture)
        var link = given
        link.tap = tap
        let number = memory.with { $0.note(.init(sent: sent, link: given, canReverse: canReverse)) }
        var receipt = try answered(
            sent, link, title: title, number: number, bytesCut: bytesCut, conversation: conversation,
            progress: progress)
        receipt.id = number
        receipt.link = link.name
        receipt.canReverse = self.canReverse(number)
        let messages = tap.take()
        receipt.requestHex = messages.last { $0.direction == .sent }?.hex ?? ""
        receipt.responseHex = messages.last { $0.direction == .received }?.hex ?? ""
        return receipt
    }

    private func answered(
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
        memory.with { $0[number]?.sent.answer = answer.message }
        return try receipt(
            answer, to: sent, link: link, title: title, conversation: conversation, progress: progress)
    }

    private func receipt(
        _ answer: Answer, to sent: SentRequest, link: Link, title: String,
        conversation: CardConversation?, progress: Progress
    ) throws -> TillReceipt {
        let code = answer.message.text(.responseCode)
        progress(TillStage(.issuer, "answers \(PurchaseOutcome.words(code))"))
        let chipData = answer.message.bytes(.iccData).map(Array.init)
        var verdict: IssuerAuthenticationVerdict?
        if let name = sent.card, let cardAnswer = sent.cardAnswer {
            verdict = try? memory.with { try $0.card(name, bench: bench) }
                .verify(chipData: chipData, for: cardAnswer)
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
            try keep(conversation, sent.card)
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
    private func unanswered(
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
            try keep(conversation, sent.card)
            receipt.approved = final == .tc
            if receipt.approved { receipt.response = "no answer, approved by the card" }
            receipt.trace = ConversationText.lines(conversation)
        }
        return receipt
    }

    private func keep(_ conversation: CardConversation, _ name: String?) throws {
        if let name { try memory.with { try $0.put(conversation.card, name) } }
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
}
