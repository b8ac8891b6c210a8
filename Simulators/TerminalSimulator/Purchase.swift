public import ISO8583
public import VirtualCard

/// What the cardholder does at the PIN pad.
public enum PINEntry: Hashable, Sendable {
    /// No PIN is asked for: no DE52.
    case none
    /// The card's own PIN.
    case right
    /// Another one than the card's.
    case wrong
    /// This PIN, whatever the card's is.
    case typed(PIN)

    /// The PIN that is enciphered; nil for none.
    func pin(of card: CardDefinition) -> PIN? {
        switch self {
        case .none: nil
        case .right: card.pin
        case .wrong: ["7391", "1937"].compactMap { PIN($0) }.first { $0 != card.pin }
        case .typed(let pin): pin
        }
    }
}

/// What is done to a request behind the backs of card and terminal.
public struct Distortion: Sendable {
    /// To DE55.
    public var chip: Tampering = .none
    /// Other contents for data elements.
    public var fields: [(element: DataElement, text: String)] = []
    /// Bytes missing at the end of the message.
    public var bytesCut = 0

    /// Nothing.
    public init() {}
}

/// One purchase as its cardholder sees it.
public struct Purchase: Sendable {
    /// Minor units of the card's currency, at most twelve digits.
    public var amount: UInt64
    /// The PIN.
    public var pin: PINEntry
    /// What goes wrong with it.
    public var distortion: Distortion

    /// Takes the parts.
    public init(amount: UInt64, pin: PINEntry, distortion: Distortion = Distortion()) {
        self.amount = amount
        self.pin = pin
        self.distortion = distortion
    }
}

/// A request, and what the card needs to judge its answer.
public struct PurchaseRequest: Sendable {
    /// 0100.
    public let message: Message
    /// What the card did.
    public let cardAnswer: CardAnswer
    /// Bytes to leave away at the end of the message.
    public let bytesCut: Int
}

/// A request that cannot be built.
public enum TerminalError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Over twelve digits.
    case amountTooLarge
    /// A PIN was typed, but the link has no key for it.
    case noZonePINKey
    /// The clock is outside of the years that tag 9A can say.
    case impossibleDate

    /// One line for people.
    public var description: String {
        switch self {
        case .amountTooLarge: "the amount has more than twelve digits"
        case .noZonePINKey: "a PIN is to be sent, but the link has no zone PIN key"
        case .impossibleDate: "the clock's date cannot be written in tag 9A"
        }
    }
}
