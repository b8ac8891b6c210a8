/// An answer that the old layout kept: 47 bytes.
///
/// STAN and time of sending in digits (8), acquirer (4), reference (4), fingerprint (8), declined (1), approval code (6),
/// kind with flags (1), day (2), minor units taken (5), of them cash (5), nothing (3). The fingerprint is a hash without a
/// key over the PAN and other elements: it is left behind.
struct OldAnswer {
    static let byteCount = 47
    /// The kind of a reversal's own answer.
    static let reversalKind: UInt8 = 8

    let numbers: OldNumbers
    let declined: UInt8
    let approvalCode: UInt64
    let kind: UInt8
    let isPart: Bool
    let isReversed: Bool
    let isCounted: Bool
    let isSettled: Bool
    let day: UInt16
    let taken: Int64
    let cash: Int64

    static func list(_ bytes: [UInt8], _ field: String) throws(RecordDamage) -> [OldAnswer] {
        guard bytes.count % byteCount == 0 else { throw RecordDamage("\(field) is cut off") }
        return stride(from: 0, to: bytes.count, by: byteCount).map { OldAnswer(bytes, at: $0) }
    }

    private init(_ bytes: [UInt8], at place: Int) {
        numbers = OldNumbers(bytes, at: place)
        declined = bytes[place + 24]
        approvalCode =
            UInt64(bytes.load(place + 25, as: UInt32.self)) << 16
            | UInt64(bytes.load(place + 29, as: UInt16.self))
        let flags = bytes[place + 31]
        kind = flags & 15
        (isPart, isReversed) = (flags & 16 != 0, flags & 32 != 0)
        (isCounted, isSettled) = (flags & 64 != 0, flags & 128 != 0)
        day = bytes.load(place + 32, as: UInt16.self)
        taken = bytes.fiveByteNumber(place + 34)
        cash = bytes.fiveByteNumber(place + 39)
    }

    /// The same as the record of now keeps it; nil for a reversal's own answer, which needs none.
    func transaction(
        number: UInt32, plastic: UInt8, currency: CurrencyCode, now: Int64
    ) -> KeptTransaction? {
        guard kind != Self.reversalKind, let kind = TransactionKind(rawValue: kind),
            declined == 0 || DeclineReason(rawValue: declined) != nil
        else { return nil }
        let decidedAt = min(now, Int64(day) * 86_400 + numbers.secondOfDay)
        var kept = KeptTransaction(
            numbers.transmission(kind), number: number, kind: kind,
            amount: Amount(minorUnits: 0, currency: currency)!, now: decidedAt)
        kept.day = day
        kept.plastic = plastic
        kept.flags.insert(.migrated)
        kept.declined = DeclineReason(rawValue: declined)
        guard declined == 0 else { return kept }
        kept.approvalCode = approvalCode
        if kind == .balanceEnquiry {
            kept.booked = isPart ? -taken : taken
            return kept
        }
        (kept.taken, kept.cash) = (taken, cash)
        if isPart { kept.flags.insert(.partial) }
        if isReversed { kept.flags.insert(.reversed) }
        if isCounted { kept.flags.insert(.counted) }
        if isSettled { kept.flags.insert(.settled) }
        // A partial approval was asked for more, and what was given back is not told: such a sum is not known.
        if isPart { kept.booked = taken }
        if !isPart, !isReversed, !isSettled { (kept.asked, kept.booked) = (taken, taken) }
        return kept
    }
}

/// A reversal that the old layout kept for an original that had not come: the original's numbers (16), what is to remain
/// of it (5).
struct OldEarlyReversal {
    static let byteCount = 21

    let numbers: OldNumbers
    let remaining: Int64

    static func list(_ bytes: [UInt8]) throws(RecordDamage) -> [OldEarlyReversal] {
        guard bytes.count % byteCount == 0 else { throw RecordDamage("er is cut off") }
        return stride(from: 0, to: bytes.count, by: byteCount).map {
            OldEarlyReversal(
                numbers: OldNumbers(bytes, at: $0), remaining: bytes.fiveByteNumber($0 + 16))
        }
    }

    /// The same as the record of now keeps it.
    func reversal(now: Int64) -> EarlyReversal {
        var original = OriginalTransaction(acquirer: numbers.acquirer)
        if numbers.stan != 0 || numbers.sentAt != 0 {
            (original.stan, original.sentAt) = (numbers.stan, numbers.sentAt)
            original.isAdvice = numbers.messageClass == .advice
        } else {
            original.reference = UInt64(numbers.reference)
        }
        return EarlyReversal(
            original: original, amount: 0, currency: 0, remaining: remaining,
            receivedAt: UInt32(clamping: now),
            isMigrated: true)
    }
}

/// The numbers by which the old layout knew a transmission: DE11 and DE7 as digits, DE32 and DE37 as 32 bits of FNV-1a.
struct OldNumbers {
    let messageClass: TransmissionClass
    let stan: UInt32
    /// `MMDDhhmmss`.
    let sentAt: UInt32
    /// 0: none was sent.
    let acquirer: UInt32
    /// 0: none was sent.
    let reference: UInt32

    init(_ bytes: [UInt8], at place: Int) {
        let moment = bytes.load(place, as: UInt64.self)
        // The month's first digit is 0 or 1: the bits above it keep the classes apart.
        messageClass =
            switch moment >> 38 & 3 {
            case 1: .advice
            case 2: .reversal
            default: .request
            }
        stan = UInt32(clamping: OldNumbers.decimal(moment >> 40, digits: 6))
        sentAt = UInt32(clamping: OldNumbers.decimal(moment & 0x3F_FFFF_FFFF, digits: 10))
        let sent = bytes.load(place + 8, as: UInt32.self)
        acquirer = sent == OldNumbers.nothing ? 0 : max(1, sent)
        let its = bytes.load(place + 12, as: UInt32.self)
        reference = its == OldNumbers.referenceOf([]) ? 0 : its
    }

    func transmission(_ kind: TransactionKind) -> Transmission {
        let isCompletion = messageClass == .request && kind == .completion
        return Transmission(
            messageClass: isCompletion ? .completion : messageClass, stan: stan, sentAt: sentAt,
            reference: UInt64(reference), acquirer: acquirer)
    }

    var secondOfDay: Int64 { MonthClock.seconds(sentAt).map { $0 % 86_400 } ?? 86_399 }

    private static let nothing = UInt32(0xCBF2_9CE4)

    private static func decimal(_ packed: UInt64, digits: Int) -> UInt64 {
        (0..<digits).reversed().reduce(0) { $0 * 10 + (packed >> UInt64(4 * $1) & 15) }
    }

    /// What the old layout kept of DE37: the element's number, then its bytes.
    static func referenceOf(_ content: [UInt8]) -> UInt32 {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in [37] + content { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return UInt32(truncatingIfNeeded: value >> 32)
    }
}

extension [UInt8] {
    fileprivate func fiveByteNumber(_ place: Int) -> Int64 {
        Int64(load(place, as: UInt32.self)) << 8 | Int64(self[place + 4])
    }
}
