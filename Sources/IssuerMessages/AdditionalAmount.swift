internal import Authorisation
internal import ISO8583

/// One part of DE54 (ISO 8583:1987, 20 characters): account type (2 digits), amount type (2), currency (3), C or D, and
/// the amount (12).
struct AdditionalAmount: CustomStringConvertible {
    /// The amount types that this issuer writes or reads.
    enum AmountType: String {
        /// Of the account, what may be spent.
        case available = "02"
        /// Of the transaction, the cash.
        case cash = "40"
        /// What was asked for, where less was approved.
        case original = "57"
    }

    let account: String
    let type: AmountType
    let currency: CurrencyCode
    /// Below zero: a debit.
    let minorUnits: Int64

    /// - Parameter account: the account type as it came, one or two digits.
    /// - Returns: nil for an amount of more than twelve digits: no amount is better than a wrong one.
    init?(account: String, type: AmountType, currency: CurrencyCode, minorUnits: Int64) {
        guard minorUnits.magnitude <= Amount.minorUnitsMax.magnitude else { return nil }
        (self.account, self.type, self.currency, self.minorUnits) = (account, type, currency, minorUnits)
    }

    var description: String {
        let padded = String(repeating: "0", count: max(0, 2 - account.count)) + account
        let sign = minorUnits < 0 ? "D" : "C"
        return padded + type.rawValue + currency.description + sign
            + Self.digits(Int64(clamping: minorUnits.magnitude), count: 12)
    }

    /// A number with zeros before it.
    static func digits(_ number: Int64, count: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, count - digits.count)) + digits
    }

    /// The cash that a request's DE54 names, in minor units; nil where it names none.
    /// - Throws: where DE54 is no sequence of parts.
    static func cash(in message: Message) throws(MappingError) -> Int64? {
        guard let bytes = message.bytes(.additionalAmounts) else { return nil }
        guard bytes.count.isMultiple(of: 20) else {
            throw MappingError(.additionalAmounts, "not parts of 20 characters")
        }
        for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: 20) {
            let part = String(decoding: bytes[start..<(start + 20)], as: UTF8.self)
            guard part.utf8.count == 20, let minorUnits = Int64(part.suffix(12)), minorUnits >= 0 else {
                throw MappingError(.additionalAmounts, "an amount is not twelve digits")
            }
            if part.dropFirst(2).prefix(2) == AmountType.cash.rawValue { return minorUnits }
        }
        return nil
    }
}

extension ResponseMapping {
    /// DE4 of what was approved in part, and DE54 of that and of a balance enquiry.
    func setAmounts(_ response: inout Message, _ decision: Decision, request: Message) {
        guard let balance = decision.balanceMinorUnits, let currency = decision.balanceCurrency else {
            return
        }
        let account = request.processingCodeDigits.map { String($0 / 100 % 100) } ?? ""
        var amounts = [
            AdditionalAmount(account: account, type: .available, currency: currency, minorUnits: balance)
        ]
        if let partial = decision.partialMinorUnits, let asked = request.number(.transactionAmount) {
            response.set(.transactionAmount, text: AdditionalAmount.digits(partial, count: 12))
            if request.mti.is1993 {
                // What was asked for, and no amount of reconciliation.
                let digits = AdditionalAmount.digits(Int64(clamping: asked), count: 12)
                response.set(.originalAmounts, text: digits + String(repeating: "0", count: 12))
            }
            // Asked for in the shop's currency, which is not always the account's.
            let own = request.number(.currency).flatMap { UInt16(exactly: $0) }
                .flatMap(CurrencyCode.init(rawValue:))
            amounts.append(
                AdditionalAmount(
                    account: account, type: .original, currency: own ?? currency,
                    minorUnits: Int64(clamping: asked)))
        }
        let text = amounts.compactMap { $0?.description }.joined()
        if !text.isEmpty { response.set(.additionalAmounts, text: text) }
    }
}
