internal import EMV
internal import ISO8583
internal import IssuerMessages
package import VirtualCard

/// One line of the demo: what was done and what came of it.
package struct DemoLine: Sendable {
    /// The step.
    package let step: DemoStep
    /// Its place in the table, from 1.
    package let number: Int
    /// Over which link.
    package let link: String
    /// As defined.
    package let card: CardDefinition
    /// What came back; the words of the error if nothing usable did.
    package let outcome: Result<PurchaseOutcome, DemoFault>
    /// What the terminal's offline data authentication came to: `DDA ✓`, or the method and the reason.
    package let offlineAuthentication: String
    /// Why the outcome is not the expected one; nil where it is.
    package let complaint: String?
}

/// A step that got no usable answer.
package struct DemoFault: Error, Sendable {
    /// One line for people.
    package let words: String
}

/// What a whole demo came to.
package struct DemoSummary: Sendable {
    /// Every step.
    package internal(set) var lines: [DemoLine] = []
    /// From the first request to the last answer.
    package internal(set) var elapsed: Duration = .zero

    /// Steps with another outcome than the expected one.
    package var complaints: [DemoLine] { lines.filter { $0.complaint != nil } }
    /// Every step was as expected, and there was one.
    package var isAsExpected: Bool { !lines.isEmpty && complaints.isEmpty }
}

/// Runs a table of steps against a host: one connection a link, one terminal, one request at a time.
package struct Demo {
    private let links: [DemoSession]
    private var cards: [String: VirtualCard] = [:]
    private var terminal: Terminal
    private let bench: Bench
    private let timeout: Duration
    private let readers: CardsAtReaders?

    /// - Parameters:
    ///   - links: at least one; steps take turns on them.
    ///   - readers: cards that are in readers; all others are within this program.
    package init(
        _ bench: Bench, links: [Link], terminal: Terminal = Terminal(), timeout: Duration,
        readers: CardsAtReaders? = nil
    ) throws(ConnectionError) {
        self.bench = bench
        self.readers = readers
        self.terminal = terminal
        self.timeout = timeout
        var sessions: [DemoSession] = []
        for link in links { sessions.append(try DemoSession(link, timeout: timeout)) }
        self.links = sessions
    }

    /// Runs the steps in order, all of the table unless others are given. A step without an answer is a complaint, and the
    /// next one gets a new connection.
    /// - Parameter report: called after each step.
    package mutating func run(
        _ given: [DemoStep]? = nil, report: (DemoLine) -> Void = { _ in }
    ) throws -> DemoSummary {
        // Only a configuration says which links and ranges have 3-D Secure.
        let shops = try DemoTable.webShops.filter { step in
            let digits = try makeCard(step.card).panDigits
            return links[step.link % links.count].link.threeDSecure?.serves(digits) == true
        }
        let steps = given ?? DemoTable.steps + shops
        var summary = DemoSummary()
        let start = ContinuousClock.Instant.now
        for (index, step) in steps.enumerated() {
            let line = try run(step, number: index + 1)
            summary.lines.append(line)
            report(line)
        }
        summary.elapsed = start.duration(to: .now)
        return summary
    }

    private mutating func run(_ step: DemoStep, number: Int) throws -> DemoLine {
        let session = links[step.link % links.count]
        var card = try cards[step.card] ?? makeCard(step.card)
        if let authentication = step.authentication {
            return try shop(step, authentication, over: session, card: &card, number: number)
        }
        var purchase = Purchase(
            amount: step.amount, pin: step.pin,
            distortion: step.deed.distortion(card: card, amount: step.amount))
        if let abroad = step.abroad {
            purchase.settings.currencyCode = abroad.currency
            purchase.distortion.fields += abroad.fields(cardCurrency: card.definition.currencyCode)
        }
        purchase.setPINFormat(of: session.link)
        let (bench, month, tampering) = (bench, terminal.month, purchase.distortion.chip)
        var offline: (words: String, fault: CertificateFault?) = ("", nil)
        // A counter of somebody's choice is signed by the model: no card does that.
        let chip = tampering.atc == nil ? readers?.chip(of: card.definition) : nil
        var remote: RemotePurchase?
        let request = try terminal.request(
            purchase, card: &card, zonePINKey: session.link.zonePINKey(for: purchase.pinFormat),
            dialect: session.link.form.codec.dialect
        ) { card, transaction in
            if let chip {
                let made = try RemotePurchase(
                    &card, chip, transaction: transaction, bench: bench, month: month)
                offline = made.offline
                remote = made
                return try made.answer(tampering)
            }
            offline = try Demo.authenticate(card, transaction, bench: bench, month: month)
            return try card.answer(transaction, tampering: tampering)
        }
        cards[step.card] = card
        let outcome: Result<PurchaseOutcome, DemoFault>
        var complaint: String?
        switch session.perform(request, timeout: timeout) {
        case .success(let answer):
            let found = try PurchaseOutcome(answer, to: request, card: card)
            outcome = .success(found)
            complaint = step.complaint(about: found)
            if let words = try remote?.finish(found) {
                complaint = [complaint, words].compactMap { $0 }.joined(separator: "; ")
            }
        case .failure(let error):
            outcome = .failure(DemoFault(words: error.description))
            complaint = "expected \(PurchaseOutcome.words(step.expected.rawValue))"
        }
        // A card's certificate ends with the card.
        let passes = step.card != DemoTable.stranger && card.definition.expiry >= month
        if (offline.fault == nil) != passes {
            let words = "expected offline data authentication to \(passes ? "pass" : "fail")"
            complaint = [complaint, words].compactMap { $0 }.joined(separator: "; ")
        }
        return DemoLine(
            step: step, number: number, link: session.link.name, card: card.definition, outcome: outcome,
            offlineAuthentication: offline.words, complaint: complaint)
    }

    /// A web shop: the cardholder is authenticated by 3-D Secure, and the card stays where it is.
    private mutating func shop(
        _ step: DemoStep, _ authentication: AuthenticationSettings.Value, over session: DemoSession,
        card: inout VirtualCard, number: Int
    ) throws -> DemoLine {
        var purchase = Purchase(amount: step.amount, pin: .none)
        purchase.presentation = .threeDSecure
        purchase.authentication.value = authentication
        let message = try terminal.request(
            withoutChip: purchase, card: &card, zonePINKey: nil, dialect: session.link.form.codec.dialect,
            printedValue: nil, threeDSecure: session.link.threeDSecure)
        let outcome: Result<PurchaseOutcome, DemoFault>
        let complaint: String?
        switch session.perform(message, bytesCut: 0, timeout: timeout) {
        case .success(let answer):
            let found = PurchaseOutcome(answer)
            (outcome, complaint) = (.success(found), step.complaint(about: found))
        case .failure(let error):
            outcome = .failure(DemoFault(words: error.description))
            complaint = "expected \(PurchaseOutcome.words(step.expected.rawValue))"
        }
        return DemoLine(
            step: step, number: number, link: session.link.name, card: card.definition, outcome: outcome,
            offlineAuthentication: "-", complaint: complaint)
    }

    /// Records, certificates and INTERNAL AUTHENTICATE, before anything goes to the issuer.
    private static func authenticate(
        _ card: VirtualCard, _ transaction: TerminalTransaction, bench: Bench, month: ExpiryDate
    ) throws -> (words: String, fault: CertificateFault?) {
        let isGenuine = card.definition.name != DemoTable.stranger
        var application = ChipApplication(for: card.definition.product)
        var risk = TerminalRisk()
        risk.caKeys = bench.caKeys
        try bench.certify(&application, of: card.definition, fault: isGenuine ? nil : .unknownCA)
        risk.month = month
        // The signature of CDA comes with the cryptogram; here the terminal knows SDA and DDA.
        var transaction = transaction
        transaction.terminalCapabilities &= ~0x08
        var conversation = CardConversation(card, application: application, risk: risk)
        try conversation.authenticate(transaction)
        let method = conversation.offlineMethod.map { "\($0)" } ?? "none"
        guard let fault = conversation.authenticationFault else { return ("\(method) ✓", nil) }
        return ("\(method) ✗ \(fault.reason)", fault)
    }

    private func makeCard(_ name: String) throws -> VirtualCard {
        try name == DemoTable.stranger ? bench.stranger() : bench.card(name)
    }
}

extension DemoStep {
    /// Why an outcome is not what the step expects; nil if it is.
    func complaint(about outcome: PurchaseOutcome) -> String? {
        var faults: [String] = []
        if outcome.responseCode != expected.rawValue {
            faults.append("expected \(PurchaseOutcome.words(expected.rawValue))")
        }
        if let abroad,
            outcome.answer.message.text(.cardholderBillingAmount).flatMap({ UInt64($0) }) != abroad.pays
        {
            faults.append("expected DE6 \(abroad.pays)")
        }
        if !verdict.allows(outcome.verdict) { faults.append("expected \(verdict.words)") }
        faults += outcome.answer.discrepancies
        if outcome.answer.strayMessages > 0 {
            faults.append("\(outcome.answer.strayMessages) messages that answer nothing")
        }
        return faults.isEmpty ? nil : faults.joined(separator: "; ")
    }
}

extension ExpectedVerdict {
    func allows(_ verdict: IssuerAuthenticationVerdict?) -> Bool {
        guard let verdict else { return false }
        let declines = verdict.isAuthentic && !verdict.approves
        return switch self {
        case .approves: verdict.approves
        case .declines: declines
        case .noApproval: declines || verdict == .absent
        case .absent: verdict == .absent
        case .wrong: verdict == .wrong
        }
    }

    var words: String {
        switch self {
        case .approves: "an ARPC that approves"
        case .declines: "an ARPC that declines"
        case .noApproval: "no ARPC or one that declines"
        case .absent: "no ARPC"
        case .wrong: "a wrong ARPC"
        }
    }
}

/// A link and its connection, which is opened again only after a step without an answer.
private final class DemoSession {
    let link: Link
    private var exchange: Exchange?

    init(_ link: Link, timeout: Duration) throws(ConnectionError) {
        self.link = link
        exchange = try Exchange(to: link, timeout: timeout)
    }

    func perform(_ request: PurchaseRequest, timeout: Duration) -> Result<Answer, ExchangeError> {
        perform(request.message, bytesCut: request.bytesCut, timeout: timeout)
    }

    func perform(_ message: Message, bytesCut: Int, timeout: Duration) -> Result<Answer, ExchangeError> {
        do throws(ExchangeError) {
            var current = try takeExchange(timeout)
            let answer = try current.perform(message, bytesCut: bytesCut, timeout: timeout)
            exchange = consume current
            return .success(answer)
        } catch {
            return .failure(error)
        }
    }

    private func takeExchange(_ timeout: Duration) throws(ExchangeError) -> Exchange {
        if let kept = exchange.take() { return kept }
        do { return try Exchange(to: link, timeout: timeout) } catch {
            throw .connection(error)
        }
    }
}
