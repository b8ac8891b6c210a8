internal import ByteCoding
internal import EMV
package import ISO8583
package import VirtualCard

/// A chip-and-PIN terminal of one merchant: it numbers its requests and builds them. Sending is `Exchange`'s.
package struct Terminal: Sendable {
    /// Who the terminal is.
    package struct Identity: Sendable {
        /// DE32.
        package var acquirer = "123456"
        /// DE41, eight characters.
        package var terminal = "TERM0001"
        /// DE42, fifteen characters.
        package var merchant = "MERCHANT0000001"
        /// DE18, ISO 18245.
        package var merchantType = "5411"

        /// A grocer.
        package init() {}
    }

    /// The five bytes that a dialect or framing with a TPDU begins with: to 0001, from 0002.
    static let tpdu: [UInt8] = [0x60, 0x00, 0x01, 0x00, 0x02]

    private let identity: Identity
    private let surroundings: TerminalSurroundings
    private var traceNumber: UInt64
    /// The authentication value of each card's last payment.
    private var lastAuthentication: [String: [UInt8]] = [:]

    /// One of several terminals that work at once: a name and trace numbers of its own.
    init(number: Int, of count: Int, surroundings: TerminalSurroundings = .real) {
        var identity = Identity()
        identity.terminal = "TERM" + MoneyText.digits(UInt64(number + 1), count: 4)
        self.init(identity: identity, surroundings: surroundings)
        traceNumber = (traceNumber + UInt64(999_999 / count * number)) % 999_999
    }

    /// The trace numbers begin anywhere, so that a second run does not look like a repeat of the first.
    package init(identity: Identity = Identity(), surroundings: TerminalSurroundings = .real) {
        self.identity = identity
        self.surroundings = surroundings
        traceNumber = UInt64(surroundings.random()) % 999_999
    }

    /// A 0100 for a purchase with chip and perhaps PIN.
    /// - Parameters:
    ///   - card: counts and signs.
    ///   - zonePINKey: TDES, of the link; nil where it carries no PINs.
    ///   - dialect: decides whether a header goes before the message type.
    package mutating func request(
        _ purchase: Purchase, card: inout VirtualCard, zonePINKey: [UInt8]?, dialect: Dialect
    ) throws -> PurchaseRequest {
        let tampering = purchase.distortion.chip
        return try request(purchase, card: &card, zonePINKey: zonePINKey, dialect: dialect) {
            card, transaction in
            try card.answer(transaction, tampering: tampering)
        }
    }

    /// The same with a signature that comes about in another way, such as a whole conversation.
    package mutating func request(
        _ purchase: Purchase, card: inout VirtualCard, zonePINKey: [UInt8]?, dialect: Dialect,
        sign: (inout VirtualCard, TerminalTransaction) throws -> CardAnswer
    ) throws -> PurchaseRequest {
        let time = try time(for: purchase, card, zonePINKey: zonePINKey)
        guard let date = time.transactionDate else { throw TerminalError.impossibleDate }
        let pin = purchase.pin.pin(of: card)

        var transaction = TerminalTransaction(
            amount: purchase.amount, date: date,
            unpredictableNumber: UnpredictableNumber(rawValue: surroundings.random()))
        transaction.currencyCode = card.definition.currencyCode
        transaction.type = purchase.kind.rawValue
        purchase.settings.apply(to: &transaction)
        let answer = try sign(&card, transaction)

        var message = numbered(purchase.mti, time, dialect: dialect)
        try setCard(&card, .chip, stripe: StripeSettings(), of: &message, dialect: dialect)
        setPointOfService(time, purchase, of: &message)
        message.set(.currency, text: MoneyText.digits(UInt64(transaction.currencyCode), count: 3))
        message.set(.iccData, bytes: answer.chipData)
        try setPIN(pin, purchase, card: card, zonePINKey: zonePINKey, of: &message, dialect: dialect)
        purchase.distortion.apply(to: &message)
        return PurchaseRequest(
            message: message, cardAnswer: answer, bytesCut: purchase.distortion.bytesCut)
    }

    /// The same without the chip: with the stripe, or with what is printed on the card.
    /// - Parameters:
    ///   - printedValue: where the link has CVV2.
    ///   - threeDSecure: where it has 3-D Secure, with the servers behind it.
    package mutating func request(
        withoutChip purchase: Purchase, card: inout VirtualCard, zonePINKey: [UInt8]?, dialect: Dialect,
        printedValue: PrintedValuePosition?, threeDSecure: ThreeDSecure? = nil
    ) throws -> Message {
        let time = try time(for: purchase, card, zonePINKey: zonePINKey)
        var message = numbered(purchase.mti, time, dialect: dialect)
        try setCard(
            &card, purchase.presentation, stripe: purchase.stripe, atc: purchase.distortion.chip.atc,
            of: &message, dialect: dialect)
        setPointOfService(time, purchase, of: &message)
        let currency = purchase.settings.currencyCode ?? card.definition.currencyCode
        message.set(.currency, text: MoneyText.digits(UInt64(currency), count: 3))
        if purchase.presentation == .threeDSecure {
            guard let threeDSecure else { throw TerminalError.noAuthenticationPlace }
            try threeDSecure.fill(
                &message, purchase, card: &card, last: &lastAuthentication[card.definition.name],
                currency: currency, now: surroundings.unixSeconds())
        }
        if purchase.presentation.sendsPrintedValue, purchase.stripe.cvv2 != .none {
            guard let printedValue else { throw TerminalError.noPrintedValuePlace }
            let before = String(repeating: " ", count: printedValue.offset)
            message.set(
                printedValue.element, text: before + (try card.printedValue(purchase.stripe.cvv2)))
        }
        try setPIN(
            purchase.pin.pin(of: card), purchase, card: card, zonePINKey: zonePINKey, of: &message,
            dialect: dialect)
        purchase.distortion.apply(to: &message)
        return message
    }

    /// The time of a purchase that can be made.
    private func time(
        for purchase: Purchase, _ card: VirtualCard, zonePINKey: [UInt8]?
    ) throws(TerminalError) -> TerminalTime {
        guard purchase.amount <= MoneyText.minorUnitsMax else { throw .amountTooLarge }
        guard purchase.pin.pin(of: card) == nil || zonePINKey != nil else { throw .noZonePINKey }
        return TerminalTime(unixSeconds: surroundings.unixSeconds())
    }

    /// The current month, for a card's expiry.
    var month: ExpiryDate { ExpiryDate(unixSeconds: surroundings.unixSeconds()) }

    /// An 0800 with DE70 301, or an 1804 with DE24 831: is anybody there?
    package mutating func echoRequest(dialect: Dialect) -> Message {
        networkRequest(code: "301", dialect: dialect)
    }

    /// An 0800, or an 1804.
    /// - Parameter code: DE70: 001 sign-on, 002 sign-off, 301 echo; what DE24 says of these in ISO 8583:1993 follows.
    package mutating func networkRequest(code: String, dialect: Dialect) -> Message {
        let time = TerminalTime(unixSeconds: surroundings.unixSeconds())
        var message = numbered(.networkManagementRequest, time, dialect: dialect)
        guard message.mti.is1993 else {
            message.set(.networkManagementCode, text: code)
            return message
        }
        message.set(.localTime, text: time.localYear + time.localDate + time.localTime)
        message.set(.functionCode, text: Terminal.networkCode1993(code))
        return message
    }

    /// A 0400, 0420 or one of their repeats for a request that was sent before.
    /// - Parameters:
    ///   - completed: minor units that were really paid out (DE95); nil takes all of it back.
    ///   - answer: what came for the request, if anything did: DE38 and DE39 go into the reversal.
    package mutating func reversal(
        of request: Message, answer: Message?, mti: MTI, completed: UInt64?, dialect: Dialect
    ) -> Message {
        let time = TerminalTime(unixSeconds: surroundings.unixSeconds())
        var message = numbered(mti, time, dialect: dialect)
        let kept: [DataElement] = [
            .pan, .processingCode, .transactionAmount, .localTime, .localDate, .expirationDate, .merchantType,
            .pointOfServiceEntryMode, .panSequenceNumber, .pointOfServiceConditionCode, .acquirerIdentifier,
            .track2, .retrievalReferenceNumber, .terminalIdentifier, .merchantIdentifier, .currency,
        ]
        for element in kept { message.copy(element, from: request) }
        if let answer { message.copy(.authorisationCode, from: answer) }
        if message.mti.is1993 {
            message.copy(.businessCode, from: request)
            message.remove(.pointOfServiceConditionCode)
            Terminal.setOriginal1993(
                of: request, answered: answer != nil, completed: completed, message: &message)
            return message
        }
        if let answer { message.copy(.responseCode, from: answer) }
        message.set(.originalDataElements, text: Terminal.originalDataElements(of: request))
        if let completed {
            // Amount in transaction and settlement currency, then two fees of nothing (ISO 8583:1987).
            let amount = MoneyText.digits(completed, count: 12)
            let fee = "D" + MoneyText.digits(0, count: 8)
            message.set(
                .replacementAmounts, text: amount + MoneyText.digits(0, count: 12) + fee + fee)
        }
        return message
    }

    /// DE90: message type, DE11, DE7, DE32 and DE33 of the request, right-aligned with zeros before them.
    static func originalDataElements(of request: Message) -> String {
        func digits(_ element: DataElement, _ count: Int) -> String {
            let text = request.text(element) ?? ""
            return String(repeating: "0", count: max(0, count - text.count)) + text.suffix(count)
        }
        return "\(request.mti)" + digits(.stan, 6) + digits(.transmissionTime, 10)
            + digits(.acquirerIdentifier, 11) + digits(.forwardingIdentifier, 11)
    }

    /// A message with the next trace number (1…999,999).
    private mutating func numbered(_ mti: MTI, _ time: TerminalTime, dialect: Dialect) -> Message {
        traceNumber = traceNumber % 999_999 + 1
        var header = Array(Terminal.tpdu.prefix(dialect.header.bytes))
        header += [UInt8](repeating: 0, count: dialect.header.bytes - header.count)
        var message = Message(mti: Terminal.type(mti, in: dialect), header: header)
        let stan = MoneyText.digits(traceNumber, count: 6)
        message.set(.transmissionTime, text: time.transmission)
        message.set(.stan, text: stan)
        if mti.messageClass != .networkManagement {
            message.set(.retrievalReferenceNumber, text: time.referencePrefix + stan)
        }
        return message
    }

    private func setCard(
        _ card: inout VirtualCard, _ presentation: CardPresentation, stripe: StripeSettings,
        atc: ApplicationTransactionCounter? = nil, of message: inout Message, dialect: Dialect
    ) throws {
        message.set(.pan, text: card.panDigits)
        message.set(.expirationDate, text: card.definition.expiry.description)
        if presentation == .chip || presentation.hasStripe {
            var stripe = stripe
            // What a chip gives as its track is told from a stripe by the value in it.
            if presentation == .chip { stripe.cvv = card.cardValues == nil ? .none : .chip }
            // The separator is D where it is a nibble.
            let separator = Character(UnicodeScalar(dialect[.track2]?.separator ?? 0x3D))
            message.set(
                .track2,
                text: presentation == .contactlessStripe
                    ? try card.contactlessTrack2(stripe, separator: separator, atc: atc)
                    : try card.track2(stripe, separator: separator))
        }
        if let number = card.definition.identity.panSequenceNumber {
            message.set(.panSequenceNumber, text: "0\(number)")
        }
    }

    private func setPointOfService(_ time: TerminalTime, _ purchase: Purchase, of message: inout Message) {
        let settings = purchase.settings
        message.set(.processingCode, text: purchase.kind.processingCode)
        message.set(.transactionAmount, text: MoneyText.digits(purchase.amount, count: 12))
        let category = settings.merchantType ?? identity.merchantType
        if message.mti.is1993 {
            message.set(.localTime, text: time.localYear + time.localDate + time.localTime)
            message.set(
                .pointOfServiceEntryMode, text: settings.entryMode ?? purchase.presentation.pointOfServiceData
            )
            message.set(.functionCode, text: Terminal.functionCode(of: message.mti))
            message.set(.businessCode, text: category)
        } else {
            message.set(.localTime, text: time.localTime)
            message.set(.localDate, text: time.localDate)
            message.set(.merchantType, text: category)
            message.set(.pointOfServiceEntryMode, text: settings.entryMode ?? purchase.presentation.entryMode)
            message.set(.pointOfServiceConditionCode, text: purchase.presentation.conditionCode)
        }
        message.set(.acquirerIdentifier, text: settings.acquirer ?? identity.acquirer)
        message.set(.terminalIdentifier, text: settings.terminal ?? identity.terminal)
        message.set(.merchantIdentifier, text: settings.merchant ?? identity.merchant)
    }

    /// Sixteen bytes go where the dialect has a place for them, in hex where that is text.
    private func setPIN(
        _ pin: PIN?, _ purchase: Purchase, card: VirtualCard, zonePINKey: [UInt8]?,
        of message: inout Message, dialect: Dialect
    ) throws {
        guard let pin, var zonePINKey else { return }
        // Parity is of no account to the cipher, the other bits are.
        if purchase.distortion.wrongPINKey { zonePINKey[0] ^= 0x10 }
        let block = try card.pinBlockBytes(pin, purchase.pinFormat, key: zonePINKey)
        if let code = purchase.pinFormatCode {
            // ISO 8583:1987 DE53: zone encipherment, DES, PIN block format, key index; in bytes of the same in 1993.
            let control = "2001\(code)0100000000"
            if dialect[.securityControl]?.type == .binary {
                message.set(.securityControl, bytes: (try? Hex.decode(control)) ?? [])
            } else {
                message.set(.securityControl, text: control)
            }
        }
        guard purchase.pinFormat == .iso4, let element = dialect.element(holding: .format4PINBlock) else {
            return message.set(.pinData, bytes: block)
        }
        if dialect[element]?.encoding == .binary {
            message.set(element, bytes: block)
        } else {
            message.set(element, text: Hex.encode(block))
        }
    }
}

extension VirtualCard {
    /// A PIN block as DE52 carries it: eight bytes, or sixteen in format 4.
    func pinBlockBytes(_ pin: PIN, _ format: PINBlockFormat, key: [UInt8]) throws -> [UInt8] {
        guard format != .iso4 else { return try pinBlock16(pin, zonePINKey: key).bytes }
        let block = try pinBlock(pin, format: format, zonePINKey: key)
        return withUnsafeBytes(of: block.rawValue.bigEndian) { Array($0) }
    }
}
