internal import Authorisation
internal import EMV
internal import Redis

extension RedisCommand {
    /// Appends the sixteen bytes under which an answer is kept.
    mutating func append(_ key: RetransmissionKey) {
        append(bigEndian: key.moment, UInt64(key.acquirer) << 32 | UInt64(key.reference))
    }
}

/// The card as `cardstate_read` joins it.
enum StoredCard {
    /// `status;expiry;PIN reference;tries;used;ATC;available;currency;profile;limits;scripts;`, then the answer in its kept form.
    static func reading(_ bytes: [UInt8]) throws(StateUnavailable) -> CardReading {
        var parts = Parts(bytes[...])
        guard let status = CardStatus(stored: parts.next()), let expiry = ExpiryDate(ascii: parts.next())
        else { throw damaged }
        let reference = parts.next()
        guard let triesMax = parts.next().decimal, let triesUsed = parts.next().decimal else { throw damaged }
        let highest = parts.next()
        guard let available = parts.next().decimal,
            let number = parts.next().decimal.flatMap({ UInt16(exactly: $0) }),
            let currency = CurrencyCode(rawValue: number)
        else { throw damaged }
        let profile = String(decoding: parts.next(), as: UTF8.self)
        let limits = try StoredLimits.limits(parts.next())
        let scripts = try StoredScripts.scripts(parts.next())
        guard let rest = parts.rest else { throw damaged }
        let card = CardRecord(
            status: status, expiry: expiry,
            pinReference: reference.hexadecimal.map(EncipheredPINBlock.init(rawValue:)),
            pinTriesMax: Int(triesMax), pinTriesUsed: Int(triesUsed),
            highestATC: highest.decimal.flatMap { UInt16(exactly: $0) }
                .map(ApplicationTransactionCounter.init(rawValue:)),
            availableMinorUnits: available, currency: currency, profile: profile, limits: limits,
            pinVerificationValue: StoredPIN.verificationValue(reference))
        return CardReading(card: card, answered: try answer(rest), scripts: scripts)
    }

    private static var damaged: StateUnavailable { StateUnavailable("read: the card's record is damaged") }

    /// Fingerprint (8 bytes, big endian), declined (1), approval code (6), then as in `StoredTaking`, with the flags
    /// that the store adds: 16 for a part (of a balance: below zero), 32 for reversed.
    private static func answer(_ bytes: ArraySlice<UInt8>) throws(StateUnavailable) -> RecordedAnswer? {
        if bytes.isEmpty { return nil }
        let start = bytes.startIndex
        guard bytes.count == 31, let outcome = StoredResult.declined(bytes[start + 8]) else {
            throw StateUnavailable("read: the recorded answer is damaged")
        }
        let flags = bytes[start + 15]
        let taken = bytes[(start + 18)..<(start + 23)].reduce(0) { $0 << 8 | Int64($1) }
        let isPart = flags & 16 != 0
        let isBalance = flags & 15 == TransactionKind.balanceEnquiry.rawValue
        // What was reversed meanwhile is not approved again.
        let declined = outcome.reason ?? (flags & 32 != 0 ? .reversedBefore : nil)
        return RecordedAnswer(
            fingerprint: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }, declined: declined,
            approvalCode: declined == nil ? Array(bytes[(start + 9)..<(start + 15)]) : [],
            partialMinorUnits: isPart && !isBalance ? taken : nil,
            balanceMinorUnits: isBalance ? (isPart ? -taken : taken) : nil)
    }
}

/// The PIN of a card as its record keeps it: a reference block in hexadecimal, or `v`, the key's index and the four
/// digits of a verification value; empty for a card without online PIN.
enum StoredPIN {
    static func text(of card: CardRecord) -> String {
        text(card.pinReference, card.pinVerificationValue)
    }

    static func text(_ reference: EncipheredPINBlock?, _ value: PINVerificationValue?) -> String {
        if let value {
            let digits = String(value.digits, radix: 16)
            return "v\(value.keyIndex)" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return reference.map { String($0.rawValue, radix: 16) } ?? ""
    }

    static func verificationValue(_ bytes: ArraySlice<UInt8>) -> PINVerificationValue? {
        guard bytes.count == 6, bytes.first == UInt8(ascii: "v") else { return nil }
        let digits = bytes.dropFirst().reduce(UInt32(0)) { $0 << 4 | UInt32($1 & 0x0F) }
        return PINVerificationValue(
            keyIndex: UInt8(truncatingIfNeeded: digits >> 16), digits: UInt16(truncatingIfNeeded: digits))
    }
}

/// The outcome as `cardstate_commit` joins it.
struct StoredResult {
    let commitResult: CommitResult

    /// - Parameter bytes: repeated, declined, code, ATC finding, tries left, available, divided by `;`, and an effect
    ///   where there is one.
    init?(_ bytes: ArraySlice<UInt8>) {
        var parts = Parts(bytes)
        let repeated = parts.next().first == UInt8(ascii: "1")
        self.init(repeated: repeated, &parts)
    }

    /// - Parameter outcome: the same without the first part, as the journal has it.
    init?(journal outcome: [UInt8]) {
        var parts = Parts(outcome[...])
        self.init(repeated: false, &parts)
    }

    private init?(repeated: Bool, _ parts: inout Parts) {
        guard let number = parts.next().decimal.flatMap({ UInt8(exactly: $0) }),
            let outcome = StoredResult.declined(number)
        else { return nil }
        let code = parts.next()
        guard
            let finding = parts.next().decimal.flatMap({ UInt8(exactly: $0) }).flatMap(
                ATCFinding.init(rawValue:)),
            let tries = parts.next().decimal, let available = parts.next().decimal
        else { return nil }
        var effect: CommitEffect?
        if parts.rest != nil {
            effect = CommitEffect(stored: parts.next())
            guard effect != nil, parts.rest == nil else { return nil }
        }
        commitResult = CommitResult(
            declined: outcome.reason, approvalCode: outcome.reason == nil ? Array(code) : [],
            repeated: repeated,
            atc: finding, pinTriesLeft: Int(tries), availableMinorUnits: available, effect: effect)
    }

    /// 0 for an approval, otherwise a reason; nil for a number that is none.
    static func declined(_ number: UInt8) -> (reason: DeclineReason?, Void)? {
        if number == 0 { return (nil, ()) }
        guard let reason = DeclineReason(rawValue: number) else { return nil }
        return (reason, ())
    }
}

/// Text divided by `;`, taken part by part without an array of them.
private struct Parts {
    /// What follows the last divider taken; nil after the last part.
    private(set) var rest: ArraySlice<UInt8>?

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next part; empty where there is none, which no number and no name is.
    mutating func next() -> ArraySlice<UInt8> {
        guard let bytes = rest else { return [] }
        guard let end = bytes.firstIndex(of: UInt8(ascii: ";")) else {
            rest = nil
            return bytes
        }
        rest = bytes[(end + 1)...]
        return bytes[..<end]
    }
}

extension CardStatus {
    /// The status of these bytes, without making a string of the usual one.
    fileprivate init?(stored bytes: ArraySlice<UInt8>) {
        if bytes.elementsEqual("active".utf8) {
            self = .active
        } else {
            self.init(rawValue: String(decoding: bytes, as: UTF8.self))
        }
    }
}

extension ArraySlice<UInt8> {
    /// Decimal digits with an optional minus; nil where it is something else or too long.
    var decimal: Int64? {
        guard let first, count <= 19 else { return nil }
        let negative = first == UInt8(ascii: "-")
        var value: Int64 = 0
        for digit in negative ? dropFirst() : self {
            guard (0x30...0x39).contains(digit) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            value = product + Int64(digit - 0x30)
        }
        return negative ? -value : value
    }

    /// One to sixteen lower-case hexadecimal digits; nil where it is something else.
    fileprivate var hexadecimal: UInt64? {
        guard (1...16).contains(count) else { return nil }
        var value: UInt64 = 0
        for digit in self {
            switch digit {
            case 0x30...0x39: value = value << 4 | UInt64(digit - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(digit - 0x57)
            default: return nil
            }
        }
        return value
    }
}
