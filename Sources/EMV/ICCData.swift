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

    struct Entry {
        let tag: UInt32
        let offset: UInt16
        let count: UInt16
    }

    package let bytes: ArraySlice<UInt8>
    let entries: [Entry]

    /// - Parameter bytes: the value of DE55; not copied.
    /// - Throws: `TLVError` with tag and offset.
    package init(parsing bytes: ArraySlice<UInt8>) throws(TLVError) {
        guard bytes.count <= ICCData.bytesMax else { throw .tooLong(count: bytes.count) }
        self.bytes = bytes
        entries = try bytes.span.withUnsafeBytes { (raw) throws(TLVError) in try ICCData.index(raw) }
    }

    private static func index(_ raw: UnsafeRawBufferPointer) throws(TLVError) -> [Entry] {
        var entries: [Entry] = []
        entries.reserveCapacity(24)
        var reader = TLVReader()
        // One bit for every 64 tags: only tags that fall on the same bit have to be compared.
        var seen: UInt64 = 0
        while let object = try reader.next(raw) {
            let tag = object.tag.rawValue
            let bit = UInt64(1) << UInt64((tag ^ tag >> 6) & 63)
            if seen & bit != 0, let known = entries.first(where: { $0.tag == tag }) {
                guard isSame(known, object.value, raw: raw) else {
                    throw .duplicate(object.tag, offset: object.start)
                }
                continue
            }
            seen |= bit
            guard entries.count < objectsMax else { throw .tooManyObjects(offset: object.start) }
            entries.append(
                Entry(
                    tag: tag, offset: UInt16(object.value.lowerBound), count: UInt16(object.value.count)))
        }
        return entries
    }

    /// The value of a tag, nil where it is absent.
    package subscript(tag: Tag) -> ArraySlice<UInt8>? {
        guard let entry = entry(tag) else { return nil }
        let start = bytes.startIndex + Int(entry.offset)
        return bytes[start..<start + Int(entry.count)]
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

    func entry(_ tag: Tag) -> Entry? {
        for entry in entries where entry.tag == tag.rawValue { return entry }
        return nil
    }

    /// The value as a big-endian number, nil where it is absent or has not exactly `count` bytes.
    func number<Number: FixedWidthInteger>(_ tag: Tag, count: Int = Number.bitWidth / 8) -> Number? {
        withValue(of: tag, count: count) { $0.reduce(0) { $0 << 8 | Number($1) } }
    }
}

extension ICCData {
    /// Tag 9F36.
    package var atc: ApplicationTransactionCounter? {
        number(.applicationTransactionCounter).map(ApplicationTransactionCounter.init(rawValue:))
    }

    /// Tag 9F37.
    package var unpredictableNumber: UnpredictableNumber? {
        number(.unpredictableNumber).map(UnpredictableNumber.init(rawValue:))
    }

    /// Tag 9F26.
    package var cryptogram: ApplicationCryptogram? {
        number(.applicationCryptogram).map(ApplicationCryptogram.init(rawValue:))
    }

    /// Tag 9F27, nil also for the reserved kind.
    package var cryptogramKind: CryptogramKind? {
        number(.cryptogramInformationData).flatMap(CryptogramKind.init(cryptogramInformationData:))
    }

    /// Tag 9F02 in minor units, nil where it is absent or not decimal.
    package var amountAuthorised: UInt64? { number(.amountAuthorised, count: 6).flatMap(decimal) }

    /// Tag 5F2A as a number, nil where it is absent or not decimal.
    package var transactionCurrencyCode: UInt16? { number(.transactionCurrencyCode).flatMap(decimal) }

    /// Tag 9F1A as a number, nil where it is absent or not decimal.
    package var terminalCountryCode: UInt16? { number(.terminalCountryCode).flatMap(decimal) }

    /// Tag 9F34.
    package var cvmResults: CVMResults? {
        number(.cardholderVerificationMethodResults, count: 3).map(CVMResults.init(rawValue:))
    }

    /// Tag 5F34.
    package var panSequenceNumber: PANSequenceNumber? {
        number(.panSequenceNumber).flatMap(PANSequenceNumber.init(bcd:))
    }

    /// Tag 95 as one number; nil where it is absent or not of five bytes.
    package var terminalVerificationResults: UInt64? { number(.terminalVerificationResults, count: 5) }

    func decimal<Number: FixedWidthInteger>(_ packed: Number) -> Number? {
        var value: Number = 0
        for shift in stride(from: Number.bitWidth - 4, through: 0, by: -4) {
            let digit = packed >> Number(shift) & 0x0F
            guard digit <= 9 else { return nil }
            value = value * 10 + digit
        }
        return value
    }
}

/// Walks over the objects of one level. Bytes of 00 before, between and after them are passed over (EMV Book 3 annex
/// B1): senders fill up with them. Duplicates are the caller's matter: within a script template the tag
/// 86 may repeat (EMV Book 3 10.10), within DE55 nothing may.
package struct TLVReader: Sendable {
    /// One object: where it begins, its tag, where its value is.
    package struct Object: Sendable {
        /// Offset of the first tag byte.
        package let start: Int
        package let tag: Tag
        /// Offsets of the value.
        package let value: Range<Int>
    }

    var offset = 0

    package init() {}

    /// The next object, nil at the end.
    /// - Parameter bytes: the same bytes each time.
    package mutating func next(_ bytes: UnsafeRawBufferPointer) throws(TLVError) -> Object? {
        while offset < bytes.count, bytes[offset] == 0 { offset &+= 1 }
        guard offset < bytes.count else { return nil }
        let start = offset
        let tag = try readTag(bytes, start)
        let length = try readLength(bytes, start, tag: tag)
        // Offsets and lengths are far from the ends of Int: what is checked is that they are within the bytes.
        let left = bytes.count &- offset
        guard length <= left else { throw .truncated(tag, offset: start, missing: length - left) }
        let value = Range(uncheckedBounds: (offset, offset &+ length))
        offset &+= length
        return Object(start: start, tag: tag, value: value)
    }

    private mutating func readTag(_ bytes: UnsafeRawBufferPointer, _ start: Int) throws(TLVError) -> Tag {
        let first = bytes[offset]
        // FF is no tag; 00 has been passed over.
        guard first != 0xFF else { throw .badTag(offset: start) }
        offset &+= 1
        var value = UInt32(first)
        guard first & 0x1F == 0x1F else { return Tag(rawValue: value) }
        while true {
            guard offset &- start < 4 else { throw .badTag(offset: start) }
            guard offset < bytes.count else { throw .truncatedHeader(offset: start) }
            let byte = bytes[offset]
            // A second byte of 80 would be a leading zero of the tag number (ISO/IEC 8825-1 8.1.2.4.2).
            guard offset > start &+ 1 || byte != 0x80 else { throw .badTag(offset: start) }
            offset &+= 1
            value = value << 8 | UInt32(byte)
            if byte & 0x80 == 0 { return Tag(rawValue: value) }
        }
    }

    private mutating func readLength(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, tag: Tag
    ) throws(TLVError) -> Int {
        guard offset < bytes.count else { throw .truncatedHeader(offset: start) }
        let first = bytes[offset]
        offset &+= 1
        return first < 0x80 ? Int(first) : try readLongLength(bytes, start, tag: tag, first: first)
    }
}

/// A BER-TLV tag of one to four bytes (EMV Book 3 annex B1), as the bytes read big endian.
package struct Tag: Hashable, Sendable, RawRepresentable, CustomStringConvertible {
    /// `0x9F26` for tag 9F26.
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Application transaction counter (tag 9F36): the card counts its transactions, 1…65,535.
package struct ApplicationTransactionCounter: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }
}

/// Unpredictable number of the terminal (tag 9F37), four bytes.
package struct UnpredictableNumber: Hashable, Sendable {
    /// The four bytes, big endian.
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Application cryptogram (tag 9F26), eight bytes.
package struct ApplicationCryptogram: Hashable, Sendable {
    /// The eight bytes, big endian.
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// What kind of cryptogram the card gave (tag 9F27, bits 8 and 7; EMV Book 3 table 14).
package enum CryptogramKind: Sendable, CustomStringConvertible {
    /// Declined by the card.
    case aac
    /// Approved by the card, offline.
    case tc
    /// The card asks the issuer.
    case arqc

    /// - Parameter cryptogramInformationData: the byte; nil for the value that is reserved.
    package init?(cryptogramInformationData: UInt8) {
        switch cryptogramInformationData >> 6 {
        case 0: self = .aac
        case 1: self = .tc
        case 2: self = .arqc
        default: return nil
        }
    }
}

extension CVMResults {
    /// The terminal says that the card itself has found the PIN right (methods 1, 3, 4 and 5; EMV Book 3 C3).
    package var claimsOfflinePIN: Bool { [1, 3, 4, 5].contains(method) && result == 2 }
}

extension IssuerApplicationData {
    /// The card verification results of a profile's format as one number, big endian.
    package func cardVerificationResultsValue(in format: IssuerApplicationDataFormat) -> UInt64 {
        let range = format.places.results
        guard range.upperBound <= bytes.count else { return 0 }
        return bytes[bytes.startIndex + range.lowerBound..<bytes.startIndex + range.upperBound]
            .reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// CVM Results, tag 9F34 (EMV Book 4 A4): method, condition, result.
package struct CVMResults: Hashable, Sendable {
    /// The three bytes, the first one highest.
    package let rawValue: UInt32

    /// - Parameter rawValue: the low 24 bits count.
    package init(rawValue: UInt32) { self.rawValue = rawValue & 0x00FF_FFFF }

    /// Bits 6 to 1 of the method (EMV Book 3 C3).
    package var method: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 16) & 0x3F }
}
