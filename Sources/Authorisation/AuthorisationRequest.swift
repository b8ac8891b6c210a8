package import EMV

/// One request for an authorisation, free of any message format. A class, as others that live across the waits for token
/// and store: these are large, and every step of the way would copy them.
package final class AuthorisationRequest: Sendable {
    /// The link it came over, for the journal.
    package let link: String
    package let card: CardIdentity
    /// The expiry date that the acquirer sent, if it sent one (DE14, or DE35).
    package let expiry: ExpiryDate?
    /// Amount and currency of the transaction (DE4, DE49), as the card signs them.
    package let amount: Amount
    /// What the cardholder pays where the message says so (DE6, DE51, DE10).
    package let billing: CardholderBilling?
    /// The numbers by which it is known.
    package let transmission: Transmission
    /// DE37, at most twelve printable ASCII bytes; empty when absent.
    package let retrievalReferenceNumber: [UInt8]
    /// The parsed DE55, nil for a request without chip data.
    package let chip: ICCData?
    package let pin: PINQuestion?
    /// How the card came, and what there is in place of a chip.
    package let nonChip: NonChipEvidence?
    /// What it says of 3-D Secure; nil for all but electronic commerce.
    package let authentication: AuthenticationEvidence?
    package let circumstances: Circumstances
    /// What the sender wants: a decision, most often.
    package let purpose: RequestPurpose
    /// The transaction that it undoes, settles or completes; nil where it speaks of none.
    package let original: OriginalTransaction?
    /// When it came in, on the monotonic clock in nanoseconds.
    package let receivedAt: UInt64
    /// After this nobody waits for the answer.
    package let deadline: Deadline

    package init(
        link: String, card: CardIdentity, expiry: ExpiryDate?, amount: Amount,
        billing: CardholderBilling? = nil, transmission: Transmission, retrievalReferenceNumber: [UInt8],
        chip: ICCData?, pin: PINQuestion?, nonChip: NonChipEvidence? = nil,
        authentication: AuthenticationEvidence? = nil, circumstances: Circumstances,
        purpose: RequestPurpose = .decision, original: OriginalTransaction? = nil, receivedAt: UInt64,
        deadline: Deadline
    ) {
        self.link = link
        self.card = card
        self.expiry = expiry
        self.amount = amount
        self.billing = billing
        self.transmission = transmission
        self.retrievalReferenceNumber = retrievalReferenceNumber
        self.chip = chip
        self.pin = pin
        self.nonChip = nonChip
        self.authentication = authentication
        self.circumstances = circumstances
        self.purpose = purpose
        self.original = original
        self.receivedAt = receivedAt
        self.deadline = deadline
    }
}

/// A PIN block as it came in, with the zone key that enciphers it. It describes itself without the block, which is never
/// logged.
package struct PINQuestion: Sendable, CustomStringConvertible, CustomReflectable {
    package var zonePINKey: KeyName
    /// How the clear block is laid out (ISO 9564-1).
    package let format: PINBlockFormat
    /// The enciphered block; of format 4 its first half.
    package let block: EncipheredPINBlock
    /// The second half of a format 4 block, 0 for the others.
    package let secondHalf: UInt64
    /// How the card's issuer verifies.
    package var verification = PINVerification.reference

    package init(zonePINKey: KeyName, format: PINBlockFormat, block: EncipheredPINBlock) {
        (self.zonePINKey, self.format, self.block, secondHalf) = (zonePINKey, format, block, 0)
    }
}

/// A numeric ISO 4217 currency code, 0…999 (DE49, tag 5F2A).
package struct CurrencyCode: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt16

    /// - Parameter rawValue: 0…999; anything else is not a currency.
    package init?(rawValue: UInt16) {
        guard rawValue <= 999 else { return nil }
        self.rawValue = rawValue
    }
}

/// An amount in the minor unit of its currency. Never a floating point number.
package struct Amount: Hashable, Sendable, CustomStringConvertible {
    /// The largest amount: twelve digits, as DE4 and tag 9F02 hold.
    package static let minorUnitsMax: Int64 = 999_999_999_999

    /// 0…`minorUnitsMax`.
    package let minorUnits: Int64
    package let currency: CurrencyCode

    /// - Returns: nil for a negative amount or one of more than twelve digits.
    package init?(minorUnits: Int64, currency: CurrencyCode) {
        guard minorUnits >= 0, minorUnits <= Amount.minorUnitsMax else { return nil }
        self.minorUnits = minorUnits
        self.currency = currency
    }
}

/// The numbers by which a message is known. Texts stand as hashes: they are compared, never shown. No part of a PAN, a
/// track or a PIN block is in any of them.
package struct Transmission: Hashable, Sendable {
    /// Compared first.
    package var messageClass: TransmissionClass
    /// The message type says that it is a repeat (xxx1).
    package var isRepeat: Bool
    /// DE11.
    package var stan: UInt32
    /// DE7, when this message was sent: `MMDDhhmmss` as a number; 0: absent.
    package var sentAt: UInt32
    /// DE13 and DE12 of ISO 8583:1987, the date and time at the terminal: `MMDDhhmmss`; 0: absent. They stay for the life
    /// of a transaction.
    package var localTime: UInt32
    /// A hash of DE37; 0: absent.
    package var reference: UInt64
    /// A hash of DE32, or of the link's name where DE32 is absent.
    package var acquirer: UInt32
    /// False where DE32 is absent: another message of the transaction may name the acquirer all the same.
    package var namesAcquirer: Bool
    /// A hash of DE41; 0: absent.
    package var terminal: UInt32
    /// A hash of DE42; 0: absent.
    package var merchant: UInt32

    package init(
        messageClass: TransmissionClass, isRepeat: Bool = false, stan: UInt32, sentAt: UInt32 = 0,
        localTime: UInt32 = 0, reference: UInt64 = 0, acquirer: UInt32 = 0, namesAcquirer: Bool = true,
        terminal: UInt32 = 0, merchant: UInt32 = 0
    ) {
        self.messageClass = messageClass
        self.isRepeat = isRepeat
        self.stan = stan
        self.sentAt = sentAt
        self.localTime = localTime
        self.reference = reference
        self.acquirer = acquirer
        self.namesAcquirer = namesAcquirer
        self.terminal = terminal
        self.merchant = merchant
    }
}

/// How and where a transaction takes place.
package struct Circumstances: Sendable {
    /// From DE3.
    package var kind = TransactionKind.purchase
    /// DE18 (ISO 18245); nil where it is absent.
    package var merchantCategory: UInt16?
    /// ISO 3166-1 numeric: the country that the card signed (tag 9F1A), otherwise DE19; nil without either.
    package var country: UInt16?
    /// DE22 says contactless.
    package var isContactless = false
    /// The cardholder was verified: an online PIN, or a method that tag 9F34 names and says was not in vain.
    package var isCardholderVerified = false

    /// The part of the amount that is cash, in minor units, for a purchase with cash back.
    package var cashBackMinorUnits: Int64?
    /// The terminal can go on with less than it asked for.
    package var allowsPartialApproval = false

    package init() {}
}

/// A point on the monotonic clock after which an answer is of no use. Nanoseconds since an arbitrary start.
package struct Deadline: Hashable, Sendable {
    package let nanoseconds: UInt64

    /// - Parameter nanoseconds: of the same clock that the ports read.
    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
}
