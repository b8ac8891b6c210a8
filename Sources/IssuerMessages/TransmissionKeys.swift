internal import Authorisation
internal import ISO8583

extension Message {
    /// The numbers by which the message is known: DE11, DE7, DE12 and DE13 as digits, DE32, DE37, DE41 and DE42 as hashes.
    /// - Parameter link: stands for an acquirer that DE32 does not name.
    func transmission(_ purpose: RequestPurpose, _ kind: TransactionKind, link: String) -> Transmission {
        let messageClass: TransmissionClass =
            switch purpose {
            case .decision: kind == .completion ? .completion : .request
            case .advice: .advice
            case .reversal: .reversal
            }
        return Transmission(
            messageClass: messageClass, isRepeat: mti.isRepeat, stan: stanNumber, sentAt: sentAtNumber,
            localTime: localTimeNumber, reference: referenceHash, acquirer: acquirerHash(link: link),
            namesAcquirer: hasContent(.acquirerIdentifier), terminal: hash(.terminalIdentifier),
            merchant: hash(.merchantIdentifier))
    }

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

    /// Zeros and blanks alone say nothing: senders fill elements up in every message.
    func hasContent(_ element: DataElement) -> Bool {
        bytes(element).map { !$0.allSatisfy { $0 == 0x30 || $0 == 0x20 || $0 == 0 } } ?? false
    }

    private var stanNumber: UInt32 { UInt32(clamping: number(.stan) ?? 0) }

    /// `MMDDhhmmss`; 0: absent.
    private var sentAtNumber: UInt32 { number(.transmissionTime).map { UInt32(clamping: $0) } ?? 0 }

    /// `MMDDhhmmss` of DE13 and DE12 (ISO 8583:1987), or of DE12 alone (1993, `YYMMDDhhmmss`). A time without a date is
    /// kept apart from all dates.
    private var localTimeNumber: UInt32 {
        guard let time = number(.localTime) else { return 0 }
        if time > 999_999 { return UInt32(clamping: time % 10_000_000_000) }
        guard let date = number(.localDate), date <= 1_231 else { return 4_000_000_000 + UInt32(time) }
        return UInt32(date) * 1_000_000 + UInt32(time)
    }

    /// Blanks and zeros alone name nothing.
    private var referenceHash: UInt64 {
        guard let content = bytes(.retrievalReferenceNumber),
            !content.allSatisfy({ $0 == 0x20 || $0 == 0x30 || $0 == 0 })
        else { return 0 }
        return max(1, Self.hash(content))
    }

    private func hash(_ element: DataElement) -> UInt32 {
        guard let content = bytes(element), !content.allSatisfy({ $0 == 0x20 || $0 == 0 }) else { return 0 }
        return max(1, UInt32(truncatingIfNeeded: Self.hash(content) >> 32))
    }

    private func acquirerHash(link: String) -> UInt32 {
        Self.acquirerHash(
            bytes(.acquirerIdentifier).map(Array.init) ?? Array("link ".utf8) + Array(link.utf8))
    }

    /// Without leading zeros: DE90 has them where DE32 has not.
    static func acquirerHash(_ digits: some Collection<UInt8>) -> UInt32 {
        max(1, UInt32(truncatingIfNeeded: hash(Array(digits.drop { $0 == 0x30 })) >> 32))
    }

    /// FNV-1a, without the padding at the end.
    private static func hash(_ content: some BidirectionalCollection<UInt8>) -> UInt64 {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        let end = content.lastIndex { $0 != 0x20 && $0 != 0 }
        guard let end else { return value }
        for byte in content[...end] { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return value
    }
}
