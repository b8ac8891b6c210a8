internal import Authorisation
internal import EMV
internal import Foundation
internal import IssuerConfiguration

extension AbroadPolicy {
    /// - Parameter place: where it stands, for errors.
    convenience init(_ abroad: IssuerConfiguration.Abroad, place: String) throws {
        self.init(
            rates: try abroad.rates.map { try RateTable(path: $0, place: "\(place).rates") },
            declinesDifference: abroad.rateDifference == "decline")
    }
}

extension RateTable {
    /// Reads `FROM TO RATE` a line: what one unit of the first currency comes to in the second, `USD EUR 0.9234567`.
    /// Currencies as three letters or three digits of ISO 4217; what follows `#` is for people.
    /// - Parameter place: the key that names the file, for errors.
    init(path: String, place: String) throws {
        let text: String
        do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
            throw WiringError("\(place): \(path) cannot be read as text")
        }
        self.init()
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard !words.isEmpty else { continue }
            func fault(_ words: String) -> WiringError {
                WiringError("\(place): \(path):\(index + 1): \(words)")
            }
            guard words.count == 3 else { throw fault("FROM TO RATE are needed, as in USD EUR 0.9234567") }
            let (from, to) = (try Self.currency(words[0], fault), try Self.currency(words[1], fault))
            guard from != to else { throw fault("\(words[0]) stands on both sides") }
            guard let rate = ConversionRate(decimal: words[2]) else {
                throw fault("\(words[2]) is no decimal number above zero of at most fifteen digits")
            }
            guard add(rate, from: from, to: to) else {
                throw fault("a rate from \(words[0]) to \(words[1]) is there already")
            }
        }
        guard count > 0 else { throw WiringError("\(place): \(path) holds no rate") }
    }

    private static func currency(
        _ text: Substring, _ fault: (String) -> WiringError
    ) throws -> CurrencyCode {
        guard
            let number = UInt16(text).flatMap({ text.utf8.count == 3 ? $0 : nil })
                ?? ISO4217.currency(String(text))?.numericCode,
            ISO4217.currency(number) != nil, let code = CurrencyCode(rawValue: number)
        else { throw fault("\(text) is no currency of ISO 4217") }
        return code
    }
}
