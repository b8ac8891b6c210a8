internal import Authorisation
internal import ISO8583

extension Message {
    /// DE11 and DE7 as digits, DE32 and DE37 as hashes, with a fingerprint of what is asked for. The PIN block is
    /// left out of that: a terminal may encipher it anew for a repeat. The same numbers may stand on a request, its
    /// advice and its reversal: each is a transmission of its own.
    func retransmissionKey(_ purpose: RequestPurpose) -> RetransmissionKey {
        var asked = Fingerprint()
        for element in [DataElement.pan, .processingCode, .transactionAmount, .currency, .iccData] {
            asked.add(element, of: self)
        }
        var mark = MomentMark.request
        switch purpose {
        case .decision: break
        case .advice:
            mark = .advice
            asked.add(.responseCode, of: self)
        case .reversal:
            mark = .reversal
            asked.add(.originalDataElements, of: self)
            asked.add(.replacementAmounts, of: self)
        }
        return RetransmissionKey(
            moment: mark.rawValue | bcd(.stan) << 40 | bcd(.transmissionTime) & 0xFF_FFFF_FFFF,
            acquirer: acquirerHash(bytes(.acquirerIdentifier) ?? []), reference: referenceHash,
            fingerprint: asked.value)
    }

    /// What DE90 names, with DE32 and DE37 of this message where it leaves them out; nil without both DE90 and DE37.
    func original() throws(MappingError) -> OriginalTransaction? {
        let reference = has(.retrievalReferenceNumber) ? referenceHash : 0
        let ownAcquirer = acquirerHash(bytes(.acquirerIdentifier) ?? [])
        guard let parts = bytes(.originalDataElements) else {
            return reference == 0
                ? nil : OriginalTransaction(moment: 0, acquirer: ownAcquirer, reference: reference)
        }
        // n 42: message type 4, STAN 6, transmission time 10, acquirer 11, forwarding institution 11.
        guard parts.count == 42, parts.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw MappingError(.originalDataElements, "not 42 digits")
        }
        let digits = Array(parts)
        var moment = digits[4..<20].reduce(UInt64(0)) { $0 << 4 | UInt64($1 & 0x0F) }
        // Position 3 of the message type: an advice, or a request.
        if moment != 0, digits[2] == UInt8(ascii: "2") { moment |= MomentMark.advice.rawValue }
        let named = digits[20..<31]
        let acquirer = named.allSatisfy { $0 == 0x30 } ? ownAcquirer : acquirerHash(named)
        if moment == 0, reference == 0 { return nil }
        return OriginalTransaction(moment: moment, acquirer: acquirer, reference: reference)
    }

    private var referenceHash: UInt32 {
        var hash = Fingerprint()
        hash.add(.retrievalReferenceNumber, of: self)
        return UInt32(truncatingIfNeeded: hash.value >> 32)
    }

    /// Without leading zeros: DE90 has them where DE32 has not.
    private func acquirerHash(_ digits: some Collection<UInt8>) -> UInt32 {
        var hash = Fingerprint()
        hash.add(digits.drop { $0 == 0x30 })
        return UInt32(truncatingIfNeeded: hash.value >> 32)
    }

    private func bcd(_ element: DataElement) -> UInt64 {
        withBytes(element) { digits in
            var value: UInt64 = 0
            for digit in digits { value = value << 4 | UInt64(digit & 0x0F) }
            return value
        } ?? 0
    }
}

/// The month's first digit is 0 or 1, so that its upper bits are free to keep message classes apart.
private enum MomentMark: UInt64 {
    case request = 0
    case advice = 0x40_0000_0000
    case reversal = 0x80_0000_0000
}

/// FNV-1a over elements' numbers and contents.
private struct Fingerprint {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ element: DataElement, of message: Message) {
        value = (value ^ UInt64(element.rawValue)) &* 0x0000_0100_0000_01B3
        _ = message.withBytes(element) { content in
            for byte in content { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        }
    }

    mutating func add(_ content: some Collection<UInt8>) {
        for byte in content { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }
}
