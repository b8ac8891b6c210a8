/// The twenty bytes of an authentication value, taken apart. Not described, not logged: before it is used it is worth a
/// payment.
package struct AuthenticationValue: Sendable, CustomReflectable {
    /// How it is made.
    package let form: AuthenticationValueForm
    /// What it says of the cardholder; proven only with the value.
    package let status: AuthenticationStatus
    /// What selects the key: of a CAVV its key indicator, of an AAV ACS identifier and key identifier; 0 else.
    package let keySelector: UInt16
    /// The ACS's number of the authentication: ATN (16 digits), sequence number or reference (32 bits).
    package let number: UInt64
    /// See `AuthenticationValueForm.merchantHash`.
    package let merchantHash: UInt64
    /// See `AuthenticationAmount`; 0 where the form binds none.
    package let amountCode: UInt16
    /// Numeric, 0 where the form binds none.
    package let currency: UInt16
    /// What the token has to come to: three digits in BCD, or the first bytes of the HMAC, right-aligned.
    package let proof: UInt64
    /// Bytes of it that count; of a CVV two.
    package let proofByteCount: Int
    private let bytes: [UInt8]

    /// - Parameter bytes: twenty.
    /// - Returns: nil for what is no value of the form: another length, a letter where a digit has to be, an unpredictable
    ///   number that is not the tracking number's end.
    package init?(_ form: AuthenticationValueForm, _ bytes: [UInt8]) {
        guard bytes.count == AuthenticationValueForm.byteCount else { return nil }
        self.form = form
        self.bytes = bytes
        func word(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        switch form {
        case .cvvWithTrackingNumber:
            let digits = word(7..<15)
            guard bytes[0] <= 9, Self.isBCD(word(0..<3), 6), word(3..<5) <= 0x999, Self.isBCD(word(3..<5), 4),
                Self.isBCD(digits, 16), word(5..<7) == digits & 0xFFFF
            else { return nil }
            status =
                [0: AuthenticationStatus.authenticated, 7: .attempted, 8: .attempted][bytes[0]]
                ?? .notAuthenticated
            keySelector = UInt16(bytes[2])
            number = Self.decimal(digits)
            (merchantHash, amountCode, currency) = (0, 0, 0)
            (proof, proofByteCount) = (word(3..<5), 2)
        case .hmacSHA1:
            status =
                [0x8C: AuthenticationStatus.authenticated, 0x86: .attempted][bytes[0]] ?? .notAuthenticated
            keySelector = UInt16(bytes[9]) << 4 | UInt16(bytes[10] & 0x0F)
            merchantHash = word(1..<9)
            number = word(11..<15)
            (amountCode, currency) = (0, 0)
            (proof, proofByteCount) = (word(15..<20), 5)
        case .hmacSHA256:
            guard bytes[0] == 0xC6, bytes[1] == 0x04, word(18..<20) == 0, word(12..<14) <= 0x999,
                Self.isBCD(word(12..<14), 4)
            else { return nil }
            status = .authenticated
            keySelector = 0
            merchantHash = word(6..<10) << 32
            amountCode = UInt16(word(10..<12))
            currency = UInt16(Self.decimal(word(12..<14)))
            number = word(14..<18)
            (proof, proofByteCount) = (word(2..<6), 4)
        }
    }

    /// The two blocks that a CVV is made over (see `CardValueInput`).
    package func blocks(for pan: PAN) -> (UInt64, UInt64) {
        let end = UInt64(bytes[5]) << 56 | UInt64(bytes[6]) << 48
        return (pan.lastSixteenDigits, end | UInt64(bytes[0]) << 44 | UInt64(bytes[1]) << 36)
    }

    /// What an HMAC is made over.
    package func input(for pan: PAN) -> [UInt8] {
        pan.filledTenBytes + (form == .hmacSHA1 ? bytes[0..<15] : bytes[6..<18])
    }

    /// What tells one authentication of a card from all others, of what the proof covers alone: nothing that a merchant
    /// can change makes a used value a new one.
    package var identity: UInt64 {
        switch form {
        case .cvvWithTrackingNumber:
            // Results code, second factor, unpredictable number, output.
            UInt64(bytes[0]) << 48 | UInt64(bytes[1]) << 40 | (number % 10_000) << 16 | proof
        case .hmacSHA1: proof << 24 | number & 0xFF_FFFF
        case .hmacSHA256: proof << 32 | number
        }
    }

    /// When it was made, where the ACS puts the time in its number: seconds since 1970.
    package var madeAt: Int64 {
        Int64(clamping: number).multipliedReportingOverflow(by: form.secondsOfNumber).partialValue
    }

    /// The twenty bytes.
    package var encoded: [UInt8] { bytes }

    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }

    static func isBCD(_ word: UInt64, _ digits: Int) -> Bool {
        (0..<digits).allSatisfy { word >> UInt64(4 * $0) & 0x0F <= 9 }
    }

    private static func decimal(_ digits: UInt64) -> UInt64 {
        (0..<16).reduce(0) { $0 * 10 + digits >> UInt64(60 - 4 * $1) & 0x0F }
    }
}

extension PAN {
    /// The rightmost sixteen digits in BCD, zeros before a shorter one.
    var lastSixteenDigits: UInt64 { UInt64(truncatingIfNeeded: packed) }

    /// Ten bytes in BCD, filled with F on the right.
    var filledTenBytes: [UInt8] {
        let fill = 20 - digitCount
        let word = packed << UInt128(4 * fill) | (UInt128(1) << UInt128(4 * fill) - 1)
        return (0..<10).map { UInt8(truncatingIfNeeded: word >> UInt128(8 * (9 - $0))) }
    }
}
