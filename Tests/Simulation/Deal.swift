internal import Authorisation
internal import Books
internal import EMV

/// What a terminal means: a transaction, or what is said of one. A repeat is the same deal with other numbers.
struct Deal {
    /// What stands for the card.
    enum Entry { case chip, stripe, typed, none }

    let number: Int
    var account: Int
    var plastic: Plan.Plastic
    var entry: Entry
    var kind = TransactionKind.purchase
    var purpose = RequestPurpose.decision
    var minorUnits: Int64
    var cashBack: Int64 = 0
    /// The shop's currency where it is not the account's; amounts are in it.
    var shop: Shop?
    var category: UInt16?
    var country: UInt16 = 752
    var isContactless = false
    var isHolderVerified = true
    var isPartialAllowed = false
    var place: Place
    var stan: UInt32
    /// 0: absent.
    var reference: UInt64 = 0
    var sentAt: UInt32 = 0
    var localTime: UInt32 = 0
    var atc: UInt16 = 0
    /// Tag 9C, nil: that of the kind.
    var signedType: UInt8?
    /// What the cardholder typed.
    var pin: UInt64?
    /// The PIN block is damaged on the way.
    var isPINMalformed = false
    /// The cards that the approval may be of which it completes.
    var approvedPlastics: [Plan.Plastic]?
    /// The expiry date is not sent.
    var hidesExpiry = false
    /// The sequence number is not sent.
    var hidesNumber = false
    /// Cryptogram or card value are not the card's.
    var isForged = false
    /// The cardholder's 3-D Secure authentication, by its number; nil: none.
    var authentication: Int?
    /// The chip's value on a stripe.
    var isCloned = false
    /// What it is about; nil for a transaction of its own.
    var original: Int?
    var naming: OriginalTransaction?
    var isClear = true
    /// The approval that it completes may be passed by so much.
    var excessPercent: Int64 = 15
    var scriptResults: [UInt8] = []
    var begunAt: Int64

    // What this transmission has of its own.
    var isRepeat = false
    /// A reversal of it went out: after that nobody sends it anew.
    var isReversed = false
    /// The latest numbers that went out.
    var lastSTAN: UInt32 = 0
    var lastSentAt: UInt32 = 0

    var isAdvice: Bool { if case .advice = purpose { true } else { false } }
    var isReversal: Bool { if case .reversal = purpose { true } else { false } }

    /// Cash in it, for limits.
    var cash: Int64 {
        switch kind {
        case .cash: paid
        case .purchaseWithCashBack: shop == nil ? cashBack : Shop.share(paid, cashBack, of: minorUnits)
        default: 0
        }
    }

    /// What it costs the account.
    var paid: Int64 { shop?.paid(minorUnits) ?? minorUnits }

    /// The card or its holder vouches for it.
    var isProven: Bool {
        switch entry {
        case .chip: isGenuineChip && Plan.isSigned(kind, signedType ?? Plan.type(kind))
        case .stripe, .typed: !isForged && !isCloned
        case .none: false
        }
    }

    /// The token will find the cryptogram right.
    var isGenuineChip: Bool {
        entry == .chip && !isForged && !(hidesNumber && plastic.sequenceNumber != 0)
    }

    /// As the auditor is told.
    func sent(_ plan: Plan) -> SentMessage {
        var message = SentMessage(
            transaction: number, account: account, minorUnits: paid, isProven: isProven)
        if shop != nil { message.shopMinorUnits = minorUnits }
        let plastics = approvedPlastics ?? plan.fitting(self)
        message.plastic = Int(plastic.sequenceNumber)
        message.plastics = plastics.map { Int($0.sequenceNumber) }
        message.purpose =
            switch purpose {
            case .decision: .request
            case .advice(let approved): approved ? .advice : .note
            case .reversal(let remaining): .reversal(remaining: remaining)
            }
        message.direction = kind == .refund ? .gives : kind == .balanceEnquiry ? .neither : .takes
        message.cash = cash
        message.isPreAuthorisation = kind == .preAuthorisation
        message.isCompletion = kind == .completion
        message.original = original
        message.isClear = isClear
        message.authentication = purpose == .decision ? authentication : nil
        message.isForbidden = purpose == .decision && kind.takes && plan.forbids(self, plastics)
        message.pin = pin.map { isPINMalformed ? .malformed : .typed(Int($0)) } ?? .none
        message.atc = isGenuineChip ? Int(atc) : nil
        message.numbers = UInt64(place.terminal) << 32 | UInt64(stan)
        message.stan = stan
        message.reference = reference
        message.excessPercent = excessPercent
        message.holdSeconds = Plan.holdDays(category) * 86_400
        return message
    }
}

/// A terminal at an acquirer. Several number on their own, so that a STAN says nothing without its terminal.
struct Place {
    let acquirer: UInt32
    let terminal: UInt32
    let merchant: UInt32
    /// Which counter gives its STANs.
    let counter: Int

    static let all = [
        Place(acquirer: 11, terminal: 21, merchant: 31, counter: 0),
        Place(acquirer: 11, terminal: 22, merchant: 32, counter: 1),
        Place(acquirer: 11, terminal: 23, merchant: 32, counter: 2),
        Place(acquirer: 12, terminal: 24, merchant: 34, counter: 3),
    ]
}
