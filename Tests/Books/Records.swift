// What the auditor is told: plain values, filled in from messages sent, answers told and lines of the journal.

/// A message as its sender meant it.
package struct SentMessage: Sendable {
    /// What the sender wants.
    package enum Purpose: Sendable, Equatable {
        case request
        /// Approved elsewhere.
        case advice
        /// Declined elsewhere.
        case note
        /// Undone but for so many minor units.
        case reversal(remaining: Int64)
    }

    /// What it does with money.
    package enum Direction: Sendable { case takes, gives, neither }

    /// What the cardholder typed, and what became of it on the way.
    package enum PIN: Sendable, Equatable {
        case none
        case typed(Int)
        /// The block is no PIN block of its format any more.
        case malformed
    }

    /// 0…, in the order of sending.
    package var transaction: Int
    /// 0…
    package var account: Int
    /// The card's sequence number, as its holder would read it.
    package var plastic: Int
    /// All cards of the account that it may be of, by what it says: more than one without a chip.
    package var plastics: [Int]
    /// What the sender wants.
    package var purpose: Purpose
    /// What it does with money.
    package var direction: Direction
    /// Cash in it, in minor units.
    package var cash: Int64
    /// Holds money until it is completed or its time is over.
    package var isPreAuthorisation = false
    /// Says what an earlier approval came to.
    package var isCompletion = false
    /// What is asked for, in minor units of the account.
    package var minorUnits: Int64
    /// The same in the shop's currency, where that is another; what a reversal leaves is in it too.
    package var shopMinorUnits: Int64?
    /// The transaction that it undoes, completes or settles.
    package var original: Int?
    /// The sender has said so much of the original that only one transaction can be meant.
    package var isClear = true
    /// The card or its holder vouches for the message as it is.
    package var isProven: Bool
    /// A bound of one transaction forbids it.
    package var isForbidden = false
    /// What the cardholder typed.
    package var pin = PIN.none
    /// The ATC of a genuine chip; nil without one.
    package var atc: Int?
    /// The authentication of its cardholder that it rests on; nil for all but such.
    package var authentication: Int?
    /// Names place and STAN, so that two messages can be seen to share them.
    package var numbers: UInt64
    /// DE11.
    package var stan: UInt32
    /// DE37; 0: absent.
    package var reference: UInt64 = 0
    /// Per cent on top of an approval that its completions may come to.
    package var excessPercent: Int64 = 15
    /// Seconds that a pre-authorisation lasts.
    package var holdSeconds: Int64 = 0

    /// A purchase without anything particular.
    package init(transaction: Int, account: Int, minorUnits: Int64, isProven: Bool) {
        self.transaction = transaction
        self.account = account
        plastic = 0
        plastics = [0]
        purpose = .request
        direction = .takes
        cash = 0
        self.minorUnits = minorUnits
        self.isProven = isProven
        numbers = 0
        stan = 0
    }
}

/// An answer as the sender got it.
package enum ToldAnswer: Sendable, Equatable {
    /// With the code, and what was approved where it is less than was asked for.
    case approved(code: UInt64, partial: Int64?)
    case accepted
    case declined(ToldReason)
}

/// Reasons that say something about other messages; all else is `other`.
package enum ToldReason: Sendable, Equatable {
    case reversedBefore
    case replayed
    case differs
    case originalUnknown
    case other
}

/// Sixteen bytes that name one state of a record.
package struct StateName: Sendable, Hashable {
    let high: UInt64
    let low: UInt64
    /// Takes the halves.
    package init(_ high: UInt64, _ low: UInt64) { (self.high, self.low) = (high, low) }
}

/// One write: what the record was called before and after, and what the journal says of it.
package struct JournalWrite: Sendable {
    /// 0…
    package var account: Int
    /// The record's name that the write was computed from.
    package var before: StateName?
    /// Nil: only the journal grew.
    package var after: StateName?
    /// Seconds since 1970 when it was decided.
    package var now: Int64
    /// What the journal says, in its order.
    package var lines: [JournalFact]

    /// Takes the parts.
    package init(account: Int, before: StateName?, after: StateName?, now: Int64, lines: [JournalFact]) {
        self.account = account
        self.before = before
        self.after = after
        self.now = now
        self.lines = lines
    }
}

/// What becomes true once a card has carried out an issuer script.
package enum ScriptEffect: Sendable, Equatable {
    case none
    case unblocksPIN
    /// To this; see `AccountTerms.pins`.
    case changesPIN(Int)
}

/// A line of the journal.
package enum JournalFact: Sendable {
    case decision(JournalDecision)
    case holdExpired(minorUnits: Int64, stan: UInt32)
    case imported(available: Int64, plastic: Int, isForgetting: Bool)
    case status(isActive: Bool)
    case pinUnblocked(plastic: Int)
    case atcReset(plastic: Int)
    /// All that another account had is this account's from now on.
    case tookOver(Int)
    case scriptQueued(plastic: Int, identifier: UInt32, ScriptEffect)
    case scriptResent(plastic: Int, identifier: UInt32)
    case other
}

/// The line of a decision.
package struct JournalDecision: Sendable {
    /// As `Books.send` has numbered it.
    package var message: Int
    /// Not approved, booked or accepted.
    package var isDeclined: Bool
    /// Told again; nothing moves.
    package var isRepeated: Bool
    /// DE38 as a number; 0 where there is none.
    package var code: UInt64
    /// What was taken where it is less than the message says.
    package var taken: Int64?
    /// Less was approved than was asked for.
    package var isPart: Bool
    /// What an earlier transaction had held and has no more.
    package var givenBack: Int64?
    /// What the journal says is left, in minor units.
    package var available: Int64
    /// What the journal says that it comes to for an account in another currency.
    package var billed: Int64?
    /// A reversal of what had been declined.
    package var isOriginalDeclined = false
    /// Scripts that the card has reported to have carried out.
    package var scriptsDone: [UInt32] = []
    /// The journal says that the PIN block was malformed.
    package var isPINMalformed = false
    /// What the journal says of the PIN; nil: it was not compared.
    package var isPINRight: Bool?
    /// What the journal says is left.
    package var pinTriesLeft: Int
    /// The ATC was marked as used.
    package var isATCClaimed: Bool
    /// Declined since its reversal had come first.
    package var isReversedBefore: Bool

    /// Takes the parts; see each property.
    package init(
        message: Int, isDeclined: Bool, isRepeated: Bool, code: UInt64, taken: Int64?, isPart: Bool,
        givenBack: Int64?,
        available: Int64, isPINRight: Bool?, pinTriesLeft: Int, isATCClaimed: Bool, isReversedBefore: Bool
    ) {
        self.message = message
        self.isDeclined = isDeclined
        self.isRepeated = isRepeated
        self.code = code
        self.taken = taken
        self.isPart = isPart
        self.givenBack = givenBack
        self.available = available
        self.isPINRight = isPINRight
        self.pinTriesLeft = pinTriesLeft
        self.isATCClaimed = isATCClaimed
        self.isReversedBefore = isReversedBefore
    }
}

/// What an account is opened with.
package struct AccountTerms: Sendable {
    /// Of its cards without bounds of their own.
    package var bounds: Bounds
    /// Of cards that have their own, by sequence number: these hold in place of the others.
    package var own: [Int: Bounds] = [:]
    /// The PIN of each card, by sequence number. The last four digits are the PIN; PINs that are kept in different forms
    /// differ before them.
    package var pins: [Int: Int]
    /// A malformed PIN block counts as a wrong PIN.
    package var countsMalformed = false

    /// Something bounds what it spends in days.
    var isCounted: Bool { ([bounds] + own.values).contains { $0.isCounted } }

    /// Takes what every account has.
    package init(bounds: Bounds, pins: [Int: Int]) { (self.bounds, self.pins) = (bounds, pins) }
}

/// What an account may spend; nil: without bound.
package struct Bounds: Sendable {
    /// Of one day, UTC.
    package var dailyMinorUnits: Int64?
    /// Transactions of one day.
    package var dailyCount: Int?
    /// Cash of one day.
    package var dailyCash: Int64?
    /// Cash transactions of one day.
    package var dailyCashCount: Int?
    /// Of the last `rollingDays` days.
    package var rollingMinorUnits: Int64?
    /// Transactions of as many.
    package var rollingCount: Int?
    /// Today among them.
    package var rollingDays: Int64 = 30

    /// No bounds.
    package init() {}

    var isCounted: Bool {
        dailyMinorUnits != nil || dailyCount != nil || dailyCash != nil || dailyCashCount != nil
            || rollingMinorUnits != nil || rollingCount != nil
    }
}

/// A promise that was broken, in words.
package struct BrokenPromise: Error, CustomStringConvertible {
    /// In words.
    package let description: String
    init(_ words: String) { description = words }
}
