internal import EMV
internal import Foundation
internal import Synchronization
internal import VirtualCard

/// What the page asks for, without HTTP: paths and bodies in, status and content out.
final class WebTerminal: Sendable {
    struct Reply: Sendable {
        var status = 200
        var type = "application/json"
        var body: String
        /// The browser keeps it as a file of this name.
        var fileName: String?
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
        let scenarios: Bool
    }

    /// What the terminal shows of a card beside its fields.
    private struct CardHint: Encodable {
        /// Of a demo card, as everybody can read it in the issuer's public file; empty for others.
        var pin = ""
        /// `SEK`.
        var currency = ""
    }

    private struct ShownLink: Encodable {
        let up: Bool
        let words: String
    }

    /// Pages whose history is kept, and lines of each; the oldest go first.
    private static let sessionsMax = 32
    private static let recordsMax = 200
    /// A page shows quickly that nobody is there.
    private static let echoTimeout = Duration.seconds(2)

    private struct Histories: Sendable {
        var sessions: [(name: String, records: [WebRecord])] = []

        func records(_ session: String) -> [WebRecord] {
            sessions.first { $0.name == session }?.records ?? []
        }

        mutating func keep(_ record: WebRecord, in session: String) {
            var records = self.records(session) + [record]
            if records.count > WebTerminal.recordsMax { records.removeFirst() }
            sessions.removeAll { $0.name == session }
            sessions.append((session, records))
            if sessions.count > WebTerminal.sessionsMax { sessions.removeFirst() }
        }
    }

    /// Never held while a host is asked.
    private let histories = Mutex(Histories())
    private let till: Till
    private let scenarios: WebScenarios?

    /// - Parameter scenarios: nil for a page without them.
    init(_ till: Till, scenarios: WebScenarios? = nil) {
        self.till = till
        self.scenarios = scenarios
    }

    /// Whether `reply` waits for a host, or for a program.
    static func asksHost(method: String, path: String) -> Bool {
        method == "POST" || split(path).0 == "/state"
    }

    /// Blocks while the host is asked; others may ask meanwhile.
    func reply(method: String, path: String, body: [UInt8]) -> Reply {
        let (name, query) = WebTerminal.split(path)
        switch (method, name) {
        case ("GET", "/"): return Reply(type: "text/html; charset=utf-8", body: WebPage.html)
        case ("GET", "/style.css"): return Reply(type: "text/css", body: WebStyle.css)
        case ("GET", "/script.js"): return Reply(type: "text/javascript", body: WebScript.js)
        case ("GET", "/choices"): return json(choices())
        case ("GET", "/card"): return json(cardHint(query["card"] ?? ""))
        case ("GET", "/state"): return json(linkState(query["link"] ?? ""))
        case ("GET", "/history"): return json(records(query))
        case ("GET", "/history.json"), ("GET", "/history.csv"), ("GET", "/history.xml"),
            ("GET", "/history.yaml"):
            return export(name, records(query))
        case ("GET", "/scenarios"):
            return refusing { json(try scenarios?.choices() ?? []) }
        case ("GET", "/run.xml"), ("GET", "/run.html"): return report(name)
        case ("GET", "/progress"): return json(scenarios?.progress(from: Int(query["from"] ?? "") ?? 0))
        case ("POST", "/scenarios"):
            return refusing { try run(WebOrder(body)) }
        case ("POST", "/pay"):
            return transact(body) { order, till in try till.pay(order.order(for: till)) }
        case ("POST", "/repeat"):
            return transact(body) { order, till in try till.payAgain(WebTerminal.number(order)) }
        case ("POST", "/reverse"):
            return transact(body) { order, till in try till.reverse(WebTerminal.number(order)) }
        default: return Reply(status: 404, type: "text/plain", body: "not found\n")
        }
    }

    private static func split(_ path: String) -> (String, [String: String]) {
        let parts = path.split(separator: "?", maxSplits: 1)
        var query: [String: String] = [:]
        for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let sides = pair.split(separator: "=", maxSplits: 1)
            query[String(sides[0])] = sides.dropFirst().first.map { $0.removingPercentEncoding ?? "" } ?? ""
        }
        return (parts.first.map(String.init) ?? "/", query)
    }

    private func choices() -> Choices {
        let cards = till.cardNames.map { name in
            Choice(value: name, words: "\(name)  \(till.words(ofCard: name))")
        }
        return Choices(
            cards: cards, links: till.linkNames.map { Choice(value: $0, words: $0) },
            deeds: Deed.allCases.map { Choice(value: $0.rawValue, words: $0.words) },
            kinds: PurchaseKind.allCases.map { Choice(value: $0.words, words: $0.words) },
            entries: CardPresentation.allCases.map { Choice(value: $0.rawValue, words: $0.words) },
            scenarios: scenarios != nil)
    }

    private func cardHint(_ name: String) -> CardHint {
        let bench = till.bench
        let card = (try? ChipFile(name, bench: bench))?.card ?? name
        guard let found = bench.issuer.cards.first(where: { $0.name == card }) else { return CardHint() }
        let money = MoneyText.text(0, currency: found.currencyCode)
        return CardHint(
            pin: found.testPINDigits, currency: money.split(separator: " ").last.map(String.init) ?? "")
    }

    private func linkState(_ link: String) -> ShownLink {
        do {
            let elapsed = try till.echo(link, timeout: WebTerminal.echoTimeout)
            return ShownLink(up: true, words: "answers in \(Printing.milliseconds(elapsed)) ms")
        } catch {
            return ShownLink(up: false, words: "\(error)")
        }
    }

    // MARK: - History

    private func records(_ query: [String: String]) -> [WebRecord] {
        records(of: query["session"] ?? "").map { record in
            var record = record
            record.receipt.canReverse = till.canReverse(record.receipt.id)
            return record
        }
    }

    private func records(of session: String) -> [WebRecord] {
        histories.withLock { $0.records(session) }
    }

    private func export(_ name: String, _ records: [WebRecord]) -> Reply {
        refusing {
            switch name {
            case "/history.csv":
                Reply(type: "text/csv; charset=utf-8", body: WebExport.csv(records), fileName: "history.csv")
            case "/history.yaml":
                Reply(type: "application/yaml", body: WebExport.yaml(records), fileName: "history.yaml")
            case "/history.xml":
                Reply(type: "application/xml", body: WebExport.junit(records), fileName: "history.xml")
            default: Reply(body: try WebExport.json(records), fileName: "history.json")
            }
        }
    }

    // MARK: - Orders

    private func transact(
        _ body: [UInt8], _ perform: (WebOrder, Till) throws -> TillReceipt
    ) -> Reply {
        refusing {
            let order = try WebOrder(body)
            // Another page's transaction is nobody's to take back.
            let session = order.session ?? ""
            var earlier: WebRecord?
            if let id = order.id {
                earlier = records(of: session).first { $0.receipt.id == id }
                guard earlier != nil else { throw StepError("this page has no transaction \(id)") }
            }
            let receipt = try perform(order, till)
            let record = WebRecord(
                receipt: receipt, time: Date().formatted(.iso8601),
                card: order.card ?? earlier?.card ?? "",
                expected: String((order.expected ?? "").prefix(16)))
            histories.withLock { $0.keep(record, in: session) }
            return json(record)
        }
    }

    /// The till's last one may be another page's.
    private static func number(_ order: WebOrder) throws -> Int {
        guard let id = order.id else { throw StepError("which transaction? id is missing") }
        return id
    }

    private func run(_ order: WebOrder) throws -> Reply {
        guard let scenarios else { throw StepError("this page was started without scenarios") }
        // Its cards go on counting where the till's are.
        try scenarios.start(only: order.only ?? "") { [till] in till.forgetCards() }
        return json(scenarios.progress(from: 0))
    }

    /// Of the last run of scenarios.
    private func report(_ name: String) -> Reply {
        guard let run = scenarios?.finished else {
            return Reply(status: 404, type: "text/plain", body: "no scenarios were run yet\n")
        }
        return name == "/run.xml"
            ? Reply(type: "application/xml", body: JUnitReport.xml(run), fileName: "run.xml")
            : Reply(
                type: "text/html; charset=utf-8", body: ScenarioPage.html(run, hex: false, everything: false),
                fileName: "run.html")
    }

    private func refusing(_ body: () throws -> Reply) -> Reply {
        do { return try body() } catch {
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
