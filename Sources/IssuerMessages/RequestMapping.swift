internal import Authorisation
internal import EMV
package import ISO8583

/// From messages to requests, for one link.
package final class RequestMapping: Sendable {
    let link: LinkProfile

    /// - Parameter link: whose messages these are.
    package init(link: LinkProfile) { self.link = link }

    /// - Parameters:
    ///   - receivedAt: monotonic nanoseconds at which the message was whole.
    ///   - answerBy: by when it has to be answered, on the same clock.
    package func interpret(
        _ message: Message, receivedAt: UInt64, answerBy: UInt64
    ) throws(MappingError) -> IncomingMessage {
        if let purpose = try message.purpose() {
            guard let kind = message.transactionKind() ?? (purpose.isReversal ? .purchase : nil) else {
                return unsupported(message)
            }
            return .authorise(
                try request(message, purpose, kind: kind, receivedAt: receivedAt, answerBy: answerBy))
        }
        // Requests, advices and the repeats of both: 0800, 0801, 0820, 0821.
        if message.mti.isRequest, message.mti.messageClass == .networkManagement {
            return .answer(link.responses.networkManagement(message))
        }
        return unsupported(message)
    }

    private func request(
        _ message: Message, _ purpose: RequestPurpose, kind: TransactionKind, receivedAt: UInt64,
        answerBy: UInt64
    ) throws(MappingError) -> AuthorisationRequest {
        let track2 = try Track2(message)
        let chip = try chipData(message, purpose)
        let pan = try pan(message, track2)
        let sequenceNumber = try sequenceNumber(message, chip)
        let amount = try amount(message, purpose, kind: kind)
        guard message.number(.stan) != nil else { throw MappingError(.stan, "missing or not decimal") }
        let expiry = try expiry(message, track2)
        // Nobody waits at a keyboard for what has happened already.
        let pin = purpose == .decision ? try link.pinQuestion(message) : nil
        // The transaction that an advice settles, a completion completes or a reversal undoes.
        let isOfEarlier = purpose != .decision || kind == .completion
        let original = isOfEarlier ? try message.original(link: link.name) : nil
        let nonChip = nonChip(message, kind, track2: track2, hasChip: chip != nil)
        return AuthorisationRequest(
            link: link.name, card: CardIdentity(pan: pan, panSequenceNumber: sequenceNumber), expiry: expiry,
            amount: amount,
            // What is given back is what was booked.
            billing: kind == .balanceEnquiry || purpose.isReversal ? nil : try message.billing(),
            transmission: message.transmission(purpose, kind, link: link.name),
            retrievalReferenceNumber: message.printable(.retrievalReferenceNumber), chip: chip,
            pin: pin, nonChip: nonChip,
            authentication: chip == nil ? link.authentication?.evidence(message, nonChip) : nil,
            circumstances: try circumstances(message, kind, chip: chip, verifiesOnline: pin != nil),
            purpose: purpose, original: original, receivedAt: receivedAt,
            deadline: Deadline(nanoseconds: answerBy))
    }

    /// A request with chip data needs the entry mode alone.
    private func nonChip(
        _ message: Message, _ kind: TransactionKind, track2: Track2?, hasChip: Bool
    ) -> NonChipEvidence? {
        let entry = message.cardEntry
        guard hasChip else { return link.evidence(message, kind, entry: entry, track2: track2) }
        return entry == .chip || entry == .unknown ? nil : NonChipEvidence(entry: entry)
    }

    /// What is absent or unreadable there decides nothing: these elements are not needed for an authorisation.
    private func circumstances(
        _ message: Message, _ kind: TransactionKind, chip: ICCData?, verifiesOnline: Bool
    ) throws(MappingError) -> Circumstances {
        var found = Circumstances()
        found.kind = kind
        if kind == .purchaseWithCashBack {
            found.cashBackMinorUnits =
                try AdditionalAmount.cash(in: message) ?? chip?.amountOther.map { Int64(clamping: $0) }
        }
        if message.has(.additionalData) || message.has(.privateData60) {
            found.allowsPartialApproval = link.partialApproval.allows(message)
        }
        found.merchantCategory = message.merchantCategory
        found.country =
            chip?.terminalCountryCode ?? message.number(.acquirerCountry).flatMap { UInt16(exactly: $0) }
        found.isContactless = message.isContactless
        found.isCardholderVerified = verifiesOnline || chip?.cvmResults?.isCardholderVerified == true
        return found
    }

    private func chipData(
        _ message: Message, _ purpose: RequestPurpose
    ) throws(MappingError) -> ICCData? {
        guard let bytes = message.bytes(.iccData) else { return nil }
        do { return try ICCData(parsing: bytes) } catch {
            // A reversal does not rest on it.
            if purpose.isReversal { return nil }
            throw MappingError(.iccData, error.description)
        }
    }

    private func pan(_ message: Message, _ track2: Track2?) throws(MappingError) -> PAN {
        guard let bytes = message.bytes(.pan) else {
            guard let track2 else { throw MappingError(.pan, "missing, and no DE35") }
            return track2.pan
        }
        if let track2, track2.panDigits == bytes { return track2.pan }
        let pan: PAN
        do { pan = try PAN(ascii: bytes) } catch { throw MappingError(.pan, error.description) }
        if track2 != nil { throw MappingError(.track2, "its PAN is not that of DE2") }
        return pan
    }

    private func expiry(_ message: Message, _ track2: Track2?) throws(MappingError) -> ExpiryDate? {
        guard let bytes = message.bytes(.expirationDate) else { return track2?.expiry }
        guard let expiry = ExpiryDate(ascii: bytes) else {
            throw MappingError(.expirationDate, "not YYMM with a month of 01 to 12")
        }
        return expiry
    }

    private func sequenceNumber(
        _ message: Message, _ chip: ICCData?
    ) throws(MappingError) -> PANSequenceNumber? {
        let onCard = chip?.panSequenceNumber
        guard message.has(.panSequenceNumber) else { return onCard }
        guard let number = message.number(.panSequenceNumber).flatMap({ UInt8(exactly: $0) }),
            let sequenceNumber = PANSequenceNumber(rawValue: number)
        else { throw MappingError(.panSequenceNumber, "not 000 to 099") }
        if let onCard, onCard != sequenceNumber {
            throw MappingError(.panSequenceNumber, "not that of tag 5F34")
        }
        return sequenceNumber
    }

    private func amount(
        _ message: Message, _ purpose: RequestPurpose, kind: TransactionKind
    ) throws(MappingError) -> Amount {
        let isLeftOut = kind == .balanceEnquiry && !message.has(.transactionAmount)
        if purpose.isReversal { return try message.reversedAmount(purpose, isLeftOut: isLeftOut) }
        return try message.amount(minorUnits: isLeftOut ? 0 : message.number(.transactionAmount))
    }
}

extension Message {
    /// Lends the content of an element; nil if it is absent. Here and not where messages are made: only what stands in the
    /// module that uses it is compiled for its types.
    func reading<Result>(_ element: DataElement, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        bytes(element).map { $0.withUnsafeBytes(body) }
    }

    /// An amount in the currency of DE49, or in one that is known without it.
    func amount(minorUnits: UInt64?, currency known: UInt16? = nil) throws(MappingError) -> Amount {
        guard let number = known ?? number(.currency).flatMap({ UInt16(exactly: $0) }),
            let currency = CurrencyCode(rawValue: number)
        else { throw MappingError(.currency, "missing or no numeric currency code") }
        guard let amount = minorUnits.flatMap({ Amount(minorUnits: Int64(clamping: $0), currency: currency) })
        else { throw MappingError(.transactionAmount, "missing or not twelve digits") }
        return amount
    }

    /// What the cardholder pays. Without DE51 nobody knows what DE6 counts.
    func billing() throws(MappingError) -> CardholderBilling? {
        has(.cardholderBillingCurrency) && has(.cardholderBillingAmount) ? try readBilling() : nil
    }

    /// A decimal element as a number, nil where it is absent, empty, not decimal or over 18 digits.
    func number(_ element: DataElement) -> UInt64? {
        let value = reading(element) { bytes -> UInt64? in
            guard (1...18).contains(bytes.count) else { return nil }
            var value: UInt64 = 0
            for byte in bytes {
                let digit = byte &- 0x30
                guard digit <= 9 else { return nil }
                value = value * 10 + UInt64(digit)
            }
            return value
        }
        return value.flatMap { $0 }
    }

    /// The element with everything but letters and digits left out: safe as part of a key or journal line.
    func printable(_ element: DataElement) -> [UInt8] {
        var text: [UInt8] = []
        _ = reading(element) { bytes in
            text.reserveCapacity(bytes.count)
            for byte in bytes where byte &- 0x30 <= 9 || (byte | 0x20) &- 0x61 < 26 { text.append(byte) }
        }
        return text
    }
}

extension RequestPurpose {
    fileprivate var isReversal: Bool {
        if case .reversal = self { true } else { false }
    }
}

/// Track 2 (ISO/IEC 7813): PAN, separator, expiry date, service code, discretionary data. Never described, never logged
/// and kept no longer than its request.
///
/// Senders leave around it what readers and chips put there: sentinels and the check digit, the F of tag 57, a 0 that
/// made whole bytes of an odd number of digits. None of that is part of the track.
struct Track2: CustomReflectable {
    let pan: PAN
    /// Its digits as they came: DE2 with the same ones needs no reading of its own.
    let panDigits: ArraySlice<UInt8>
    let expiry: ExpiryDate?
    /// YYMM in BCD; nil where it is none.
    let expiryDigits: UInt16?
    /// Three digits in BCD; nil where it is cut short.
    let serviceCode: UInt16?
    /// At most sixteen digits in BCD, left-aligned, and how many they are.
    let discretionary: (digits: UInt64, count: Int)

    init?(_ message: Message) throws(MappingError) {
        guard let sent = message.bytes(.track2), !sent.isEmpty else { return nil }
        let bytes = Track2.bare(sent)
        guard bytes.count <= Track2.charactersMax else {
            throw MappingError(.track2, "longer than \(Track2.charactersMax) characters")
        }
        guard let separator = bytes.firstIndex(where: Track2.isSeparator)
        else { throw MappingError(.track2, "no separator") }
        panDigits = bytes[..<separator]
        do { pan = try PAN(ascii: panDigits) } catch {
            throw MappingError(.track2, error.description)
        }
        let rest = bytes[(separator + 1)...]
        expiry = ExpiryDate(ascii: rest.prefix(4))
        expiryDigits = Track2.number(rest.prefix(4), count: 4)
        serviceCode = Track2.number(rest.dropFirst(4).prefix(3), count: 3)
        let digits = rest.dropFirst(7).prefix(16).prefix { (0x30...0x39).contains($0) }
        let value = digits.reduce(UInt64(0)) { $0 << 4 | UInt64($1 - 0x30) }
        discretionary = (digits.isEmpty ? 0 : value << UInt64(4 * (16 - digits.count)), digits.count)
    }

    /// Sentinels not counted.
    private static let charactersMax = 37

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "=") || byte | 0x20 == UInt8(ascii: "d")
    }

    private static func bare(_ sent: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var track = sent
        if track.first == UInt8(ascii: ";") { track = track.dropFirst() }
        // Behind the end sentinel stands the check digit. A stripe's nibble F is that sentinel, a chip's fills up.
        let end = track.firstIndex { $0 == UInt8(ascii: "?") || $0 | 0x20 == UInt8(ascii: "f") }
        if let end { track = track[..<end] }
        while let last = track.last, last == 0x20 || last == 0 { track = track.dropLast() }
        guard track.count.isMultiple(of: 2) else { return track }
        // No PAN begins with 0: it made whole bytes of an odd number of digits.
        if track.first == UInt8(ascii: "0") { return track.dropFirst() }
        if track.count == charactersMax + 1, track.last == UInt8(ascii: "0") { track = track.dropLast() }
        return track
    }

    private static func number(_ ascii: ArraySlice<UInt8>, count: Int) -> UInt16? {
        guard ascii.count == count, ascii.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return ascii.reduce(0) { $0 << 4 | UInt16($1 - 0x30) }
    }

    /// Empty, so that a dump shows nothing.
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension CardEntry {
    /// ISO 8583:1987 DE22, positions 1 and 2, with the values that the field has added: 80 fallback, 81 electronic
    /// commerce, 10 credentials on file.
    init(entryMode: UInt64?) {
        self =
            switch entryMode.map({ $0 / 10 }) {
            case 5, 7, 95: .chip
            case 2, 90: .magneticStripe
            case 80: .fallback
            case 91: .contactlessStripe
            case 1, 10, 81: .cardNotPresent
            default: .unknown
            }
    }
}
