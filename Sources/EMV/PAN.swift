internal import ByteCoding

/// A PAN that is none. Names the count or the place, never a digit.
package enum PANError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not 8…19 digits (ISO/IEC 7812-1).
    case digitCount(Int)
    /// The character at this offset is no digit.
    case notADigit(offset: Int)

    /// One line for people.
    package var description: String {
        switch self {
        case .digitCount(let count): "PAN of \(count) digits; 8 to 19 are possible"
        case .notADigit(let offset): "PAN has no digit at offset \(offset)"
        }
    }
}

/// A primary account number of 8…19 digits. Held inline, two digits a byte; its description is masked and
/// there is no unmasked one.
package struct PAN: Hashable, Sendable, CustomStringConvertible {
    /// BCD, right-aligned.
    @usableFromInline let packed: UInt128
    @usableFromInline let count: UInt8

    /// The number of digits.
    package var digitCount: Int { Int(count) }

    /// The type of what is taken is named: no other module gets a generic one compiled for its types.
    /// - Parameter ascii: the digits as ASCII.
    package init(ascii: ArraySlice<UInt8>) throws(PANError) {
        let digits = ascii.count
        guard digits >= 8, digits <= 19 else { throw .digitCount(digits) }
        var packed: UInt128 = 0
        var offset = 0
        for byte in ascii {
            let digit = byte &- 0x30
            guard digit <= 9 else { throw .notADigit(offset: offset) }
            packed = packed << 4 | UInt128(digit)
            offset += 1
        }
        self.packed = packed
        count = UInt8(digits)
    }

    /// - Parameter ascii: the digits as ASCII.
    package init(ascii: [UInt8]) throws(PANError) { try self.init(ascii: ascii[...]) }

    /// - Parameter digits: the digits as text.
    package init(_ digits: String) throws(PANError) {
        try self.init(ascii: Array(digits.utf8))
    }

    /// The digit at `index`, counted from the left, 0…9.
    package func digit(at index: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: packed >> UInt128(4 * (Int(count) - 1 - index))) & 0x0F
    }

    /// Whether the last digit is the check digit of those before it (ISO/IEC 7812-1, annex B).
    package var hasCheckDigit: Bool {
        var sum: UInt8 = 0
        for place in 0..<digitCount {
            let digit = digit(at: digitCount - 1 - place)
            let weighed = place.isMultiple(of: 2) ? digit : digit * 2
            sum += weighed > 9 ? weighed - 9 : weighed
        }
        return sum.isMultiple(of: 10)
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

    /// First six and last four digits, the rest hidden: `476173******0010`. Of a PAN under eleven digits
    /// only the last four.
    package var description: String {
        let shown = digitCount > 10 ? 6 : 0
        var text = ""
        for index in 0..<digitCount {
            let visible = index < shown || index >= digitCount - 4
            text.append(visible ? Character(UnicodeScalar(0x30 + digit(at: index))) : "*")
        }
        return text
    }
}

/// The leading digits of a PAN, 1…12 of them, that select an issuer range.
package struct PANPrefix: Hashable, Sendable, CustomStringConvertible {
    /// BCD, right-aligned.
    let packed: UInt64
    private let count: UInt8

    /// The number of digits.
    package var digitCount: Int { Int(count) }

    /// - Returns: nil unless the text is 1…12 decimal digits.
    package init?(_ digits: String) {
        let ascii = Array(digits.utf8)
        guard (1...12).contains(ascii.count), ascii.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        packed = ascii.reduce(0) { $0 << 4 | UInt64($1 - 0x30) }
        count = UInt8(ascii.count)
    }

    /// The digits: an issuer's prefix is public.
    package var description: String {
        (0..<digitCount).map { String(packed >> UInt64(4 * (digitCount - 1 - $0)) & 0x0F) }.joined()
    }
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

    /// Two digits.
    package var description: String { rawValue < 10 ? "0\(rawValue)" : "\(rawValue)" }
}

/// The card: PAN and sequence number. A missing sequence number counts as 00 wherever keys are derived.
package struct CardIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The account.
    package let pan: PAN
    /// Which of its cards; nil where the card carries no number.
    package let panSequenceNumber: PANSequenceNumber?

    /// Takes the two.
    package init(pan: PAN, panSequenceNumber: PANSequenceNumber?) {
        self.pan = pan
        self.panSequenceNumber = panSequenceNumber
    }

    /// Two cards are the same when their keys are: 00 equals absent.
    package static func == (left: CardIdentity, right: CardIdentity) -> Bool {
        left.pan == right.pan
            && (left.panSequenceNumber?.rawValue ?? 0) == (right.panSequenceNumber?.rawValue ?? 0)
    }

    /// Agrees with `==`.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(pan)
        hasher.combine(panSequenceNumber?.rawValue ?? 0)
    }

    /// Masked PAN and sequence number.
    package var description: String { "\(pan) \(panSequenceNumber?.description ?? "--")" }
}

/// The month after whose last day a card is no longer valid (DE14, YYMM; years 2000…2099).
package struct ExpiryDate: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Months since January 2000.
    package let months: Int

    /// - Returns: nil unless the text is YYMM with a month of 01…12.
    package init?(ascii: ArraySlice<UInt8>) {
        guard ascii.count == 4 else { return nil }
        var number = 0
        for byte in ascii {
            let digit = byte &- 0x30
            guard digit <= 9 else { return nil }
            number = number * 10 + Int(digit)
        }
        guard number % 100 >= 1, number % 100 <= 12 else { return nil }
        months = number / 100 * 12 + number % 100 - 1
    }

    /// The same of an array.
    package init?(ascii: [UInt8]) { self.init(ascii: ascii[...]) }

    /// - Parameter months: since January 2000, 0 or more.
    package init(monthsSince2000 months: Int) { self.months = months }

    /// The month in which a moment lies, in UTC.
    /// - Parameter unixSeconds: seconds since 1970, years 2000…2099.
    package init(unixSeconds: Int64) {
        let day = CalendarDay(unixSeconds: unixSeconds)
        months = (day.year - 2_000) * 12 + day.month - 1
    }

    /// Earlier is less.
    package static func < (left: ExpiryDate, right: ExpiryDate) -> Bool { left.months < right.months }

    /// YYMM.
    package var description: String {
        let number = months / 12 % 100 * 100 + months % 12 + 1
        let digits = String(number)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}
