package import EMV

/// One record of function library 7 of the store: a record for each PAN and sequence number, with a balance of its own.
///
/// The hash has `st` status, `ex` expiry, `pr` PIN, `pm` and `pu` tries, `ah` highest ATC, `av` available, `cu` currency,
/// `pf` profile, `li` limits, `sc` scripts, `sn` the last script's number, `sp` what was spent by day, `an` kept answers and
/// `tk` older takings, both newest first and 47 bytes each, `er` reversals that came first, 21 bytes each.
package struct OldCard: Sendable {
    /// The name of the record: a keyed hash of PAN and sequence number.
    package let name: CardToken
    /// 0…99.
    package let sequenceNumber: UInt8
    /// Of this card alone.
    package let availableMinorUnits: Int64
    /// Of this card alone.
    package let currency: CurrencyCode
    let plastic: Plastic
    /// The last month in which it may be used.
    package var expiry: ExpiryDate { plastic.expiry }
    let window: [UInt8]
    let profile: String
    /// The label of IMK-AC; empty where it is not known.
    package let issuerMasterKey: String
    let limits: [UInt8]
    let scripts: [QueuedScript]
    let days: SpentDays
    /// Newest first.
    let answers: [OldAnswer]
    let early: [OldEarlyReversal]
    /// Older takings may have been given up.
    let isFull: Bool

    private static let takingsMax = 64

    /// Reads the fields of the hash and the bits of the ATC window beside it.
    /// - Throws: naming the field that is no such thing.
    package init(
        name: CardToken, sequenceNumber: UInt8, fields: [String: [UInt8]], window: [UInt8],
        issuerMasterKey: String
    ) throws(RecordDamage) {
        let fields = OldFields(fields)
        (self.name, self.sequenceNumber, self.issuerMasterKey) = (name, sequenceNumber, issuerMasterKey)
        availableMinorUnits = try fields.number("av")
        guard let currency = UInt16(exactly: try fields.number("cu")).flatMap(CurrencyCode.init(rawValue:))
        else { throw RecordDamage("cu is no currency") }
        self.currency = currency
        profile = fields.text("pf")
        limits = fields["li"]
        scripts = QueuedScript.list(stored: fields["sc"][...])
        let scriptCount = fields["sc"].count { $0 == UInt8(ascii: "|") }
        guard scripts.count == scriptCount else { throw RecordDamage("sc has a script that cannot be read") }
        guard window.count <= ATCWindow.byteCount else { throw RecordDamage("the ATC window is too long") }
        self.window =
            window + [UInt8](repeating: 0, count: ATCWindow.byteCount - window.count)
        plastic = try OldCard.plastic(sequenceNumber, fields)
        days = SpentDays(try OldCard.days(fields.text("sp")))
        let takings = try OldAnswer.list(fields["tk"], "tk")
        answers = try OldAnswer.list(fields["an"], "an") + takings
        early = try OldEarlyReversal.list(fields["er"])
        isFull = takings.count >= Self.takingsMax
    }

    private static func plastic(_ number: UInt8, _ fields: OldFields) throws(RecordDamage) -> Plastic {
        guard let status = CardStatus(rawValue: fields.text("st")) else {
            throw RecordDamage("st is no status")
        }
        guard let expiry = ExpiryDate(ascii: fields["ex"]) else { throw RecordDamage("ex is no month") }
        guard let triesMax = UInt8(exactly: try fields.number("pm")),
            let used = UInt8(exactly: try fields.number("pu", or: 0)), used <= triesMax
        else { throw RecordDamage("pm or pu out of bounds") }
        var plastic = Plastic(
            sequenceNumber: number, status: status, expiry: expiry, pin: try pin(fields.text("pr")),
            pinTriesMax: triesMax)
        plastic.pinTriesUsed = used
        if !fields["ah"].isEmpty {
            guard let highest = UInt16(exactly: try fields.number("ah")) else {
                throw RecordDamage("ah is no ATC")
            }
            plastic.highestATC = highest
        }
        guard let last = UInt32(exactly: try fields.number("sn", or: 0)) else {
            throw RecordDamage("sn out of bounds")
        }
        plastic.lastScript = last
        return plastic
    }

    /// A reference block in hexadecimal digits, or `v`, the key's index and four digits; empty without an online PIN.
    private static func pin(_ text: String) throws(RecordDamage) -> PINOnRecord {
        if text.isEmpty { return .none }
        if text.utf8.count == 6, text.first == "v", let number = UInt32(text.dropFirst(), radix: 16),
            let value = PINVerificationValue(
                keyIndex: UInt8(truncatingIfNeeded: number >> 16),
                digits: UInt16(truncatingIfNeeded: number))
        {
            return .verificationValue(value)
        }
        guard let block = UInt64(text, radix: 16) else { throw RecordDamage("pr is no PIN reference") }
        return .reference(EncipheredPINBlock(rawValue: block))
    }

    /// `day amount count cash cashes;` for each day, newest first.
    private static func days(_ text: String) throws(RecordDamage) -> [SpentDays.Day] {
        var days: [SpentDays.Day] = []
        for part in text.split(separator: ";") {
            let numbers = part.split(separator: " ").compactMap { Int64($0) }
            // Sums of them have to fit.
            guard numbers.count == 5, numbers.allSatisfy({ (0...1 << 56).contains($0) }),
                let day = UInt16(exactly: numbers[0]),
                let count = UInt32(exactly: numbers[2]), let cashCount = UInt32(exactly: numbers[4])
            else { throw RecordDamage("sp has a day that cannot be read") }
            days.append(
                SpentDays.Day(
                    day: day, minorUnits: numbers[1], count: count, cashMinorUnits: numbers[3],
                    cashCount: cashCount))
        }
        return days
    }
}

/// The fields of a hash; one that is missing is empty.
private struct OldFields {
    private let fields: [String: [UInt8]]

    init(_ fields: [String: [UInt8]]) { self.fields = fields }

    subscript(name: String) -> [UInt8] { fields[name] ?? [] }

    func text(_ name: String) -> String { String(decoding: self[name], as: UTF8.self) }

    func number(_ name: String, or absent: Int64? = nil) throws(RecordDamage) -> Int64 {
        if let absent, self[name].isEmpty { return absent }
        guard let number = Int64(text(name)) else { throw RecordDamage("\(name) is no number") }
        return number
    }
}
