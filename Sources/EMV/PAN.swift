internal import ByteCoding

/// A primary account number of 8…19 digits. Held inline, two digits a byte; its description is masked and
/// there is no unmasked one.
package struct PAN: Hashable, Sendable, CustomStringConvertible {
    /// BCD, right-aligned.
    let packed: UInt128
    let count: UInt8

    /// The number of digits.
    package var digitCount: Int { Int(count) }

    /// The type of what is taken is named: no other module gets a generic one compiled for its types.
    /// - Parameter ascii: the digits as ASCII.
    package init(ascii: ArraySlice<UInt8>) throws(PANError) {
        guard (8...19).contains(ascii.count) else { throw .digitCount(ascii.count) }
        var packed: UInt128 = 0
        for (offset, byte) in ascii.enumerated() {
            let digit = byte &- 0x30
            guard digit <= 9 else { throw .notADigit(offset: offset) }
            packed = packed << 4 | UInt128(digit)
        }
        self.packed = packed
        count = UInt8(ascii.count)
    }

    /// True if the PAN begins with the prefix.
    package func hasPrefix(_ prefix: PANPrefix) -> Bool {
        guard prefix.digitCount <= digitCount else { return false }
        return UInt64(truncatingIfNeeded: packed >> UInt128(4 * (digitCount - prefix.digitCount)))
            == prefix.packed
    }

    /// The PAN digits followed by the two digits of the sequence number (00 where there is none), as BCD
    /// right-aligned; the start of every diversification (EMV Book 2 A1.4.1).
    func packedWithSequenceNumber(_ number: PANSequenceNumber?) -> UInt128 {
        packed << 8 | UInt128(number?.packed ?? 0)
    }

    /// 11 bytes that name the account uniquely: digit count, PAN right-aligned in 10 bytes. Input of the keyed hash; not
    /// for printing.
    package func withUniqueBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var bytes = InlineArray<11, UInt8>(repeating: 0)
        bytes[0] = count
        for index in 0..<10 {
            bytes[1 + index] = UInt8(truncatingIfNeeded: packed >> UInt128(8 * (9 - index)))
        }
        let span = bytes.span
        return try span.withUnsafeBytes(body)
    }
}

/// The leading digits of a PAN, 1…12 of them, that select an issuer range.
package struct PANPrefix: Hashable, Sendable, CustomStringConvertible {
    /// BCD, right-aligned.
    let packed: UInt64
    let count: UInt8

    /// The number of digits.
    package var digitCount: Int { Int(count) }
}

/// PAN sequence number, 0…99 (tag 5F34, DE23).
package struct PANSequenceNumber: Hashable, Sendable, CustomStringConvertible {
    /// 0…99.
    package let rawValue: UInt8

    /// - Parameter rawValue: 0…99; anything else is none.
    package init?(rawValue: UInt8) {
        guard rawValue <= 99 else { return nil }
        self.rawValue = rawValue
    }

    /// One BCD byte, as tag 5F34 carries it.
    package init?(bcd: UInt8) {
        guard bcd >> 4 <= 9, bcd & 0x0F <= 9 else { return nil }
        rawValue = (bcd >> 4) * 10 + (bcd & 0x0F)
    }

    /// The two digits as one BCD byte.
    package var packed: UInt8 { (rawValue / 10) << 4 | rawValue % 10 }
}

/// The card: PAN and sequence number. A missing sequence number counts as 00 wherever keys are derived.
package struct CardIdentity: Hashable, Sendable, CustomStringConvertible {
    package let pan: PAN
    /// Which of its cards; nil where the card carries no number.
    package let panSequenceNumber: PANSequenceNumber?

    package init(pan: PAN, panSequenceNumber: PANSequenceNumber?) {
        self.pan = pan
        self.panSequenceNumber = panSequenceNumber
    }
}

/// The month after whose last day a card is no longer valid (DE14, YYMM; years 2000…2099).
package struct ExpiryDate: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Months since January 2000.
    package let months: Int

    /// - Returns: nil unless the text is YYMM with a month of 01…12.
    package init?(ascii: ArraySlice<UInt8>) {
        guard ascii.count == 4, ascii.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let number = ascii.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard (1...12).contains(number % 100) else { return nil }
        months = number / 100 * 12 + number % 100 - 1
    }

    /// - Parameter months: since January 2000, 0 or more.
    package init(monthsSince2000 months: Int) { self.months = months }

    /// The month in which a moment lies, in UTC.
    /// - Parameter unixSeconds: seconds since 1970, years 2000…2099.
    package init(unixSeconds: Int64) {
        let day = CalendarDay(unixSeconds: unixSeconds)
        months = (day.year - 2_000) * 12 + day.month - 1
    }

    package static func < (left: ExpiryDate, right: ExpiryDate) -> Bool { left.months < right.months }
}

/// An enciphered PIN block of eight bytes. It describes itself without them and is never logged.
package struct EncipheredPINBlock: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    /// The eight bytes, big endian.
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
}
