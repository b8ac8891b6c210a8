/// Decimal digits out of an enciphered block, as Visa's CVV and PVV take them: the decimal digits from the left, then
/// the letters from the left, A as 0 to F as 5.
package enum Decimalisation {
    /// - Parameters:
    ///   - block: eight bytes, big endian.
    ///   - count: digits wanted, 1…4.
    /// - Returns: the digits in BCD, right-aligned.
    package static func digits(_ block: UInt64, count: Int) -> UInt16 {
        var found: UInt16 = 0
        var taken = 0
        for letters in [false, true] {
            for position in stride(from: 60, through: 0, by: -4) where taken < count {
                let digit = UInt16(truncatingIfNeeded: block >> UInt64(position) & 0x0F)
                guard (digit > 9) == letters else { continue }
                found = found << 4 | (letters ? digit - 10 : digit)
                taken += 1
            }
        }
        return found
    }
}
