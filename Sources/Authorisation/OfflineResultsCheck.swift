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

    /// Takes the parts; see each property.
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

/// What terminal and card found before the issuer was asked: TVR, CVR and CVM results, all of them covered by the
/// cryptogram or vouched for by the acquirer.
struct OfflineResultsCheck {
    let policy: OfflineResultsPolicy

    func evaluate(
        _ chip: ICCData, _ verified: VerifiedCryptogram, kind: TransactionKind, trace: inout DecisionTrace
    ) -> DeclineReason? {
        // A genuine card that has declined: it may be told something (a script), but gets no approval. For a refund
        // a card says nothing else.
        if chip.cryptogramKind == .aac, kind != .refund {
            trace.add(.offlineResults, .declined, reason: "the card declines (AAC)")
            return .notAnARQC
        }
        let terminal = chip.terminalVerificationResults ?? 0
        let format = verified.question.profile.format
        let card = verified.issuerApplicationData.cardVerificationResultsValue(in: format)
        let bad = finding(terminal, card, cvm: chip.cvmResults, format: format)
        trace.add(
            .offlineResults, bad == nil ? .approved : .declined,
            reason: bad
                ?? OfflineResultsText.encode(terminal, card, format: format, cvm: chip.cvmResults))
        return bad == nil ? nil : .offlineResultsBad
    }

    private func finding(
        _ terminal: UInt64, _ card: UInt64, cvm: CVMResults?, format: IssuerApplicationDataFormat
    ) -> String? {
        if terminal & policy.terminal != 0 {
            return "TVR bad: \(words(ResultBits.terminal, terminal & policy.terminal))"
        }
        let declined = policy.card[format] ?? 0
        if card & declined != 0 {
            return "CVR bad: \(words(ResultBits.card(format), card & declined))"
        }
        guard let cvm else { return nil }
        if policy.declinesFailedVerification, cvm.result == 1 { return "CVM results bad: \(cvm.words)" }
        if policy.declinesUnseenPIN, cvm.claimsOfflinePIN, sawNoPIN(card, format) {
            return "CVM results bad: \(cvm.words), but the card saw no PIN"
        }
        return nil
    }

    private func sawNoPIN(_ card: UInt64, _ format: IssuerApplicationDataFormat) -> Bool {
        let bits = ResultBits.card(format)
        if let performed = bits.first(where: { $0.name == "offline-pin-performed" }) {
            return card & performed.mask == 0
        }
        if let missing = bits.first(where: { $0.name == "offline-pin-not-performed" }) {
            return card & missing.mask != 0
        }
        return false
    }

    private func words(_ bits: [ResultBit], _ value: UInt64) -> String {
        ResultBits.set(bits, in: value).map(\.words).joined(separator: ", ")
    }
}

/// The three values in a trace line: `0000008000 A0B800 020300`, and what they mean, for people.
package enum OfflineResultsText {
    static func encode(
        _ terminal: UInt64, _ card: UInt64, format: IssuerApplicationDataFormat, cvm: CVMResults?
    ) -> String {
        let cardDigits = 2 * format.verificationResults.count
        return String(unsafeUninitializedCapacity: 12 + cardDigits + 6) { buffer in
            var count = 0
            func hex(_ value: UInt64, _ digits: Int) {
                for digit in stride(from: digits - 1, through: 0, by: -1) {
                    let nibble = UInt8(truncatingIfNeeded: value >> UInt64(4 * digit)) & 0x0F
                    buffer[count] = nibble < 10 ? 0x30 + nibble : 0x37 + nibble
                    count += 1
                }
            }
            hex(terminal, 10)
            buffer[count] = 0x20
            count += 1
            hex(card, cardDigits)
            if let cvm {
                buffer[count] = 0x20
                count += 1
                hex(UInt64(cvm.rawValue), 6)
            }
            return count
        }
    }

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
