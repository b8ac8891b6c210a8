/// The TLV objects of DE55, parsed once. Constructed objects are kept whole; an object that comes twice with the same
/// value is one.
///
/// The objects are found through a flat table of tag, offset and length: some twenty of them, for which a
/// scan is quicker than any dictionary. The bytes are shared with the message they came in.
package struct ICCData: Sendable, CustomStringConvertible, CustomReflectable {
    /// No card sends more; a message that does is refused.
    package static let objectsMax = 64
    /// DE55 has at most 255 bytes in most dialects and 999 in the widest.
    package static let bytesMax = 4096

    private struct Entry {
        let tag: UInt32
        let offset: UInt16
        let count: UInt16
    }

    /// All bytes, as received.
    package let bytes: ArraySlice<UInt8>
    private let entries: [Entry]

    /// - Parameter bytes: the value of DE55; not copied.
    /// - Throws: `TLVError` with tag and offset.
    package init(parsing bytes: ArraySlice<UInt8>) throws(TLVError) {
        guard bytes.count <= ICCData.bytesMax else { throw .tooLong(count: bytes.count) }
        self.bytes = bytes
        entries = try bytes.span.withUnsafeBytes { (raw) throws(TLVError) in try ICCData.index(raw) }
    }

    /// How many objects there are: one of them may be the card's number or its track.
    package var description: String { "chip data of \(entries.count) objects" }
    /// Empty, so that a dump or a failed expectation shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// The same for a whole array.
    package init(parsing bytes: [UInt8]) throws(TLVError) { try self.init(parsing: bytes[...]) }

    private static func index(_ raw: UnsafeRawBufferPointer) throws(TLVError) -> [Entry] {
        var entries: [Entry] = []
        entries.reserveCapacity(24)
        var reader = TLVReader()
        // One bit for every 64 tags: only tags that fall on the same bit have to be compared.
        var seen: UInt64 = 0
        while let object = try reader.next(raw) {
            let tag = object.tag.rawValue
            let bit = UInt64(1) << UInt64((tag ^ tag >> 6) & 63)
            if seen & bit != 0 {
                let known = entries.first { $0.tag == tag }
                if let known {
                    guard isSame(known, object.value, raw: raw) else {
                        throw .duplicate(object.tag, offset: object.start)
                    }
                    continue
                }
            }
            seen |= bit
            guard entries.count < objectsMax else { throw .tooManyObjects(offset: object.start) }
            entries.append(
                Entry(
                    tag: tag, offset: UInt16(object.value.lowerBound), count: UInt16(object.value.count)))
        }
        return entries
    }

    private static func isSame(_ known: Entry, _ value: Range<Int>, raw: UnsafeRawBufferPointer) -> Bool {
        let start = Int(known.offset)
        return raw[start..<start + Int(known.count)].elementsEqual(raw[value])
    }

    /// The value of a tag, nil where it is absent.
    package subscript(tag: Tag) -> ArraySlice<UInt8>? {
        guard let entry = entry(tag) else { return nil }
        let start = bytes.startIndex + Int(entry.offset)
        return bytes[start..<start + Int(entry.count)]
    }

    /// The value of a tag whose length the format fixes.
    /// - Throws: `.missing` or `.wrongCount`, with the tag.
    package func value(of tag: Tag, expectedCount count: Int) throws(TLVError) -> ArraySlice<UInt8> {
        guard let value = self[tag] else { throw .missing(tag) }
        guard value.count == count else {
            throw .wrongCount(tag, expected: count, found: value.count)
        }
        return value
    }

    /// Lends the value of a tag without counting references; nil where it is absent or has not exactly
    /// `count` bytes.
    func withValue<Result>(
        of tag: Tag, count: Int, body: (UnsafeRawBufferPointer) -> Result
    ) -> Result? {
        guard let entry = entry(tag), Int(entry.count) == count else { return nil }
        let range = Int(entry.offset)..<Int(entry.offset) + count
        return bytes.span.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// The tags in the order in which they came.
    package var tags: [Tag] { entries.map { Tag(rawValue: $0.tag) } }

    /// The tag is not there, or has no value.
    package func isLeftOut(_ tag: Tag) -> Bool { entry(tag).map { $0.count == 0 } ?? true }

    /// True if the tag is there.
    package func has(_ tag: Tag) -> Bool { entry(tag) != nil }

    private func entry(_ tag: Tag) -> Entry? {
        for entry in entries where entry.tag == tag.rawValue { return entry }
        return nil
    }

    /// The value as a big-endian number, nil where it is absent or has not exactly `count` bytes (1…8).
    package func number(_ tag: Tag, count: Int) -> UInt64? {
        withValue(of: tag, count: count) { raw in
            var value: UInt64 = 0
            for byte in raw { value = value << 8 | UInt64(byte) }
            return value
        }
    }
}

extension ICCData {
    /// Tag 9F36.
    package var atc: ApplicationTransactionCounter? {
        number(.applicationTransactionCounter, count: 2).map {
            ApplicationTransactionCounter(rawValue: UInt16(truncatingIfNeeded: $0))
        }
    }

    /// Tag 9F37.
    package var unpredictableNumber: UnpredictableNumber? {
        number(.unpredictableNumber, count: 4).map {
            UnpredictableNumber(rawValue: UInt32(truncatingIfNeeded: $0))
        }
    }

    /// Tag 9F26.
    package var cryptogram: ApplicationCryptogram? {
        number(.applicationCryptogram, count: 8).map(ApplicationCryptogram.init(rawValue:))
    }

    /// Tag 9F27, nil also for the reserved kind.
    package var cryptogramKind: CryptogramKind? {
        number(.cryptogramInformationData, count: 1).flatMap {
            CryptogramKind(cryptogramInformationData: UInt8(truncatingIfNeeded: $0))
        }
    }

    /// Tag 9F02 in minor units, nil where it is absent or not decimal.
    package var amountAuthorised: UInt64? { number(.amountAuthorised, count: 6).flatMap(decimal) }

    /// Tag 9F03 in minor units, nil where it is absent or not decimal.
    package var amountOther: UInt64? { number(.amountOther, count: 6).flatMap(decimal) }

    /// Tag 5F2A as a number, nil where it is absent or not decimal.
    package var transactionCurrencyCode: UInt16? {
        number(.transactionCurrencyCode, count: 2).flatMap(decimal).map { UInt16(truncatingIfNeeded: $0) }
    }

    /// Tag 9F1A as a number, nil where it is absent or not decimal.
    package var terminalCountryCode: UInt16? {
        number(.terminalCountryCode, count: 2).flatMap(decimal).map { UInt16(truncatingIfNeeded: $0) }
    }

    /// Tag 9F34.
    package var cvmResults: CVMResults? {
        number(.cardholderVerificationMethodResults, count: 3).map {
            CVMResults(rawValue: UInt32(truncatingIfNeeded: $0))
        }
    }

    /// Tag 5F34.
    package var panSequenceNumber: PANSequenceNumber? {
        number(.panSequenceNumber, count: 1).flatMap { PANSequenceNumber(bcd: UInt8(truncatingIfNeeded: $0)) }
    }

    /// Tag 91, nil where it is absent or not of 8…16 bytes.
    package var issuerAuthenticationData: IssuerAuthenticationData? {
        self[.issuerAuthenticationData].flatMap { IssuerAuthenticationData(bytes: $0) }
    }

    /// Tag 8A, nil where it is absent or not of two bytes.
    package var authorisationResponseCode: AuthorisationResponseCode? {
        number(.authorisationResponseCode, count: 2).map {
            AuthorisationResponseCode(rawValue: UInt16(truncatingIfNeeded: $0))
        }
    }

    private func decimal(_ packed: UInt64) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = packed >> UInt64(shift) & 0x0F
            guard digit <= 9 else { return nil }
            value = value * 10 + digit
        }
        return value
    }
}
