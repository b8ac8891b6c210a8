internal import Authorisation
internal import EMV
internal import ISO8583

/// What the elements of a message mean: kind and purpose, how the card came, the numbers by which it is known, the PIN block.
extension Message {
    /// DE3 as a number of six digits; nil where it is absent or none.
    var processingCodeDigits: UInt64? { number(.processingCode) }

    /// What DE3 positions 1 and 2 ask for, with DE25 06 (pre-authorised request) and DE90 for what belongs to an earlier
    /// approval (ISO 8583:1987), or with DE24 and DE56 (1993); nil for what this issuer does not serve.
    ///
    /// Code 30 has two uses in the field: an enquiry where DE4 is zero, a pre-authorisation where it is not.
    func transactionKind() -> TransactionKind? {
        let asksForMoney = (number(.transactionAmount) ?? 0) > 0
        let kind: TransactionKind
        switch (processingCodeDigits ?? 0) / 10_000 {
        case 0: kind = .purchase
        case 1, 11, 17: kind = .cash
        case 9: kind = .purchaseWithCashBack
        case 20: kind = .refund
        case 30: kind = asksForMoney ? .preAuthorisation : .balanceEnquiry
        case 31: kind = .balanceEnquiry
        default: return nil
        }
        if mti.is1993 { return kind1993(kind) }
        guard kind == .purchase || kind == .preAuthorisation else { return kind }
        let isPreauthorised = kind == .preAuthorisation || number(.pointOfServiceConditionCode) == 6
        if mti.messageClass == .financial, isPreauthorised || hasContent(.originalDataElements) {
            return .completion
        }
        return isPreauthorised ? .preAuthorisation : kind
    }

    /// What the message type asks for; nil for one that asks for nothing of an account. A notification (ISO 8583:1993)
    /// moves what an advice does, and nobody waits for an answer.
    func purpose() throws(MappingError) -> RequestPurpose? {
        guard mti.version <= 1, mti.origin <= 1 else { return nil }
        let tells = mti.function == 2 || mti.is1993 && mti.isNotification
        switch mti.messageClass {
        case .authorisation, .financial:
            if tells { return .advice(approved: saysApproved) }
            return mti.function == 0 ? .decision : nil
        case .reversal:
            guard tells || mti.function == 0 else { return nil }
            return .reversal(
                remainingMinorUnits: mti.is1993 ? try remaining1993() : try remainingMinorUnits())
        default: return nil
        }
    }
}

extension Message {
    /// How the card came, of either edition.
    var cardEntry: CardEntry {
        guard mti.is1993 else { return CardEntry(entryMode: number(.pointOfServiceEntryMode)) }
        return PointOfServiceData(self)?.entry ?? .unknown
    }

    /// ISO 8583:1987 DE22, positions 1 and 2: 07 contactless chip, 91 contactless magnetic stripe.
    var isContactless: Bool {
        guard mti.is1993 else {
            return number(.pointOfServiceEntryMode).map { [7, 91].contains($0 / 10) } ?? false
        }
        return PointOfServiceData(self)?.isContactless ?? false
    }

    /// Of the merchant (ISO 18245): DE18, in 1993 DE26 first.
    var merchantCategory: UInt16? {
        let code = mti.is1993 ? number(.businessCode) ?? number(.merchantType) : number(.merchantType)
        return code.flatMap { UInt16(exactly: $0) }
    }
}

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

    /// Zeros and blanks alone say nothing: senders fill elements up in every message.
    func hasContent(_ element: DataElement) -> Bool {
        bytes(element).map { !$0.allSatisfy { $0 == 0x30 || $0 == 0x20 || $0 == 0 } } ?? false
    }

    var stanNumber: UInt32 { UInt32(clamping: number(.stan) ?? 0) }

    /// `MMDDhhmmss`; 0: absent.
    var sentAtNumber: UInt32 { number(.transmissionTime).map { UInt32(clamping: $0) } ?? 0 }

    /// `MMDDhhmmss` of DE13 and DE12 (ISO 8583:1987), or of DE12 alone (1993, `YYMMDDhhmmss`). A time without a date is
    /// kept apart from all dates.
    var localTimeNumber: UInt32 {
        guard let time = number(.localTime) else { return 0 }
        if time > 999_999 { return UInt32(clamping: time % 10_000_000_000) }
        guard let date = number(.localDate), date <= 1_231 else { return 4_000_000_000 + UInt32(time) }
        return UInt32(date) * 1_000_000 + UInt32(time)
    }

    /// Blanks and zeros alone name nothing.
    var referenceHash: UInt64 {
        guard hasContent(.retrievalReferenceNumber), let content = bytes(.retrievalReferenceNumber) else {
            return 0
        }
        return max(1, Self.hash(content))
    }

    func hash(_ element: DataElement) -> UInt32 {
        guard let content = bytes(element), !content.allSatisfy({ $0 == 0x20 || $0 == 0 }) else { return 0 }
        return max(1, UInt32(truncatingIfNeeded: Self.hash(content) >> 32))
    }

    func acquirerHash(link: String) -> UInt32 {
        Self.acquirerHash(
            bytes(.acquirerIdentifier).map(Array.init) ?? Array("link ".utf8) + Array(link.utf8))
    }

    /// Without leading zeros: DE90 has them where DE32 has not.
    static func acquirerHash(_ digits: some Collection<UInt8>) -> UInt32 {
        max(1, UInt32(truncatingIfNeeded: hash(Array(digits.drop { $0 == 0x30 })) >> 32))
    }

    /// FNV-1a, without the padding at the end.
    static func hash(_ content: some BidirectionalCollection<UInt8>) -> UInt64 {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        let end = content.lastIndex { $0 != 0x20 && $0 != 0 }
        guard let end else { return value }
        for byte in content[...end] { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return value
    }
}

extension LinkProfile {
    /// The PIN block of a message with its key and format, nil where there is none.
    func pinQuestion(_ message: Message) throws(MappingError) -> PINQuestion? {
        let elsewhere = pins.format4Element.flatMap { message.has($0) ? $0 : nil }
        guard message.has(.pinData) || elsewhere != nil else { return nil }
        let saysFormat = !pins.formatCodes.isEmpty && message.has(.securityControl)
        let format = saysFormat ? try pinFormat(message) : pins.format
        if format == .iso4 || elsewhere != nil && isUnannounced(message) {
            return try format4Question(message, elsewhere ?? .pinData)
        }
        // What stands in the other element then is none of ours.
        guard message.has(.pinData) else { return nil }
        guard let key = pins.zonePINKey else { throw noPINKey }
        let block = message.reading(.pinData) { bytes in
            bytes.count == 8 ? UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)) : nil
        }
        guard let block, let block else { throw MappingError(.pinData, "not eight bytes") }
        return PINQuestion(zonePINKey: key, format: format, block: EncipheredPINBlock(rawValue: block))
    }
}
