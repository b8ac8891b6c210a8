internal import ByteCoding

/// PANs and dates from text and as text, masked.
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

extension PAN {
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

extension PANPrefix {
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

extension PANSequenceNumber {
    /// Two digits.
    package var description: String { rawValue < 10 ? "0\(rawValue)" : "\(rawValue)" }
}

extension CardIdentity {
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

extension ExpiryDate {
    /// The same of an array.
    package init?(ascii: [UInt8]) { self.init(ascii: ascii[...]) }

    /// YYMM.
    package var description: String {
        let number = months / 12 % 100 * 100 + months % 12 + 1
        let digits = String(number)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}
