package import EMV
package import ISO8583
package import VirtualCard

/// What the cardholder does at the PIN pad.
package enum PINEntry: Hashable, Sendable {
    /// No PIN is asked for: no DE52.
    case none
    /// The card's own PIN.
    case right
    /// Another one than the card's.
    case wrong
    /// This PIN, whatever the card's is.
    case typed(PIN)

    /// The PIN that is enciphered; nil for none.
    func pin(of card: VirtualCard) -> PIN? {
        switch self {
        case .none: nil
        case .right: card.pin
        case .wrong: ["7391", "1937"].compactMap { PIN($0) }.first { $0 != card.pin }
        case .typed(let pin): pin
        }
    }
}

/// What the terminal does with the money.
package enum PurchaseKind: UInt8, Hashable, Sendable, CaseIterable {
    /// Goods and services.
    case purchase = 0x00
    /// Cash.
    case cash = 0x01
    /// The other way round.
    case refund = 0x20

    /// DE3 with default accounts.
    var processingCode: String {
        switch self {
        case .purchase: "000000"
        case .cash: "010000"
        case .refund: "200000"
        }
    }
}

/// What a terminal says of itself and of the transaction; nil leaves the terminal's own.
package struct TerminalSettings: Sendable {
    /// 9F1A.
    package var countryCode: UInt16?
    /// 5F2A and DE49; the card's own by default.
    package var currencyCode: UInt16?
    /// 9F35.
    package var terminalType: UInt8?
    /// 95.
    package var verificationResults: UInt64?
    /// 9F33.
    package var capabilities: UInt32?
    /// 9F34.
    package var verificationMethodResults: UInt32?
    /// 9F03 in minor units.
    package var amountOther: UInt64?
    /// DE22.
    package var entryMode: String?
    /// DE41.
    package var terminal: String?
    /// DE42.
    package var merchant: String?
    /// DE32.
    package var acquirer: String?
    /// DE18.
    package var merchantType: String?

    /// Everything as the terminal has it.
    package init() {}

    func apply(to transaction: inout TerminalTransaction) {
        if let countryCode { transaction.countryCode = countryCode }
        if let currencyCode { transaction.currencyCode = currencyCode }
        if let terminalType { transaction.terminalType = terminalType }
        if let verificationResults { transaction.terminalVerificationResults = verificationResults }
        if let capabilities { transaction.terminalCapabilities = capabilities }
        if let verificationMethodResults {
            transaction.verificationMethodResults = verificationMethodResults
        }
        if let amountOther { transaction.amountOther = amountOther }
    }
}

/// What is done to a request behind the backs of card and terminal.
package struct Distortion: Sendable {
    /// To DE55.
    package var chip: Tampering = .none
    /// Other contents for data elements.
    package var fields: [(element: DataElement, text: String)] = []
    /// The same for elements of bytes.
    package var binaryFields: [(element: DataElement, bytes: [UInt8])] = []
    /// Data elements that are left out.
    package var removed: [DataElement] = []
    /// The PIN block is enciphered under a key that the link does not have.
    package var wrongPINKey = false
    /// Bytes missing at the end of the message.
    package var bytesCut = 0

    /// Nothing.
    package init() {}

    /// What concerns data elements.
    func apply(to message: inout Message) {
        for (element, text) in fields { message.set(element, text: text) }
        for (element, bytes) in binaryFields { message.set(element, bytes: bytes) }
        for element in removed { message.remove(element) }
    }
}

/// One purchase, withdrawal or refund as its cardholder sees it.
package struct Purchase: Sendable {
    /// Minor units of the card's currency, at most twelve digits.
    package var amount: UInt64
    /// The PIN.
    package var pin: PINEntry
    /// What goes wrong with it.
    package var distortion: Distortion
    /// 0100 where nothing else is said.
    package var mti = MTI.authorisationRequest
    /// DE3 and 9C.
    package var kind = PurchaseKind.purchase
    /// What the terminal says of itself.
    package var settings = TerminalSettings()
    /// How the PIN block is made.
    package var pinFormat = PINBlockFormat.iso0
    /// Digits 5 and 6 of DE53, where the link has to be told the format.
    var pinFormatCode: String?
    /// How the card comes to the terminal.
    package var presentation = CardPresentation.chip
    /// What is read or typed where it is not the chip.
    package var stripe = StripeSettings()
    /// What 3-D Secure comes to.
    package var authentication = AuthenticationSettings()

    package init(amount: UInt64, pin: PINEntry, distortion: Distortion = Distortion()) {
        self.amount = amount
        self.pin = pin
        self.distortion = distortion
    }
}

extension Purchase {
    /// PIN blocks as a link has them, or in another format that it can be told of.
    package mutating func setPINFormat(_ format: PINBlockFormat? = nil, of link: Link) {
        pinFormat = format ?? link.wantedPINFormat ?? link.pinFormat
        pinFormatCode = pinFormat == link.pinFormat ? nil : link.pinFormatCodes[pinFormat]
    }
}

/// A request, and what the card needs to judge its answer.
package struct PurchaseRequest: Sendable {
    /// 0100.
    package let message: Message
    /// What the card did.
    package let cardAnswer: CardAnswer
    /// Bytes to leave away at the end of the message.
    package let bytesCut: Int
}

/// A request that cannot be built.
package enum TerminalError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Over twelve digits.
    case amountTooLarge
    /// A PIN was typed, but the link has no key for it.
    case noZonePINKey
    /// The clock is outside of the years that tag 9A can say.
    case impossibleDate
    /// A CVV is to be sent, but the file has no key for it.
    case noCardVerificationKey
    /// CVV2 is to be sent, but nothing says where the link has it.
    case noPrintedValuePlace
    /// 3-D Secure, but nothing says where the link has it.
    case noAuthenticationPlace
    /// The range has no access control server.
    case noAuthenticationServer
    /// The form of the range has no place for what is asked for.
    case noSuchAuthentication

    /// One line for people.
    package var description: String {
        switch self {
        case .amountTooLarge: "the amount has more than twelve digits"
        case .noZonePINKey:
            "a PIN is to be sent, but the link has no zone PIN key: name one of the issuer's file with --zpk, or send no PIN"
        case .noCardVerificationKey: "a CVV is to be sent, but there is no cvk- key for the card's range"
        case .noPrintedValuePlace:
            "CVV2 is to be sent, but the link does not say where (cvv2Element, --cvv2-element)"
        case .noAuthenticationPlace:
            "3-D Secure is to be sent, but the configuration does not say where the link has it (authenticationValue)"
        case .noAuthenticationServer:
            "3-D Secure is to be sent, but the card's range has no authenticationValue, or the file no key for it"
        case .noSuchAuthentication: "the range's form of authentication values has no place for this"
        case .impossibleDate: "the clock's date cannot be written in tag 9A"
        }
    }
}
