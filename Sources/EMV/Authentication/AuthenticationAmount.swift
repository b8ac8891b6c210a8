internal import Glibc

/// An amount in the sixteen bits that SPA2 has for it: up to 14,000 minor units as they are, above that by their
/// logarithm (gocavv alone: unconfirmed). The code says a larger amount to within 0.04 per cent.
package enum AuthenticationAmount {
    /// The last amount that stands for itself.
    static let exactMax: Int64 = 14_000
    private static let steps = 6553.6

    /// - Parameter minorUnits: 0 to twelve digits; nil for anything else.
    package static func code(_ minorUnits: Int64) -> UInt16? {
        guard (0...999_999_999_999).contains(minorUnits) else { return nil }
        guard minorUnits > exactMax else { return UInt16(minorUnits) }
        return UInt16(exactly: (log10(Double(minorUnits) / 100) * steps).rounded(.down))
    }

    /// The amounts that have a code.
    package static func amounts(_ code: UInt16) -> ClosedRange<Int64> {
        guard Int64(code) > exactMax else { return Int64(code)...Int64(code) }
        let (low, high) = (least(code), code == .max ? 999_999_999_999 : least(code + 1) - 1)
        return low...max(low, high)
    }

    /// Whether an amount is that of a code, or so many per cent beside it at the most.
    package static func agrees(_ minorUnits: Int64, _ code: UInt16, tolerancePercent: Int64) -> Bool {
        let known = amounts(code)
        guard !known.contains(minorUnits) else { return true }
        let (percent, over) = minorUnits.multipliedReportingOverflow(by: 100)
        guard !over else { return false }
        return percent <= known.upperBound * (100 + tolerancePercent)
            && percent >= known.lowerBound * max(0, 100 - tolerancePercent)
    }

    /// The least amount whose code is not below this one.
    private static func least(_ code: UInt16) -> Int64 {
        var amount = max(exactMax + 1, Int64(100 * pow(10, Double(code) / steps)) - 2)
        while let made = self.code(amount), made < code { amount += 1 }
        return amount
    }
}
