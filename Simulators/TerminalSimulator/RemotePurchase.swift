internal import EMV
internal import ISO8583
internal import IssuerMessages
package import VirtualCard

/// A purchase with a card in a reader: the terminal's part of it, command by command.
struct RemotePurchase {
    private var conversation: CardConversation
    private let online: CardAnswer
    /// What the terminal's offline data authentication came to.
    let offline: (words: String, fault: CertificateFault?)

    /// From SELECT to the first cryptogram.
    /// - Parameter card: the terminal's model; its counter follows the card's.
    init(
        _ card: inout VirtualCard, _ chip: RemoteChip, transaction: TerminalTransaction, bench: Bench,
        month: ExpiryDate, pin: PIN? = nil
    ) throws {
        var risk = TerminalRisk()
        risk.caKeys = bench.caKeys
        risk.month = month
        conversation = CardConversation(
            card, application: ChipApplication(for: card.definition.product), risk: risk, chip: chip)
        // The signature of CDA comes with the cryptogram; here the terminal knows SDA and DDA.
        var transaction = transaction
        transaction.terminalCapabilities &= ~0x08
        guard case .online(let answer) = try conversation.begin(transaction, pin: pin) else {
            throw StepError("the card in the reader does not go online")
        }
        online = answer
        try card.setATC(answer.atc)
        let method = conversation.offlineMethod.map { "\($0)" } ?? "none"
        if let fault = conversation.authenticationFault {
            offline = ("\(method) ✗ \(fault.reason)", fault)
        } else {
            offline = ("\(method) ✓", nil)
        }
    }

    /// DE55, after what is done to it behind the card's back.
    /// - Throws: what the tampering cannot find there.
    func answer(_ tampering: Tampering = .none) throws(ChipCardError) -> CardAnswer {
        CardAnswer(
            chipData: try tampering.apply(to: online.chipData), signed: online.signed, atc: online.atc)
    }

    /// The rest of the conversation: the card hears the issuer's answer.
    /// - Returns: what is odd about its last cryptogram; nil for nothing.
    mutating func finish(_ outcome: PurchaseOutcome) throws -> String? {
        let isApproved = outcome.responseCode == ResponseCode.approved.rawValue
        let code = outcome.responseCode.flatMap { AuthorisationResponseCode($0) } ?? .unableToGoOnlineDeclined
        let kind = try conversation.finish(
            approved: isApproved, code: code,
            chipData: outcome.answer.message.bytes(.iccData).map(Array.init))
        let agrees = outcome.verdict?.approves == true && isApproved
        guard (kind == .tc) != agrees else { return nil }
        return agrees
            ? "the card in the reader declines what the issuer approved"
            : "the card in the reader approves what the issuer did not"
    }
}

/// One purchase with a card in a reader, or with one within this program where there is no reader.
package final class ReaderPurchase {
    private let readers: CardsAtReaders?
    private let bench: Bench
    private let month: ExpiryDate
    private var remote: RemotePurchase?

    /// - Parameter readers: nil for a card within this program.
    package init(_ readers: CardsAtReaders?, _ bench: Bench, terminal: Terminal) {
        self.readers = readers
        self.bench = bench
        month = terminal.month
    }

    /// The request, with what the card signed.
    package func request(
        _ purchase: Purchase, _ card: inout VirtualCard, link: Link, terminal: inout Terminal
    ) throws -> PurchaseRequest {
        let (key, dialect) = (link.zonePINKey(for: purchase.pinFormat), link.form.codec.dialect)
        guard let chip = readers?.chip(of: card.definition) else {
            return try terminal.request(purchase, card: &card, zonePINKey: key, dialect: dialect)
        }
        let tampering = purchase.distortion.chip
        return try terminal.request(purchase, card: &card, zonePINKey: key, dialect: dialect) {
            card, transaction in
            let made = try RemotePurchase(
                &card, chip, transaction: transaction, bench: bench, month: month,
                pin: purchase.pin.pin(of: card))
            remote = made
            return try made.answer(tampering)
        }
    }

    /// The card hears the answer.
    /// - Returns: what it makes of it, for people.
    package func finish(_ outcome: PurchaseOutcome) throws -> [String] {
        guard remote != nil else { return [] }
        let complaint = try remote?.finish(outcome)
        return [
            "Card in the reader: \(remote?.offline.words ?? ""), final cryptogram as expected: \(complaint ?? "yes")"
        ]
    }
}
