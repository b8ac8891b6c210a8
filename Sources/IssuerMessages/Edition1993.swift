internal import Authorisation
package import ISO8583

/// What messages of ISO 8583:1993 say in other elements, or in other words, than those of 1987.
extension Message {
    /// DE24 positions as a number; nil where it is absent.
    private var functionCode: UInt64? { number(.functionCode) }

    /// What DE24 makes of a transaction that DE3 says the kind of; nil for what this issuer does not serve, as replacements
    /// of an earlier authorisation (102, 103), which would be held twice.
    /// - Parameter kind: of DE3.
    func kind1993(_ kind: TransactionKind) -> TransactionKind? {
        let isOpen = kind == .purchase || kind == .preAuthorisation
        switch functionCode {
        // The first one, resubmitted or supplementary; the amount is known.
        case 100, 104, 106, 200, 203, 204: return kind
        // The same with an estimated amount: what it comes to is told later.
        case 101, 105, 107: return isOpen ? .preAuthorisation : kind
        case 108: return kind == .balanceEnquiry ? kind : nil
        // Approved before, for the same or another amount.
        case 201, 202:
            guard mti.messageClass == .financial else { return nil }
            return isOpen ? .completion : kind
        case nil:
            let isNamed = mti.messageClass == .financial && hasContent(.originalData1993)
            return isNamed && isOpen ? .completion : kind
        default: return nil
        }
    }

    /// What remains of the transaction that a reversal undoes: DE4 of a partial one (DE24 401, or DE25 4004 or another
    /// amount in DE30 where there is no DE24), nothing of a whole one.
    func remaining1993() throws(MappingError) -> Int64 {
        guard isPartialReversal else { return 0 }
        guard let amount = number(.transactionAmount) else {
            throw MappingError(.transactionAmount, "missing or not twelve digits")
        }
        return Int64(clamping: amount)
    }

    private var isPartialReversal: Bool {
        if let functionCode { return functionCode == 401 }
        if number(.messageReasonCode) == 4_004 { return true }
        guard let original = originalMinorUnits, original > 0 else { return false }
        return original != number(.transactionAmount)
    }

    /// The first twelve digits of DE30.
    private var originalMinorUnits: UInt64? {
        guard let digits = bytes(.originalAmounts), digits.count >= 12 else { return nil }
        return decimal(digits.prefix(12))
    }

    /// What the original of a reversal was for, in minor units: DE30, or DE4 of a whole one; 0: not said.
    func reversedMinorUnits1993() -> UInt64? {
        let sent = number(.transactionAmount)
        if isPartialReversal { return originalMinorUnits ?? 0 }
        return sent == 0 ? originalMinorUnits ?? 0 : sent
    }

    /// DE56: message type 4, STAN 6, local date and time 12, then the acquirer behind its length in two digits. Zeros and
    /// blanks alone name nothing.
    /// - Throws: where it holds something else.
    func read1993(_ original: inout OriginalTransaction) throws(MappingError) {
        guard hasContent(.originalData1993), var parts = bytes(.originalData1993) else { return }
        while let last = parts.last, last == 0x20 || last == 0 { parts.removeLast() }
        guard (22...35).contains(parts.count), parts.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw MappingError(.originalData1993, "not 22 to 35 digits")
        }
        let digits = Array(parts)
        original.stan = UInt32(clamping: decimal(digits[4..<10]) ?? 0)
        // The year is left out, as in all times that are compared.
        let time = UInt32(clamping: decimal(digits[12..<22]) ?? 0)
        if time != 0 { original.localTime = time }
        // Advices and notifications tell of what was decided elsewhere.
        original.isAdvice = original.stan != 0 && (digits[2] == 0x32 || digits[2] == 0x34)
        var acquirer = digits[22...]
        if acquirer.count >= 2, decimal(acquirer.prefix(2)) == UInt64(acquirer.count - 2) {
            acquirer = acquirer.dropFirst(2)
        }
        if !acquirer.allSatisfy({ $0 == 0x30 }) {
            (original.acquirer, original.namesAcquirer) = (Self.acquirerHash(acquirer), true)
        }
    }
}

/// DE22 of ISO 8583:1993: twelve positions. Position 6 says whether the card is there, 7 how its data came in.
struct PointOfServiceData {
    private let card: UInt8
    private let input: UInt8

    /// Nil where there are no twelve characters.
    init?(_ message: Message) {
        let found = message.reading(.pointOfServiceEntryMode) { positions -> (UInt8, UInt8)? in
            positions.count == 12 ? (positions[5], positions[6]) : nil
        }
        guard let found, let found else { return nil }
        (card, input) = found
    }

    /// The digits are the standard's; letters, 7 and 9 are what large networks have added.
    var entry: CardEntry {
        switch input {
        case UInt8(ascii: "5"), UInt8(ascii: "C"), UInt8(ascii: "F"), UInt8(ascii: "M"): .chip
        case UInt8(ascii: "2"), UInt8(ascii: "B"): .magneticStripe
        case UInt8(ascii: "9"): .fallback
        case UInt8(ascii: "A"): .contactlessStripe
        case UInt8(ascii: "1"), UInt8(ascii: "6"), UInt8(ascii: "7"), UInt8(ascii: "S"): .cardNotPresent
        default: card == UInt8(ascii: "0") ? .cardNotPresent : .unknown
        }
    }

    var isContactless: Bool {
        input == UInt8(ascii: "M") || input == UInt8(ascii: "A") || card == UInt8(ascii: "X")
    }
}

extension Message {
    /// Where network management says what it is about: DE70, or DE24 in ISO 8583:1993.
    package var networkElement: DataElement { mti.is1993 ? .functionCode : .networkManagementCode }

    /// What it says there; nil where it is absent.
    package var networkCode: String? { text(networkElement) }
}
