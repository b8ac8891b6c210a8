internal import EMV

/// Which plastic of the account a message is about, and whether it may be used.
struct ChosenPlastic {
    /// Whose PIN it is; nil: none fits, or several with different PINs.
    let index: Int?
    /// All that fit: each has to be active, and its limits hold.
    let candidates: [Int]
    /// Why the card may not be used; nil: it may.
    let declined: DeclineReason?
}

extension CardTransition {
    /// The plastic, with lines for card, status and expiry date.
    mutating func choosePlastic(_ message: CardMessage) throws(CardQuestion) -> ChosenPlastic {
        if message.isOfPANBefore { return choosePlasticBefore(message) }
        let named = message.sequenceNumber.flatMap { record.plasticIndex($0) }
        let candidates = if let named { [named] } else { try candidatesUnnamed(message) }
        guard !candidates.isEmpty else {
            trace.add(.cardKnown, .declined, reason: "no card with this sequence number")
            return ChosenPlastic(index: nil, candidates: [], declined: .unknownCard)
        }
        trace.add(.cardKnown, .approved, reason: record.profile(of: candidates[0]))
        let status = statusDecline(candidates)
        let expiry = expiryDecline(candidates, sent: message.request.expiry)
        // Of several without a chip to tell them apart, the first whose PIN they all have.
        let isClear = candidates.count == 1 || message.request.chip != nil
        let index = isClear || Set(candidates.map { record.plastic($0).pin }).count == 1 ? candidates[0] : nil
        return ChosenPlastic(index: index, candidates: candidates, declined: status ?? expiry)
    }

    /// Limits of every plastic that fits, its own or the range's: without a chip nobody knows which of them it is.
    func limits(_ chosen: ChosenPlastic) -> (first: SpendingLimits?, others: [SpendingLimits]) {
        guard let first = chosen.candidates.first else { return (policy.limits, []) }
        let limits = record.limits(of: first) ?? policy.limits
        return (limits, chosen.candidates.count > 1 ? otherLimits(chosen, than: limits) : [])
    }

    /// What an account spends is counted where any of its plastics is bounded by it: they spend the same money.
    var countsSpending: Bool {
        policy.limits?.isCounted == true
            || (0..<record.plasticCount).contains { record.limits(of: $0)?.isCounted == true }
    }

    /// Lost before stolen before restricted, each with its own reason, since the acquirer is told different things (keep
    /// the card, or hand it back). Every plastic that fits has to be active.
    mutating func statusDecline(_ candidates: [Int]) -> DeclineReason? {
        let all = [record.status] + candidates.map { record.plastic($0).status }
        // An account that has moved to another PAN is over: what it still owes is told to the new one.
        let worst =
            CardStatus.inOrder.dropFirst().first { all.contains($0) } ?? (record.isSealed ? .restricted : nil)
        trace.add(.cardStatus, worst == nil ? .approved : .declined, reason: (worst ?? .active).rawValue)
        switch worst {
        case nil, .active: return nil
        case .lost: return .cardLost
        case .stolen: return .cardStolen
        case .restricted: return .cardRestricted
        }
    }

    /// A card may be used until the last day of its expiry month, in the time zone of UTC.
    private mutating func expiryDecline(_ candidates: [Int], sent: ExpiryDate?) -> DeclineReason? {
        let month = ExpiryDate(unixSeconds: now)
        let dates = candidates.map { record.plastic($0).expiry }
        if dates.allSatisfy({ $0 < month }) {
            return trace.declined(.expiry, .cardExpired, reason: "expired")
        }
        if let sent, !dates.contains(sent) {
            return trace.declined(.expiry, .expiryDiffers, reason: "not the date of the card")
        }
        trace.add(.expiry, .approved, reason: sent == nil ? "valid, none sent" : "valid")
        return nil
    }

    /// What the window says of a verified ATC, and its mark there where it may pass.
    mutating func claimATC(_ atc: UInt16, plastic index: Int) -> ATCFinding {
        let place = record.windowPlace(index)
        var plastic = record.plastic(index)
        let finding = ATCWindow.finding(
            atc, highest: plastic.highestATC, jumpMax: policy.atcJumpMax, acceptsLate: policy.acceptsLateATC,
            bytes: record.bytes, at: place)
        guard finding == .first || finding == .ahead || finding == .late else { return finding }
        ATCWindow.claim(atc, highest: plastic.highestATC, bytes: &record.bytes, at: place)
        if finding != .late {
            plastic.highestATC = atc
            record.replacePlastic(index, plastic)
        }
        return finding
    }

    /// An ATC that the window knows, or may have forgotten: its transaction may be filed away.
    func mayHaveSeen(_ atc: UInt16, plastic index: Int) -> Bool {
        let plastic = record.plastic(index)
        return plastic.wasReset
            || plastic.highestATC != nil
                && ATCWindow.isSeen(atc, record.bytes, at: record.windowPlace(index))
    }
}

/// 48 bytes: sequence number, status, form of the PIN, index of the PVV's key (1 each), PVV (2), tries (2), reference
/// (8), expiry in months since 2000 (2), highest ATC (2), flags (1), eleven bytes for later, last script (4), twelve for
/// later.
extension Plastic {
    init(_ bytes: [UInt8], at place: Int) {
        sequenceNumber = bytes[place]
        let known = CardStatus(stored: bytes[place + 1])
        status = known ?? .restricted
        switch bytes[place + 2] {
        case 1:
            pin = .reference(EncipheredPINBlock(rawValue: bytes.load(place + 8, as: UInt64.self)))
        case 2:
            let value = PINVerificationValue(
                keyIndex: bytes[place + 3], digits: bytes.load(place + 4, as: UInt16.self))
            pin = value.map(PINOnRecord.verificationValue) ?? .none
        default: pin = .none
        }
        pinTriesMax = bytes[place + 6]
        pinTriesUsed = bytes[place + 7]
        let month = bytes.load(place + 16, as: UInt16.self)
        expiry = ExpiryDate(monthsSince2000: Int(month))
        highestATC = bytes[place + 20] & 1 != 0 ? bytes.load(place + 18, as: UInt16.self) : nil
        wasReset = bytes[place + 20] & 2 != 0
        lastScript = bytes.load(place + 32, as: UInt32.self)
        hasKnownForm = known != nil && bytes[place + 2] <= 2
    }

    func write(to bytes: inout [UInt8], at place: Int) {
        bytes[place] = sequenceNumber
        bytes[place + 1] = status.stored
        bytes[place + 3] = 0
        bytes.put(UInt16(0), at: place + 4)
        bytes.put(UInt64(0), at: place + 8)
        switch pin {
        case .none: bytes[place + 2] = 0
        case .reference(let block):
            bytes[place + 2] = 1
            bytes.put(block.rawValue, at: place + 8)
        case .verificationValue(let value):
            bytes[place + 2] = 2
            bytes[place + 3] = value.keyIndex
            bytes.put(value.digits, at: place + 4)
        }
        bytes[place + 6] = pinTriesMax
        bytes[place + 7] = pinTriesUsed
        bytes.put(UInt16(clamping: expiry.months), at: place + 16)
        bytes.put(highestATC ?? 0, at: place + 18)
        bytes[place + 20] = (highestATC == nil ? 0 : 1) | (wasReset ? 2 : 0)
        bytes.put(lastScript, at: place + 32)
    }
}

/// Which of a plastic's last 2,048 ATCs were seen: a ring of 256 bytes, one bit each.
enum ATCWindow {
    /// How far back single ATCs are known.
    static let count = 2_048
    /// Bytes in the record.
    static let byteCount = 256

    /// What the window says of an ATC.
    /// - Parameters:
    ///   - place: where the ring begins in the record.
    ///   - highest: nil before the first.
    static func finding(
        _ atc: UInt16, highest: UInt16?, jumpMax: Int, acceptsLate: Bool, bytes: [UInt8], at place: Int
    ) -> ATCFinding {
        guard let highest else { return .first }
        if atc > highest { return Int(atc - highest) > jumpMax ? .outOfRange : .ahead }
        if Int(highest - atc) >= count { return .outOfRange }
        if isSeen(atc, bytes, at: place) { return .replayed }
        return acceptsLate ? .late : .outOfRange
    }

    /// Marks an ATC, and clears the places between it and the highest, which belong to an earlier turn of the ring.
    static func claim(_ atc: UInt16, highest: UInt16?, bytes: inout [UInt8], at place: Int) {
        if let highest, atc > highest {
            clear(from: Int(highest) + 1, to: Int(atc), bytes: &bytes, at: place)
        }
        let bit = Int(atc) % count
        bytes[place + bit / 8] |= 0x80 >> UInt8(bit % 8)
    }

    static func isSeen(_ atc: UInt16, _ bytes: [UInt8], at place: Int) -> Bool {
        let bit = Int(atc) % count
        return bytes[place + bit / 8] & (0x80 >> UInt8(bit % 8)) != 0
    }
}

/// What a PIN block came to, from the token's answer to the answer's code.
package enum PINVerdict: Hashable, Sendable {
    case notSent
    case right
    case wrong
    /// Not a block of its format, or one for another PAN.
    case malformed(PINBlockFault)
    case notOnRecord
    case notServed(String)
    /// The record is of another form than the token was asked for.
    case otherForm

    /// The token's answer against the card's record. Constant time: both sides are one machine word each.
    static func compare(_ answer: PINAnswer, _ record: PINOnRecord) -> PINVerdict {
        switch (answer, record) {
        case (.notAsked, _): .notSent
        case (_, .none): .notOnRecord
        case (.unreadable(let fault), _): .malformed(fault)
        case (.notServed(let why), _): .notServed(why)
        case (.translated(let block), .reference(let reference)):
            (block.rawValue ^ reference.rawValue) == 0 ? .right : .wrong
        case (.verificationValue(let found), .verificationValue(let value))
        where found.keyIndex == value.keyIndex:
            (found.digits ^ value.digits) == 0 ? .right : .wrong
        case (.translated, .verificationValue), (.verificationValue, _): .otherForm
        }
    }

    /// The token has nothing to add. Under the wrong key a block is malformed, or by chance another PIN's; and a failed
    /// comparison may be a malformed block's.
    var isFinal: Bool {
        switch self {
        case .notSent, .right, .notOnRecord, .notServed: true
        case .wrong, .malformed, .otherForm: false
        }
    }
}

extension CardTransition {
    /// The PIN against the plastic's record, and its tries. A comparison is only heard while tries are left: with none,
    /// nothing is compared and nothing takes longer.
    mutating func checkPIN(
        _ message: CardMessage, _ knowledge: CardKnowledge, plastic index: Int?
    ) throws(CardQuestion) -> DeclineReason? {
        if case .notAsked = message.pin {
            trace.add(.pin, .skipped, reason: "none sent")
            return nil
        }
        guard let index else {
            return trace.declined(.pin, .pinNotOnRecord, reason: "several cards fit, with different PINs")
        }
        var plastic = record.plastic(index)
        guard plastic.pin == .none || plastic.pinTriesUsed < plastic.pinTriesMax else {
            trace.add(.pin, .skipped, reason: "no tries left")
            return .pinTriesExceeded
        }
        let verdict = try verdict(message, knowledge, pin: plastic.pin)
        guard verdict == .right else { return failPIN(verdict, plastic, index: index) }
        trace.add(.pin, .approved, reason: "right")
        plastic.pinTriesUsed = 0
        share(plastic, index)
        return nil
    }

    private func verdict(
        _ message: CardMessage, _ knowledge: CardKnowledge, pin: PINOnRecord
    ) throws(CardQuestion) -> PINVerdict {
        if let known = knowledge.pin, known.record == pin { return known.verdict }
        let first = PINVerdict.compare(message.pin, pin)
        guard first.isFinal else { throw .pin(pin) }
        return first
    }

    /// Plastics with one PIN have one count of tries: a guess at one is a guess at all.
    mutating func share(_ plastic: Plastic, _ index: Int) {
        for other in 0..<record.plasticCount {
            var its = record.plastic(other)
            guard other == index || its.pin == plastic.pin, its.pinTriesUsed != plastic.pinTriesUsed else {
                continue
            }
            its.pinTriesUsed = min(plastic.pinTriesUsed, its.pinTriesMax)
            record.replacePlastic(other, its)
        }
    }
}
