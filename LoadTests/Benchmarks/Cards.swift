import Authorisation
import EMV
import ISO8583
import IssuerMessages
import LibCrypto
import VirtualCard
import struct VirtualCard.CardDefinition

/// Cards of the demo issuer's Visa range that sign as fast as a load needs it.
struct Cards: ~Copyable {
    private var chip: ChipCryptography
    private var pad: PINPad
    private var cards: [ChipCard]
    private let definition: CardDefinition
    private let date = TransactionDate(year: 26, month: 11, day: 23)!
    private var next = 0

    init(_ parts: Parts, count: Int) throws {
        var chip = try ChipCryptography()
        let cards = try (0..<count).map { number in
            let digits = String(1_000_000 + number).dropFirst()
            let identity = CardIdentity(
                pan: try PAN("4761739003" + digits), panSequenceNumber: PANSequenceNumber(rawValue: 1))
            return try parts.issuer.personalise(identity, with: &chip)
        }
        let pad = try PINPad(zonePINKey: parts.issuer.key("zpk-acquirer-a"))
        definition = try parts.issuer.card("visa-cvn18")
        self.chip = chip
        self.pad = pad
        self.cards = cards
    }

    var identities: [CardIdentity] { cards.map(\.identity) }

    /// The reference block of a card: what the right PIN's block is under the verification key.
    func reference(_ parts: Parts, _ identity: CardIdentity) throws -> EncipheredPINBlock {
        var pad = try PINPad(zonePINKey: parts.issuer.key("pvk"))
        return try pad.block(definition.pin, pan: identity.pan, fill: 0)
    }

    /// The next transaction of the next card, as a message.
    mutating func message(_ number: Int) throws -> Message {
        let place = next % cards.count
        next += 1
        let answer = try cards[place].answer(
            TerminalTransaction(
                amount: 4_250, date: date, unpredictableNumber: UnpredictableNumber(rawValue: UInt32(number))),
            product: definition.product, with: &chip)
        let block = try pad.block(definition.pin, pan: cards[place].identity.pan, fill: 0)
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: block.rawValue >> UInt64(56 - 8 * $0)) }
        let digits = (0..<16).map { Character(UnicodeScalar(0x30 + cards[place].identity.pan.digit(at: $0))) }
        return request(number: number, chip: answer.chipData, pan: String(digits), pinBlock: bytes)
    }
}

extension RequestMapping {
    /// The request of a message that is one.
    func request(_ message: Message) throws -> AuthorisationRequest {
        struct NoRequest: Error {}
        let incoming = try interpret(message, receivedAt: 0, answerBy: .max)
        guard case .authorise(let request) = incoming else { throw NoRequest() }
        return request
    }
}
