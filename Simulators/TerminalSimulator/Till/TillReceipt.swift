internal import ByteCoding
package import EMV
package import ISO8583
package import VirtualCard

/// What a person orders at the till.
package struct TillOrder: Hashable, Sendable {
    /// A demo card, a personalised chip, or `DemoTable.stranger`.
    package var card: String
    /// Name of a link.
    package var link: String
    /// Minor units.
    package var amount: UInt64
    /// Purchase, cash or refund.
    package var kind: PurchaseKind
    /// Nil pays without.
    package var pin: PIN?
    /// What is done to the request behind the terminal's back.
    package var deed: Deed
    /// How the card comes to the terminal.
    package var presentation = CardPresentation.chip
    /// What is changed in the finished request.
    package var edits: [TillEdit] = []

    package init(
        card: String, link: String, amount: UInt64, kind: PurchaseKind = .purchase, pin: PIN? = nil,
        deed: Deed = .nothing
    ) {
        self.card = card
        self.link = link
        self.amount = amount
        self.kind = kind
        self.pin = pin
        self.deed = deed
    }
}

/// A data element or an object of DE55 that is sent with another content than terminal and card gave it.
package struct TillEdit: Hashable, Sendable {
    /// What is changed.
    package enum Place: Hashable, Sendable {
        case element(DataElement)
        case tag(Tag)
    }

    /// What is changed.
    package let place: Place
    /// Text of an element, hex of an object or of a binary element; nil leaves it out.
    package let content: String?

    /// - Parameters:
    ///   - name: `DE22` or `22` for an element, hex digits such as `9F02` for an object.
    ///   - isTag: which of the two it is.
    /// - Throws: `StepError` that names what is wrong.
    package init(name: String, isTag: Bool, content: String?) throws {
        self.content = content
        if isTag {
            guard let tag = Tag(hex: name) else { throw StepError("\(name) is no tag, such as 9F02") }
            if let content, TillEdit.bytes(content) == nil {
                throw StepError("\(name): hex digits are expected, two a byte")
            }
            place = .tag(tag)
            return
        }
        let digits = name.uppercased().hasPrefix("DE") ? String(name.dropFirst(2)) : name
        guard let number = UInt8(digits), number > 1, let element = DataElement(rawValue: number) else {
            throw StepError("\(name) is no data element of 2 to 128")
        }
        if let content, TillEdit.binary.contains(element), TillEdit.bytes(content) == nil {
            throw StepError("\(element): hex digits are expected, two a byte")
        }
        place = .element(element)
    }

    /// Elements of bytes (ISO 8583:1987 table 4, and DE55): their content is given as hex.
    private static let binary: [DataElement] = [.pinData, .iccData, .mac, .mac2]

    private static func bytes(_ hex: String) -> [UInt8]? { try? Hex.decode(hex.filter { !$0.isWhitespace }) }

    func apply(to distortion: inout Distortion) {
        switch (place, content) {
        case (.element(let element), let text?) where TillEdit.binary.contains(element):
            distortion.binaryFields.append((element, TillEdit.bytes(text) ?? []))
        case (.element(let element), let text?): distortion.fields.append((element, text))
        case (.element(let element), nil): distortion.removed.append(element)
        case (.tag(let tag), let text?):
            distortion.chip.changed.append((tag, TillEdit.bytes(text) ?? []))
        case (.tag(let tag), nil): distortion.chip.removed.append(tag)
        }
    }
}

/// Where a transaction is on its way.
package struct TillStage: Hashable, Sendable {
    /// Who does something.
    package enum Actor: String, Hashable, Sendable {
        case card, terminal, issuer
    }

    /// Who.
    package let actor: Actor
    /// What, for people.
    package let words: String

    package init(_ actor: Actor, _ words: String) {
        self.actor = actor
        self.words = words
    }
}

/// One data element, or one object of DE55, as it stands in the request and in the answer; masked.
package struct TillRow: Hashable, Sendable, Encodable {
    /// `DE39`, `9F26`.
    package let identifier: String
    /// In the words of the standard.
    package let name: String
    /// 0 for data elements, more for objects of DE55.
    package let depth: Int
    /// Nil where it is not there.
    package let request: String?
    /// Nil where it is not there.
    package let response: String?
}

/// One transaction as a till shows it, everything decoded and masked but `bytes`, which are shown where somebody asks
/// for them.
package struct TillReceipt: Sendable, Encodable {
    /// By which the till knows it, from 1; 0 for one that never left.
    package var id = 0
    /// A reversal of it can be sent: it is no reversal itself, and none was approved yet.
    package var canReverse = false
    /// Name of the link.
    package var link = ""
    /// What was done.
    package var title: String
    /// Issuer and card agree to it.
    package var approved: Bool
    /// `00 approved`, or why there is no answer.
    package var response: String
    /// What the card makes of the issuer's cryptogram, or the issuer of an authentication value; empty where there is none.
    package var verdict = ""
    /// Whose verdict that is.
    package var judge = "Card"
    /// Of the answer.
    package var milliseconds = "-"
    /// The request, element by element.
    package var requestText = ""
    /// The answer, element by element.
    package var responseText = ""
    /// Request and answer side by side.
    package var rows: [TillRow] = []
    /// Issuer scripts of the answer, a command a line.
    package var scripts: [String] = []
    /// The card's conversation, and what terminal and card say besides.
    package var trace: [String] = []
    /// Why it was not approved, in one line; what to do in order to learn it where that is not known here.
    package var hint = ""
    /// The same at length, a check a line.
    package var why: [String] = []
    /// As a step of a scenario, with what came of it as expectation; empty where nothing was sent.
    package var recorded: [String] = []
    /// The request as hex; empty where none was sent.
    package var requestHex = ""
    /// The answer as hex; empty where none came.
    package var responseHex = ""

    /// Takes what has no default.
    package init(title: String, approved: Bool, response: String) {
        self.title = title
        self.approved = approved
        self.response = response
    }
}

extension TillRow {
    /// The rows of a request and its answer, data elements in order, DE55 opened.
    static func rows(request: Message, response: Message?, dialect: Dialect) -> [TillRow] {
        let asked = elements(request, dialect)
        let answered = response.map { elements($0, dialect) } ?? [:]
        var rows = [
            TillRow(
                identifier: "MTI", name: "message type", depth: 0, request: "\(request.mti)",
                response: response.map { "\($0.mti)" })
        ]
        for number in Set(asked.keys).union(answered.keys).sorted() {
            let (left, right) = (asked[number], answered[number])
            rows.append(
                TillRow(
                    identifier: "DE\(number)", name: left?.name ?? right?.name ?? "", depth: 0,
                    request: left?.value, response: right?.value))
            if number == DataElement.iccData.rawValue {
                rows += chipRows(request.bytes(.iccData), response?.bytes(.iccData))
            }
        }
        return rows
    }

    private static func elements(
        _ message: Message, _ dialect: Dialect
    ) -> [UInt8: (name: String, value: String)] {
        var found: [UInt8: (name: String, value: String)] = [:]
        for (element, name, value) in message.describe(dialect: dialect) {
            let shown =
                switch element {
                case .iccData: "\(message.bytes(element)?.count ?? 0) bytes"
                case .responseCode: PurchaseOutcome.words(value)
                default: value
                }
            found[element.rawValue] = (name, shown)
        }
        return found
    }

    /// The request's objects in its order, then those that only the answer has.
    private static func chipRows(_ request: ArraySlice<UInt8>?, _ response: ArraySlice<UInt8>?) -> [TillRow] {
        let asked = request.flatMap { try? ChipDataListing.lines($0) } ?? []
        var answered = response.flatMap { try? ChipDataListing.lines($0) } ?? []
        var rows: [TillRow] = []
        for line in asked {
            let index = answered.firstIndex { $0.tag == line.tag && $0.depth == line.depth }
            let other = index.map { answered.remove(at: $0) }
            rows.append(
                TillRow(
                    identifier: "\(line.tag)", name: line.name, depth: line.depth + 1, request: line.value,
                    response: other?.value))
        }
        rows += answered.map { line in
            TillRow(
                identifier: "\(line.tag)", name: line.name, depth: line.depth + 1, request: nil,
                response: line.value)
        }
        return rows
    }
}

extension Deed {
    /// For people.
    package var words: String {
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

extension PurchaseKind {
    /// For people.
    package var words: String {
        switch self {
        case .purchase: "purchase"
        case .cash: "cash"
        case .refund: "refund"
        }
    }
}
