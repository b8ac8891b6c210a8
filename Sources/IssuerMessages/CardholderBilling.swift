internal import Authorisation
internal import ISO8583

extension Message {
    /// What the cardholder pays, where the message says so: DE6 (n 12), DE51 (n 3) and DE10 (n 8). Zeros in DE51 or DE10
    /// say nothing.
    /// - Throws: where an element is there and not what it has to be. DE10 counts between two currencies only.
    func readBilling() throws(MappingError) -> CardholderBilling? {
        guard let number = number(.cardholderBillingCurrency).flatMap({ UInt16(exactly: $0) }),
            let currency = CurrencyCode(rawValue: number)
        else { throw MappingError(.cardholderBillingCurrency, "no numeric currency code") }
        guard number != 0 else { return nil }
        guard let minorUnits = self.number(.cardholderBillingAmount),
            let amount = Amount(minorUnits: Int64(clamping: minorUnits), currency: currency)
        else { throw MappingError(.cardholderBillingAmount, "not twelve digits") }
        let isHome = self.number(.currency) == UInt64(number)
        // At home senders fill DE6 up: there DE4 says what is paid.
        if isHome, minorUnits == 0 { return nil }
        guard !isHome, let bytes = bytes(.cardholderBillingConversionRate),
            !bytes.allSatisfy({ $0 == 0x30 })
        else { return CardholderBilling(amount: amount, rate: nil) }
        guard let rate = ConversionRate(element: bytes) else {
            throw MappingError(
                .cardholderBillingConversionRate,
                "not eight digits, the first of them 0 to 7, with a rate above zero")
        }
        return CardholderBilling(amount: amount, rate: rate)
    }
}

extension ResponseMapping {
    /// DE6 and DE51 of what the account pays, DE10 as it came; where nothing was booked, all three as they came.
    func setBilling(_ response: inout Message, _ decision: Decision, request: Message) {
        if request.has(.cardholderBillingCurrency) {
            for element in [
                DataElement.cardholderBillingAmount, .cardholderBillingConversionRate,
                .cardholderBillingCurrency,
            ] { response.copy(element, from: request) }
        }
        guard let charge = decision.charge, tellsBilling else { return }
        response.set(
            .cardholderBillingAmount, text: AdditionalAmount.digits(charge.amount.minorUnits, count: 12))
        response.set(.cardholderBillingCurrency, text: charge.amount.currency.description)
    }
}
