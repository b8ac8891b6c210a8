/// Track 2 of a contactless magnetic stripe whose card puts CVC3, unpredictable number and ATC into its discretionary data.
/// Positions are bits, the lowest for the last digit; that digit tells how many digits of the unpredictable number there are.
/// Unconfirmed: the form is from memory of EMV Contactless Book C-2, no public vector of a whole track is known.
package struct ContactlessTrack: Hashable, Sendable {
    /// Where the digits of CVC3 stand (tag 9F62 names them for track 1, 9F65 for track 2).
    package let valuePositions: UInt16
    /// Where those of unpredictable number and ATC stand, the number's on the right.
    package let numberPositions: UInt16
    /// How many of them are the ATC's.
    package let atcDigits: Int

    /// Three digits of CVC3 and of the ATC at least: fewer would be guessed.
    package var isStrong: Bool { valueDigits >= 3 && atcDigits >= 3 }

    /// - Returns: nil for places that overlap, take the last digit, or are more than there are digits.
    package init?(valuePositions: UInt16, numberPositions: UInt16, atcDigits: Int) {
        guard valuePositions & numberPositions == 0, (valuePositions | numberPositions) & 1 == 0,
            (1...5).contains(valuePositions.nonzeroBitCount), (0...5).contains(atcDigits),
            (0...8).contains(numberPositions.nonzeroBitCount - atcDigits)
        else { return nil }
        (self.valuePositions, self.numberPositions) = (valuePositions, numberPositions)
        self.atcDigits = atcDigits
    }

    /// Digits of CVC3 on the track.
    package var valueDigits: Int { valuePositions.nonzeroBitCount }

    /// What a card has put into its track.
    package struct Content: Sendable {
        /// As a decimal number, the last digits of CVC3.
        package let value: UInt32
        /// Eight digits in BCD.
        package let unpredictableNumber: UInt32
        /// The last digits of the ATC, as a decimal number.
        package let atc: UInt32
        /// The discretionary data as the card was issued with it: zeros in all these places.
        package let issued: [UInt8]
    }

    /// - Parameter digits: the discretionary data, a digit each.
    /// - Returns: nil where it is shorter than its places, or tells another number of digits than there are.
    package func content(of digits: [UInt8]) -> Content? {
        let places = valuePositions | numberPositions
        guard digits.count >= 16 - places.leadingZeroBitCount, let last = digits.last,
            Int(last) == numberPositions.nonzeroBitCount - atcDigits
        else { return nil }
        var issued = digits
        issued[digits.count - 1] = 0
        func take(_ positions: [Int]) -> [UInt8] {
            positions.reversed().map { position in
                defer { issued[digits.count - 1 - position] = 0 }
                return digits[digits.count - 1 - position]
            }
        }
        let numbers = Self.positions(numberPositions)
        let value = take(Self.positions(valuePositions))
        let unpredictable = take(Array(numbers.prefix(Int(last))))
        let atc = take(Array(numbers.dropFirst(Int(last))))
        return Content(
            value: value.reduce(0) { $0 * 10 + UInt32($1) },
            unpredictableNumber: unpredictable.reduce(0) { $0 << 4 | UInt32($1) },
            atc: atc.reduce(0) { $0 * 10 + UInt32($1) }, issued: issued)
    }

    /// Track 2 as a card was issued with it, in the form of tag 9F6B: two digits a byte, D between, F at the end of an odd
    /// number.
    package static func issued(
        _ pan: PAN, expiry: UInt16, serviceCode: UInt16, discretionary: [UInt8]
    ) -> [UInt8] {
        var digits = (0..<pan.digitCount).map {
            UInt8(truncatingIfNeeded: pan.packed >> UInt128(4 * (pan.digitCount - 1 - $0))) & 0x0F
        }
        digits.append(0x0D)
        digits += [12, 8, 4, 0].map { UInt8(truncatingIfNeeded: expiry >> UInt16($0)) & 0x0F }
        digits += [8, 4, 0].map { UInt8(truncatingIfNeeded: serviceCode >> UInt16($0)) & 0x0F }
        digits += discretionary
        if !digits.count.isMultiple(of: 2) { digits.append(0x0F) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private static func positions(_ bits: UInt16) -> [Int] { (0..<16).filter { bits & 1 << UInt16($0) != 0 } }

    /// Every ATC that ends with so many digits.
    package func atcs(endingWith digits: UInt32) -> [UInt16] {
        var step: UInt32 = 1
        for _ in 0..<atcDigits { step *= 10 }
        return stride(from: digits, through: 0xFFFF, by: Int(step)).map { UInt16($0) }
    }
}

extension CardValueInput {
    /// As `blocks(for:)`, with the ATC in place of the PAN's first four digits: what Visa's dCVV is made over.
    /// - Parameter atc: four digits in BCD. How an ATC above 9,999 is written is unconfirmed.
    package func blocks(for pan: PAN, atc: UInt16) -> (UInt64, UInt64) {
        let shift = UInt128(4 * (pan.digitCount - 4))
        let altered = pan.packed & ~(0xFFFF << shift) | UInt128(atc) << shift
        let digits = altered << 28 | UInt128(expiry) << 12 | UInt128(serviceCode)
        let filled = digits << UInt128(4 * (32 - pan.digitCount - 7))
        return (UInt64(truncatingIfNeeded: filled >> 64), UInt64(truncatingIfNeeded: filled))
    }
}
