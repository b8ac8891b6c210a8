internal import Authorisation
internal import ByteCoding
internal import EMV
internal import Foundation
internal import HSM
internal import IssuerConfiguration

/// A file of cards as `cards import` reads it: JSON with a list `cards`.
struct CardFile {
    /// A card and where it stands.
    struct Entry {
        let card: Card
        let place: CardPlace
    }

    private(set) var entries: [Entry] = []
    private(set) var faults: CardFileFaults

    /// Reads all of it; cards that are none are among the faults.
    ///
    /// - Throws: `CardFileFaults` where the file cannot be read at all.
    init(path: String) throws {
        faults = CardFileFaults(path: path)
        guard let data = FileManager.default.contents(atPath: path) else {
            throw WiringError("\(path) cannot be read")
        }
        let attempts: [Attempt]
        do { attempts = try JSONDecoder().decode(Form.self, from: data).cards } catch {
            if let line = CardFile.lineOfNoJSON(data) { throw WiringError("\(path):\(line): no JSON") }
            throw WiringError("\(path): not JSON with a list `cards`")
        }
        let places = CardPlace.all(in: data)
        for (index, attempt) in attempts.enumerated() {
            let place = places.indices.contains(index) ? places[index] : CardPlace(line: 1)
            switch attempt.result {
            case .success(let card): entries.append(Entry(card: card, place: place))
            case .failure(let error): faults.add(place.line, "card \(index + 1): \(CardFile.words(error))")
            }
        }
    }

    private struct Form: Decodable {
        let cards: [Attempt]
    }

    /// A card that is none leaves the others readable.
    private struct Attempt: Decodable {
        let result: Result<Card, any Error>
        init(from decoder: any Decoder) { result = Result { try Card(from: decoder) } }
    }

    /// What is wrong with the cards, each by itself and all together. Needs neither token nor store.
    ///
    /// - Parameter allowsTestPANs: takes PANs whose check digit is wrong.
    mutating func check(_ ranges: IssuerRangeTable, allowsTestPANs: Bool) {
        var cards: [CardIdentity: Int] = [:]
        var accounts: [PAN: Entry] = [:]
        for entry in entries {
            func add(_ fault: CardFault) {
                faults.add(entry.place.line(of: fault.key), "\(entry.card.title): \(fault)")
            }
            entry.place.repeated.forEach { add(CardFault($0, "is there twice")) }
            for key in entry.place.keys.keys {
                if let meant = Card.misspelt(key) {
                    add(CardFault(key, "is no key of a card; did you mean \(meant)?"))
                }
            }
            do {
                let identity = try entry.card.identity()
                let pan = identity.pan
                try entry.card.checkForm()
                if !allowsTestPANs, !pan.hasCheckDigit {
                    add(
                        CardFault(
                            "pan",
                            "the check digit of \(pan) is wrong; --allow-test-pans takes it all the same"))
                }
                if let fault = entry.card.profileFault(ranges.range(for: pan)) { add(fault) }
                if let line = cards.updateValue(entry.place.line, forKey: identity) {
                    add(CardFault("pan", "\(identity) is at line \(line) already"))
                }
                // Cards of one PAN share one account: what the file says of it has to be the same for each.
                if let other = accounts.updateValue(entry, forKey: pan),
                    other.card.availableMinorUnits != entry.card.availableMinorUnits
                        || other.card.currency != entry.card.currency
                {
                    add(
                        CardFault(
                            "availableMinorUnits",
                            "and currency have to be those of the card at line \(other.place.line), which has the same "
                                + "PAN: they share one account"))
                }
            } catch let fault as CardFault { add(fault) } catch {
                add(CardFault("", "\(error)"))
            }
        }
    }

    /// - Throws: `CardFileFaults`, unless there are none.
    func refuseFaults() throws { if !faults.isEmpty { throw faults } }

    /// Makes something of each card, and of the faults that come up one error.
    func map<Value>(_ body: (Card) throws -> Value) throws -> [Value] {
        var (values, faults) = ([Value](), faults)
        values.reserveCapacity(entries.count)
        for entry in entries {
            do { values.append(try body(entry.card)) } catch let fault as CardFault {
                faults.add(entry.place.line(of: fault.key), "\(entry.card.title): \(fault)")
            }
        }
        if !faults.isEmpty { throw faults }
        return values
    }

    /// Where the text stops being JSON, nil where it is: the decoder does not say.
    private static func lineOfNoJSON(_ data: Data) -> Int? {
        do { _ = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed) } catch {
            let words = (error as NSError).userInfo["NSDebugDescription"] as? String ?? ""
            let offset = words.firstMatch(of: /character (\d+)/).flatMap { Int($0.1) } ?? data.count
            return data.prefix(offset).count { $0 == UInt8(ascii: "\n") } + 1
        }
        return nil
    }

    /// Names the place of a decoding error within the card, not the value there.
    private static func words(_ error: any Error) -> String {
        func place(_ path: [any CodingKey]) -> String {
            let inner = path.drop { $0.intValue == nil }.dropFirst()
            return inner.isEmpty
                ? ""
                : inner.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".") + ": "
        }
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            return "\(place(context.codingPath))\(key.stringValue) is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            return "\(place(context.codingPath))of the wrong type"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            return "\(place(context.codingPath))\(context.debugDescription)"
        // A number that does not fit is no `DecodingError`.
        default: return "a value is of the wrong type"
        }
    }
}

/// Something of a card that cannot be taken.
struct CardFault: Error, CustomStringConvertible {
    /// The key of the card at whose line it is; of no key: that of the card.
    let key: String
    private let text: String

    init(_ key: String, _ text: String) { (self.key, self.text) = (key, text) }

    var description: String { key.isEmpty ? text : "\(key): \(text)" }
}

/// Everything that is wrong with a file of cards: nothing of it was imported.
struct CardFileFaults: Error, CustomStringConvertible {
    private static let shownMax = 100
    private let path: String
    private var lines: [(number: Int, text: String)] = []

    init(path: String) { self.path = path }

    var isEmpty: Bool { lines.isEmpty }

    mutating func add(_ line: Int, _ text: String) { lines.append((line, text)) }

    var description: String {
        let sorted = lines.sorted { $0.number < $1.number }
        let shown = sorted.prefix(Self.shownMax).map { "\(path):\($0.number): \($0.text)" }
        let rest = lines.count > Self.shownMax ? ["... and \(lines.count - Self.shownMax) more"] : []
        return (["nothing was imported: \(lines.count) fault\(lines.count == 1 ? "" : "s")"] + shown + rest)
            .joined(separator: "\n")
    }
}
