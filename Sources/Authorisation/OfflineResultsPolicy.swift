package import EMV

/// On which results of terminal and card a range declines.
package struct OfflineResultsPolicy: Sendable {
    /// Of the TVR (tag 95).
    package var terminal: UInt64
    /// Of the CVR, by format.
    package var card: [IssuerApplicationDataFormat: UInt64]
    /// Cardholder verification that the terminal says has failed.
    package var declinesFailedVerification: Bool
    /// The terminal says that the card found the PIN right, and the card says that it saw none: somebody stands
    /// between the two.
    package var declinesUnseenPIN: Bool

    /// The names that are no bits, for configuration.
    package static let verificationNames = ["failed", "pin-not-seen-by-card"]

    /// What a prudent issuer declines even with a right cryptogram: a card on the terminal's exception file, a service
    /// that the card does not allow, and a PIN that only the terminal believes in. No bit of the CVR: what a card
    /// remembers of earlier transactions is for each issuer to weigh.
    package static let usual = OfflineResultsPolicy(
        terminal: mask(["card-on-exception-file", "service-not-allowed"], ResultBits.terminal), card: [:],
        declinesFailedVerification: false, declinesUnseenPIN: true)

    package init(
        terminal: UInt64, card: [IssuerApplicationDataFormat: UInt64], declinesFailedVerification: Bool,
        declinesUnseenPIN: Bool
    ) {
        self.terminal = terminal
        self.card = card
        self.declinesFailedVerification = declinesFailedVerification
        self.declinesUnseenPIN = declinesUnseenPIN
    }

    /// The bits with these names together.
    package static func mask(_ names: [String], _ bits: [ResultBit]) -> UInt64 {
        bits.reduce(0) { names.contains($1.name) ? $0 | $1.mask : $0 }
    }
}

extension OfflineResultsCheck {
    /// Which results a range declines for: those of the terminal first.
    func badBits(_ terminal: UInt64, _ card: UInt64, format: IssuerApplicationDataFormat) -> String {
        terminal == 0
            ? "CVR bad: \(words(ResultBits.card(format), card))"
            : "TVR bad: \(words(ResultBits.terminal, terminal))"
    }

    func sawNoPIN(_ card: UInt64, _ format: IssuerApplicationDataFormat) -> Bool {
        let bits = ResultBits.card(format)
        if let performed = bits.first(where: { $0.name == "offline-pin-performed" }) {
            return card & performed.mask == 0
        }
        if let missing = bits.first(where: { $0.name == "offline-pin-not-performed" }) {
            return card & missing.mask != 0
        }
        return false
    }

    func words(_ bits: [ResultBit], _ value: UInt64) -> String {
        ResultBits.set(bits, in: value).map(\.words).joined(separator: ", ")
    }
}

extension OfflineResultsText {
    /// The bits that are set by name, one line for each value; empty for a reason in words.
    package static func lines(_ reason: String, profile name: String) -> [String] {
        let parts = reason.split(separator: " ")
        guard (2...3).contains(parts.count), parts[0].count == 10,
            let terminal = UInt64(parts[0], radix: 16), let card = UInt64(parts[1], radix: 16)
        else { return [] }
        let format = CryptogramProfile.named(name)?.format
        func words(_ bits: [ResultBit], _ value: UInt64) -> String {
            let set = ResultBits.set(bits, in: value).map(\.words)
            return set.isEmpty ? "nothing" : set.joined(separator: ", ")
        }
        var lines = ["TVR: \(words(ResultBits.terminal, terminal))"]
        if let format, !ResultBits.card(format).isEmpty {
            lines.append("CVR: \(words(ResultBits.card(format), card))")
        }
        if parts.count == 3, let cvm = UInt32(parts[2], radix: 16) {
            lines.append("CVM: \(CVMResults(rawValue: cvm).words)")
        }
        return lines
    }
}
