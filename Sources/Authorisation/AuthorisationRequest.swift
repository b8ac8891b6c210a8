package import EMV

/// A PIN block as it came in, with the zone key that enciphers it. It describes itself without the block, which is never
/// logged.
package struct PINQuestion: Sendable, CustomStringConvertible, CustomReflectable {
    /// The link's zone PIN key.
    package var zonePINKey: KeyName
    /// How the clear block is laid out (ISO 9564-1).
    package let format: PINBlockFormat
    /// The enciphered block; of format 4 its first half.
    package let block: EncipheredPINBlock
    /// The second half of a format 4 block, 0 for the others.
    package let secondHalf: UInt64
    /// How the card's issuer verifies.
    package var verification = PINVerification.reference

    /// Takes the parts as they came.
    package init(zonePINKey: KeyName, format: PINBlockFormat, block: EncipheredPINBlock) {
        self.zonePINKey = zonePINKey
        self.format = format
        self.block = block
        secondHalf = 0
    }

    /// A block of format 4.
    /// - Parameters: the halves of the sixteen bytes, each big endian.
    package init(zonePINKey: KeyName, firstHalf: UInt64, secondHalf: UInt64) {
        self.zonePINKey = zonePINKey
        format = .iso4
        block = EncipheredPINBlock(rawValue: firstHalf)
        self.secondHalf = secondHalf
    }

    /// Format and key.
    package var description: String { "PIN block of \(format) under \(zonePINKey)" }
    /// Empty, so that a dump or a failed expectation shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// The same for an issuer who verifies in the given way.
    func verified(by verification: PINVerification) -> PINQuestion {
        var question = self
        question.verification = verification
        return question
    }
}

/// How an issuer verifies online PINs.
package enum PINVerification: Hashable, Sendable {
    /// By the card's format 0 block under the PIN verification key.
    case reference
    /// By Visa's PIN verification value under the key with this index, 0…9.
    case verificationValue(keyIndex: UInt8)
}

/// What is wrong with a PIN block, as far as a token tells without showing it.
package enum PINBlockFault: Hashable, Sendable {
    /// The control field is not that of the format.
    case control(PINBlockFormat)
    /// The length is not 4 to 12.
    case length
    /// The digits after the PIN are not the format's: another PAN, or a damaged block.
    case fill

    /// For the trace; no part of the block.
    package var words: String {
        switch self {
        case .control(let format): "not a PIN block of format \(format.rawValue)"
        case .length: "PIN length not 4 to 12"
        case .fill: "fill digits wrong: another PAN than the card's, or damaged"
        }
    }
}

/// One request for an authorisation, free of any message format. A class, as others that live across the waits for token
/// and store: these are large, and every step of the way would copy them.
package final class AuthorisationRequest: Sendable {
    /// The link it came over, for the journal.
    package let link: String
    /// PAN and sequence number.
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
    /// DE11 as a number.
    package let systemsTraceAuditNumber: UInt32
    /// The parsed DE55, nil for a request without chip data.
    package let chip: ICCData?
    /// The PIN block, nil where none was entered.
    package let pin: PINQuestion?
    /// How the card came, and what there is in place of a chip.
    package let nonChip: NonChipEvidence?
    /// What it says of 3-D Secure; nil for all but electronic commerce.
    package let authentication: AuthenticationEvidence?
    /// How and where.
    package let circumstances: Circumstances
    /// What the sender wants: a decision, most often.
    package let purpose: RequestPurpose
    /// The transaction that it undoes, settles or completes; nil where it speaks of none.
    package let original: OriginalTransaction?
    /// When it came in, on the monotonic clock in nanoseconds.
    package let receivedAt: UInt64
    /// After this nobody waits for the answer.
    package let deadline: Deadline

    /// Takes the parts; the mapping from a message has checked each of them.
    package init(
        link: String, card: CardIdentity, expiry: ExpiryDate?, amount: Amount,
        billing: CardholderBilling? = nil, transmission: Transmission, retrievalReferenceNumber: [UInt8],
        systemsTraceAuditNumber: UInt32,
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
        self.systemsTraceAuditNumber = systemsTraceAuditNumber
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
