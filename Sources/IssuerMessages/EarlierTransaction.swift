internal import Authorisation
internal import ISO8583

/// What advices, completions and reversals say of an earlier transaction.
extension Message {
    var saysApproved: Bool {
        guard let code = text(.responseCode) else { return true }
        return mti.is1993 ? ActionCode.saysAccepted(code) : ResponseCode.saysApproved(code)
    }

    /// The first amount of DE95 (n 12, actual amount of the transaction); zero without it.
    func remainingMinorUnits() throws(MappingError) -> Int64 {
        guard hasContent(.replacementAmounts), let bytes = bytes(.replacementAmounts) else { return 0 }
        guard bytes.count >= 12, let amount = decimal(bytes.prefix(12)) else {
            throw MappingError(.replacementAmounts, "does not begin with twelve digits")
        }
        return Int64(clamping: amount)
    }
}

extension Message {
    /// The amount of the transaction that a reversal undoes. What takes it back as a whole need not say how much it was.
    /// - Parameter isLeftOut: an enquiry without an amount.
    func reversedAmount(_ purpose: RequestPurpose, isLeftOut: Bool) throws(MappingError) -> Amount {
        let hasAmount = has(.currency) && has(.transactionAmount)
        if purpose == .reversal(remainingMinorUnits: 0), !hasAmount {
            return try amount(minorUnits: number(.transactionAmount) ?? 0, currency: 0)
        }
        let sent = mti.is1993 ? reversedMinorUnits1993() : number(.transactionAmount)
        return try amount(minorUnits: sent ?? (isLeftOut ? 0 : nil))
    }
}

/// What these digits come to; nil where one is none.
func decimal(_ digits: some Collection<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for byte in digits {
        let digit = byte &- 0x30
        guard digit <= 9 else { return nil }
        value = value &* 10 &+ UInt64(digit)
    }
    return value
}

extension Message {
    /// What the message says of the transaction that it undoes, settles or completes: DE90, and what stays for the life of
    /// a transaction. In ISO 8583:1993 DE56 in place of DE90.
    /// - Throws: where DE90 is there and no 42 digits.
    func original(link: String) throws(MappingError) -> OriginalTransaction {
        var original = OriginalTransaction(
            reference: referenceHash, acquirer: acquirerHash(link: link),
            namesAcquirer: hasContent(.acquirerIdentifier), terminal: hash(.terminalIdentifier),
            localTime: localTimeNumber, ownSTAN: stanNumber, ownSentAt: sentAtNumber)
        if mti.is1993 {
            try read1993(&original)
            return original
        }
        guard hasContent(.originalDataElements), let parts = bytes(.originalDataElements) else {
            return original
        }
        // n 42: message type 4, STAN 6, transmission time 10, acquirer 11, forwarding institution 11. Blanks stand for
        // zeros: what the sender does not know.
        let digits = parts.map { $0 == 0x20 || $0 == 0 ? 0x30 : $0 }
        guard digits.count == 42, digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw MappingError(.originalDataElements, "not 42 digits")
        }
        original.stan = UInt32(clamping: decimal(digits[4..<10]) ?? 0)
        original.sentAt = UInt32(clamping: decimal(digits[10..<20]) ?? 0)
        // Position 3 of the message type: an advice, or a request.
        original.isAdvice = original.stan != 0 && digits[2] == UInt8(ascii: "2")
        let named = digits[20..<31]
        if !named.allSatisfy({ $0 == 0x30 }) {
            (original.acquirer, original.namesAcquirer) = (Self.acquirerHash(named), true)
        }
        return original
    }
}
