internal import EMV
internal import IssuerMessages
package import VirtualCard

extension Printing {
    private static let widths = (
        link: 11, card: 14, amount: 11, profile: 14, deed: 28, response: 22, offline: 24, verdict: 34
    )

    /// The headings of `line`.
    package static let demoHeadings = row(
        " ", "#", link: "link", card: "card", amount: "amount", profile: "profile", deed: "what was done",
        offline: "offline authentication", response: "DE39",
        verdict: "the card's verdict", time: "ms")

    /// One transaction in one line; a second one where it was not as expected.
    package static func line(_ line: DemoLine) -> String {
        let mark = line.complaint == nil ? "✓" : "✗"
        let profile = line.card.product.profile.name
        let amount = MoneyText.text(
            line.step.amount, currency: line.step.abroad?.currency ?? line.card.currencyCode)
        let response: String
        let verdict: String
        let time: String
        switch line.outcome {
        case .success(let outcome):
            response = outcome.responseWords
            verdict = outcome.verdictWords
            time = milliseconds(outcome.answer.elapsed)
        case .failure(let fault): (response, verdict, time) = ("no answer", fault.words, "-")
        }
        let text = row(
            mark, "\(line.number)", link: line.link, card: line.card.name, amount: amount, profile: profile,
            deed: line.step.words,
            offline: line.offlineAuthentication, response: response, verdict: verdict, time: time)
        return line.complaint.map { "\(text)\n       \($0)" } ?? text
    }

    /// The last line.
    package static func summary(_ summary: DemoSummary) -> String {
        let count = summary.lines.count
        let bad = summary.complaints.count
        let approved = summary.lines.count { line in
            if case .success(let outcome) = line.outcome { outcome.isApproved } else { false }
        }
        let head =
            "\(count) transactions in \(milliseconds(summary.elapsed)) ms: "
            + "\(approved) approved, \(count - approved) not; "
        guard bad > 0 else { return head + "every outcome was the expected one." }
        let numbers = summary.complaints.map { "\($0.number)" }.joined(separator: ", ")
        let tail =
            exhausted(summary) ? "\nPIN tries are used up: `issuer-host cards import` resets them." : ""
        return head + "\(bad) not as expected: \(numbers)" + tail
    }

    /// A demo before this one, without an import between them, is the likely reason.
    private static func exhausted(_ summary: DemoSummary) -> Bool {
        summary.complaints.contains { line in
            guard case .success(let outcome) = line.outcome else { return false }
            return outcome.responseCode == ResponseCode.pinTriesExceeded.rawValue
        }
    }

    private static func row(
        _ mark: String, _ number: String, link: String, card: String, amount: String,
        profile: String, deed: String, offline: String, response: String, verdict: String,
        time: String
    ) -> String {
        [
            mark, rightAligned(number, 3), padded(link, widths.link), padded(card, widths.card),
            rightAligned(amount, widths.amount), padded(profile, widths.profile), padded(deed, widths.deed),
            padded(offline, widths.offline), padded(response, widths.response),
            padded(verdict, widths.verdict), rightAligned(time, 7),
        ].joined(separator: "  ")
    }
}

extension Printing {
    /// The cards of an issuer, one a line.
    package static func cards(_ cards: [CardDefinition]) -> String {
        let rows =
            [["name", "account", "expiry", "profile", "status", "at first"]]
            + cards.map { card in
                let funds = UInt64(max(card.availableMinorUnits, 0))
                return [
                    card.name, card.identity.pan.description, card.expiry.description,
                    card.product.profile.name,
                    card.status, MoneyText.text(funds, currency: card.currencyCode),
                ]
            }
        let widths = (0..<6).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { padded($0, $1) }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
