internal import EMV
internal import FoundationEssentials
internal import VirtualCard

/// What the page sends; everything optional, and checked one by one.
struct WebOrder: Decodable {
    struct Edit: Decodable {
        let name: String
        /// `element` or `tag`.
        let kind: String
        /// Nil leaves it out.
        let content: String?
    }

    let card: String?
    let link: String?
    let amount: String?
    let pin: String?
    let deed: String?
    let kind: String?
    let entry: String?
    let edits: [Edit]?
    /// DE39 that is expected, or `approved`, `declined`.
    let expected: String?
    /// The page that asks: its history is its own.
    let session: String?
    /// Of the transaction to repeat or reverse.
    let id: Int?
    /// Of scenarios to run, a part of their names.
    let only: String?

    /// Lengths of anything that a page can send are bounded by the server; these bound what is kept of it.
    private static let editsMax = 64

    /// - Throws: `StepError` in words for the page.
    init(_ body: [UInt8]) throws {
        do { self = try JSONDecoder().decode(WebOrder.self, from: Data(body)) } catch {
            throw StepError("the order is not of the expected form")
        }
    }

    /// - Throws: `StepError` that says what is wrong with it.
    func order(for till: Till) throws -> TillOrder {
        guard let card, till.cardNames.contains(card) else { throw StepError("no such card") }
        guard let link = link ?? till.linkNames.first, till.linkNames.contains(link) else {
            throw StepError("no such link")
        }
        guard let amount = amount.flatMap({ MoneyText.minorUnits($0) }), amount > 0 else {
            throw StepError("the amount has to be a number such as 42.50")
        }
        var typed: PIN?
        if let pin, !pin.isEmpty {
            guard let digits = PIN(pin) else { throw StepError("the PIN has 4 to 12 digits") }
            typed = digits
        }
        guard let deed = Deed(rawValue: deed ?? Deed.nothing.rawValue) else {
            throw StepError("no such tampering")
        }
        guard let kind = PurchaseKind.allCases.first(where: { $0.words == kind ?? "purchase" }) else {
            throw StepError("no such kind of transaction")
        }
        guard let entry = CardPresentation(rawValue: entry ?? CardPresentation.chip.rawValue) else {
            throw StepError("no such way for a card to come")
        }
        let edits = edits ?? []
        guard edits.count <= WebOrder.editsMax else { throw StepError("more than 64 changes") }
        var order = TillOrder(card: card, link: link, amount: amount, kind: kind, pin: typed, deed: deed)
        order.presentation = entry
        order.edits = try edits.map {
            try TillEdit(name: $0.name, isTag: $0.kind == "tag", content: $0.content)
        }
        return order
    }
}

/// One line of a page's history.
struct WebRecord: Sendable, Encodable {
    var receipt: TillReceipt
    /// ISO 8601, UTC.
    let time: String
    let card: String
    /// Empty for none.
    let expected: String

    /// Nil where nothing was expected.
    var asExpected: Bool? {
        switch expected {
        case "": nil
        case "approved": receipt.approved
        case "declined": !receipt.approved && !receipt.responseHex.isEmpty
        default: receipt.response.hasPrefix("\(expected) ")
        }
    }

    private enum Key: String, CodingKey { case receipt, time, card, expected, asExpected }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(receipt, forKey: .receipt)
        try container.encode(time, forKey: .time)
        try container.encode(card, forKey: .card)
        try container.encode(expected, forKey: .expected)
        try container.encode(asExpected, forKey: .asExpected)
    }
}

/// A page's history as files; masked, without bytes.
enum WebExport {
    static func json(_ records: [WebRecord]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let masked = records.map { record in
            var record = record
            record.receipt.requestHex = ""
            record.receipt.responseHex = ""
            return record
        }
        return String(decoding: try encoder.encode(masked), as: UTF8.self) + "\n"
    }

    /// The history as one scenario.
    static func yaml(_ records: [WebRecord]) -> String {
        var recording = ScenarioRecording()
        for record in records { recording.add(record.receipt) }
        return recording.yaml(name: "recorded \(records.first?.time ?? "")")
    }

    /// RFC 4180.
    static func csv(_ records: [WebRecord]) -> String {
        var lines = [
            "no,time,transaction,link,card,outcome,answer,card's verdict,ms,expected,as expected,why"
        ]
        for record in records {
            let receipt = record.receipt
            let cells = [
                "\(receipt.id)", record.time, receipt.title, receipt.link, record.card,
                receipt.approved ? "approved" : "declined", receipt.response, receipt.verdict,
                receipt.milliseconds, record.expected, record.asExpected.map { "\($0)" } ?? "", receipt.hint,
            ]
            lines.append(cells.map(cell).joined(separator: ","))
        }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    /// A spreadsheet takes a cell that begins with one of these for a formula.
    private static func cell(_ text: String) -> String {
        let plain = text.first.map { "=+-@".contains($0) && text.count > 1 } ?? false ? "'\(text)" : text
        return "\"\(plain.replacing("\"", with: "\"\""))\""
    }

    /// A failure is another outcome than the expected one; an error, no answer where none was expected.
    static func junit(_ records: [WebRecord]) -> String {
        let failures = records.count { $0.asExpected == false }
        let silent = records.filter { $0.asExpected == nil && $0.receipt.responseHex.isEmpty }
        var lines = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<testsuite name=\"payment terminal\" tests=\"\(records.count)\" failures=\"\(failures)\" "
                + "errors=\"\(silent.count)\" skipped=\"0\">",
        ]
        for record in records {
            let receipt = record.receipt
            let seconds = (Double(receipt.milliseconds) ?? 0) / 1_000
            let head =
                "  <testcase classname=\"\(JUnitReport.escaped(receipt.link))\" "
                + "name=\"\(JUnitReport.escaped("\(receipt.id) \(receipt.title)"))\" time=\"\(seconds)\""
            let words = JUnitReport.escaped("\(receipt.response) \(receipt.hint)")
            if record.asExpected == false {
                let expected = JUnitReport.escaped("expected \(record.expected), got \(receipt.response)")
                lines.append("\(head)><failure message=\"\(expected)\">\(words)</failure></testcase>")
            } else if record.asExpected == nil, receipt.responseHex.isEmpty {
                lines.append("\(head)><error message=\"no answer\">\(words)</error></testcase>")
            } else {
                lines.append("\(head)><system-out>\(words)</system-out></testcase>")
            }
        }
        return lines.joined(separator: "\n") + "\n</testsuite>\n"
    }
}
