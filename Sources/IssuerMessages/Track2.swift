internal import Authorisation
internal import EMV
package import ISO8583

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
        var (digits, count) = (UInt64(0), 0)
        for byte in rest.dropFirst(7).prefix(16) {
            guard (0x30...0x39).contains(byte) else { break }
            digits = digits << 4 | UInt64(byte - 0x30)
            count += 1
        }
        discretionary = (count == 0 ? 0 : digits << UInt64(4 * (16 - count)), count)
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

/// Where the requests of a link carry CVV2: switches agree on no place, DE126 and DE48 are the usual ones.
package struct PrintedValuePlace: Sendable {
    /// The element.
    package let element: DataElement
    /// Characters of it before the three digits.
    package let offset: Int

    /// Takes both.
    package init(element: DataElement, offset: Int) {
        self.element = element
        self.offset = offset
    }

    /// Three digits in BCD; nil where there are none.
    func value(in message: Message) -> UInt16? {
        let found = message.reading(element) { bytes -> UInt16? in
            guard bytes.count >= offset + 3 else { return nil }
            var value: UInt16 = 0
            for byte in bytes[offset..<offset + 3] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value << 4 | UInt16(byte - 0x30)
            }
            return value
        }
        return found.flatMap { $0 }
    }
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
