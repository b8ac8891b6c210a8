internal import EMV
package import ISO8583

/// Exchanges as text for people. Everything sensitive is masked by the codec's own description of messages
/// and by `ChipDataListing`.
package enum Printing {
    /// Why a purchase was not approved, as far as that can be found out here.
    package static func why(
        _ request: PurchaseRequest, _ outcome: PurchaseOutcome, bench: Bench, desk: IssuerDesk?
    ) -> [String] {
        DeclineExplanation(bench: bench, desk: desk).lines(request.message, code: outcome.responseCode)
    }

    /// A message, element by element, DE55 opened.
    /// - Parameter title: above it.
    package static func message(_ message: Message, title: String, dialect: Dialect) -> String {
        var lines = ["\(title): \(message.mti) in dialect \(dialect.name)"]
        let elements = message.describe(dialect: dialect)
        let width = elements.map(\.name.count).max() ?? 0
        for (element, name, value) in elements {
            let head = "  \(padded("\(element)", 5))  \(padded(name, width))  "
            if element == .iccData, let data = message.bytes(element) {
                lines.append("\(head)\(data.count) bytes:")
                lines += chipData(data)
            } else {
                lines.append(head + value + (element == .responseCode ? words(of: value) : ""))
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func words(of responseCode: String) -> String {
        let words = PurchaseOutcome.words(responseCode)
        return " = \(words.dropFirst(responseCode.count + 1))"
    }

    private static func chipData(_ data: ArraySlice<UInt8>) -> [String] {
        do throws(TLVError) {
            let lines = try ChipDataListing.lines(data)
            let width = lines.map(\.name.count).max() ?? 0
            return lines.map { line in
                let indent = String(repeating: " ", count: 9 + 2 * line.depth)
                return "\(indent)\(padded("\(line.tag)", 4))  \(padded(line.name, width))  \(line.value)"
            }
        } catch {
            return ["         not readable: \(error)"]
        }
    }

    /// Request, response, and what terminal and card say of it.
    package static func purchase(
        _ request: PurchaseRequest, _ outcome: PurchaseOutcome, link: Link
    ) -> String {
        let dialect = link.form.codec.dialect
        var lines = [
            message(request.message, title: "Request to \(link)", dialect: dialect),
            "",
            message(outcome.answer.message, title: "Response", dialect: dialect), "",
            "Issuer:    \(outcome.responseWords)",
            "Card:      \(outcome.verdictWords)",
            "Took:      \(milliseconds(outcome.answer.elapsed)) ms",
        ]
        lines += outcome.answer.discrepancies.map { "Attention: \($0)" }
        if outcome.answer.strayMessages > 0 {
            lines.append("Attention: \(outcome.answer.strayMessages) messages answered no request of ours")
        }
        return lines.joined(separator: "\n")
    }

    /// `1.83`.
    package static func milliseconds(_ duration: Duration) -> String {
        let hundredths = UInt64(max(0, (duration / .microseconds(10)).rounded()))
        return "\(hundredths / 100).\(MoneyText.digits(hundredths % 100, count: 2))"
    }

    /// Filled up with spaces; too long a text is left as it is.
    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// The same, with the spaces before it.
    static func rightAligned(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
