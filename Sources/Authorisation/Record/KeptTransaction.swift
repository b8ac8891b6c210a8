/// One transaction as the card's record keeps it: for repeats, for what speaks of it later, and for what it still holds of
/// the account's money. 96 bytes in format 1.
package struct KeptTransaction: Hashable, Sendable {
    /// Bytes of one.
    static let byteCount = 96
    /// Added to the sequence number of a plastic of the PAN that the account had before.
    static let ofPANBefore: UInt8 = 0x80

    /// What is true of it.
    package struct Flags: OptionSet, Hashable, Sendable {
        /// The bits as they are stored.
        package let rawValue: UInt16
        /// - Parameter rawValue: the bits as they are stored.
        package init(rawValue: UInt16) { self.rawValue = rawValue }

        /// A chip's cryptogram was verified: `plastic` and `atc` are proven.
        static let chip = Flags(rawValue: 1)
        /// `atc` was there, verified or not.
        static let hasATC = Flags(rawValue: 2)
        /// Less than asked for was approved.
        static let partial = Flags(rawValue: 4)
        /// Wholly reversed.
        static let reversed = Flags(rawValue: 8)
        /// A completion or an advice has taken its place.
        static let settled = Flags(rawValue: 16)
        /// Limits have counted it on `day`.
        static let counted = Flags(rawValue: 32)
        /// The message type said that it was a repeat.
        static let cameAsRepeat = Flags(rawValue: 64)
        /// Booked although something about it is wrong; the journal says what.
        static let flagged = Flags(rawValue: 128)
        /// Its hold ended by time.
        static let expired = Flags(rawValue: 256)
        /// An advice of what was declined elsewhere: nothing was booked.
        static let noted = Flags(rawValue: 512)
        /// From the layout before, which kept less: see `recogniseMigrated`. Its reference is in the form of then.
        static let migrated = Flags(rawValue: 1_024)
        /// From before an operator gave the plastic's ATCs free: its ATC may be another transaction's since.
        static let beforeReset = Flags(rawValue: 4_096)
        /// DE32 was absent.
        static let namesNoAcquirer = Flags(rawValue: 2_048)
    }

    /// Rises within the account; 0 is none.
    package var number: UInt32
    /// The numbers that it came with first.
    package var transmission: Transmission
    /// Of the latest transmission, where a repeat had other numbers.
    package var lastSTAN: UInt32
    package var lastSentAt: UInt32
    /// What was asked for.
    package var kind: TransactionKind
    package var flags: Flags
    /// Nil: approved, booked or accepted.
    package var declined: DeclineReason?
    /// The sequence number of the plastic, with `ofPANBefore` where it had another PAN; 255 where none was chosen.
    package var plastic: UInt8 = 255
    /// As it came; meaningless without the flag `hasATC`.
    package var atc: UInt16 = 0
    /// What was asked for, in minor units of `currency`.
    package var asked: Int64
    /// The numeric code of DE49.
    package var currency: UInt16
    /// What was approved or booked at first, in minor units of the account; of a balance enquiry, what was told.
    package var booked: Int64 = 0
    /// What it still holds of the account's money; of a refund, what it has given.
    package var taken: Int64 = 0
    /// The part of `taken` that is cash.
    package var cash: Int64 = 0
    /// Days since 1970 on which limits counted it.
    package var day: UInt16
    /// Seconds since 1970.
    package var decidedAt: UInt32
    /// DE38, six ASCII characters, in the lower 48 bits.
    package var approvalCode: UInt64 = 0

    /// A new one, as nothing but its numbers.
    init(_ transmission: Transmission, number: UInt32, kind: TransactionKind, amount: Amount, now: Int64) {
        self.number = number
        self.transmission = transmission
        lastSTAN = transmission.stan
        lastSentAt = transmission.sentAt
        self.kind = kind
        flags = transmission.isRepeat ? .cameAsRepeat : []
        if !transmission.namesAcquirer { flags.insert(.namesNoAcquirer) }
        asked = amount.minorUnits
        currency = amount.currency.rawValue
        day = UInt16(truncatingIfNeeded: now / 86_400)
        decidedAt = UInt32(clamping: now)
    }
}

extension KeptTransaction {
    /// Appends the 96 bytes.
    func append(to bytes: inout [UInt8]) {
        let place = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: Self.byteCount))
        write(to: &bytes, at: place)
    }

    /// Writes the 96 bytes over what stands there.
    func write(to bytes: inout [UInt8], at place: Int) {
        bytes.put(number, at: place)
        bytes[place + 4] = transmission.messageClass.rawValue
        bytes[place + 5] = kind.rawValue
        bytes.put(flags.rawValue, at: place + 6)
        bytes[place + 8] = declined?.rawValue ?? 0
        bytes[place + 9] = plastic
        bytes.put(atc, at: place + 10)
        bytes.put(transmission.stan, at: place + 12)
        bytes.put(transmission.sentAt, at: place + 16)
        bytes.put(transmission.localTime, at: place + 20)
        bytes.put(transmission.reference, at: place + 24)
        bytes.put(transmission.acquirer, at: place + 32)
        bytes.put(transmission.terminal, at: place + 36)
        bytes.put(transmission.merchant, at: place + 40)
        bytes.put(lastSTAN, at: place + 44)
        bytes.put(lastSentAt, at: place + 48)
        bytes.put(asked, at: place + 52)
        bytes.put(booked, at: place + 60)
        bytes.put(taken, at: place + 68)
        bytes.put(UInt32(truncatingIfNeeded: cash >> 8), at: place + 76)
        bytes[place + 80] = UInt8(truncatingIfNeeded: cash)
        bytes.put(currency, at: place + 82)
        bytes.put(decidedAt, at: place + 84)
        bytes.put(day, at: place + 88)
        bytes.put(UInt32(truncatingIfNeeded: approvalCode >> 16), at: place + 90)
        bytes.put(UInt16(truncatingIfNeeded: approvalCode), at: place + 94)
    }
}

/// Who is who: whether a message is a transaction that is kept already.
///
/// A transmission has a time of sending (DE7); a transaction has not. Class and kind are compared first. The same numbers
/// with other content are another transaction, or doubtful where nothing tells the two apart.
package struct Identity: Sendable {
    /// How far the times of sending of a transaction's transmissions lie apart at the most, in seconds.
    static let repeatWindowSeconds: Int64 = 900
    /// After so long the same numbers are new ones: DE7 has no year.
    package static let ageMaxSeconds: Int64 = 120 * 86_400

    /// What two messages are to each other.
    package enum Verdict: Hashable, Sendable {
        case same
        case other
        /// The same numbers with other content, and nothing that tells the two apart.
        case doubtful
    }

    /// The message that is looked at.
    package let transmission: Transmission
    package let kind: TransactionKind
    package let amount: Amount
    /// Plastic and ATC of a cryptogram that was verified; nil without one.
    package let chip: (plastic: UInt8, atc: UInt16)?
    /// The ATC as it came, verified or not.
    package let claimedATC: UInt16?
    /// The plastic that such a message says it is of; nil where it says none.
    package let claimedPlastic: UInt8?
    /// An advice of what was declined elsewhere.
    package let isNoted: Bool
    /// Seconds since 1970.
    package let now: Int64
}
