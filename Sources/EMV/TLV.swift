/// Chip data that is no BER-TLV (EMV Book 3 annex B). Names tag and offset, never a value.
package enum TLVError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The data ends within the tag or length of the object that begins at this offset.
    case truncatedHeader(offset: Int)
    /// The object says that it is longer than what is left of the data.
    case truncated(Tag, offset: Int, missing: Int)
    /// More than four tag bytes, or a tag byte that no tag may have (00 and FF, a leading 80).
    case badTag(offset: Int)
    /// Indefinite form, or more than four length bytes.
    case badLength(Tag, offset: Int)
    /// The tag stands in the data twice, with two values.
    case duplicate(Tag, offset: Int)
    /// More objects than `ICCData.objectsMax`.
    case tooManyObjects(offset: Int)
    /// More bytes than `ICCData.bytesMax`.
    case tooLong(count: Int)
    /// A value asked for by tag has another length than the tag's format says.
    case wrongCount(Tag, expected: Int, found: Int)
    /// A value asked for by tag is not there.
    case missing(Tag)

    /// One line for people.
    package var description: String {
        switch self {
        case .truncatedHeader(let offset): "TLV object at offset \(offset) is cut short in its tag or length"
        case .truncated(let tag, let offset, let missing):
            "tag \(tag) at offset \(offset) is cut short by \(missing) bytes"
        case .badTag(let offset): "bad tag at offset \(offset)"
        case .badLength(let tag, let offset): "bad length of tag \(tag) at offset \(offset)"
        case .duplicate(let tag, let offset):
            "tag \(tag) stands twice with different values, again at offset \(offset)"
        case .tooManyObjects(let offset): "too many TLV objects, at offset \(offset)"
        case .tooLong(let count): "chip data of \(count) bytes, at most \(ICCData.bytesMax) are read"
        case .wrongCount(let tag, let expected, let found):
            "tag \(tag) has \(found) bytes, \(expected) are expected"
        case .missing(let tag): "tag \(tag) is missing"
        }
    }
}

extension TLVReader {
    /// All objects of one level, duplicates included.
    package static func objects(in bytes: ArraySlice<UInt8>) throws(TLVError) -> [(Tag, ArraySlice<UInt8>)] {
        var reader = TLVReader()
        var objects: [(Tag, ArraySlice<UInt8>)] = []
        let base = bytes.startIndex
        try bytes.span.withUnsafeBytes { (raw) throws(TLVError) in
            while let object = try reader.next(raw) {
                let range = object.value
                objects.append((object.tag, bytes[base + range.lowerBound..<base + range.upperBound]))
            }
        }
        return objects
    }
}

/// Builds BER-TLV data with the shortest tags and lengths.
package struct TLVWriter: Sendable {
    /// What has been written.
    package private(set) var bytes: [UInt8] = []

    /// - Parameter count: bytes to make room for.
    package init(reserving count: Int = 0) { bytes.reserveCapacity(count) }

    /// Appends one object.
    /// - Parameter value: at most 65,535 bytes: longer values do not occur in EMV and would be a mistake of
    ///   the caller.
    package mutating func append(_ tag: Tag, _ value: some Collection<UInt8>) {
        appendHeader(tag, count: value.count)
        bytes.append(contentsOf: value)
    }

    /// Appends an object whose value is a number of one to eight bytes, big endian.
    package mutating func append(_ tag: Tag, number: UInt64, count: Int) {
        appendHeader(tag, count: count)
        for index in stride(from: count - 1, through: 0, by: -1) {
            bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index)))
        }
    }

    /// Appends tag 91.
    package mutating func append(_ data: IssuerAuthenticationData) {
        appendHeader(.issuerAuthenticationData, count: data.count)
        for index in 0..<data.count { bytes.append(data[index]) }
    }

    /// Appends tag 8A.
    package mutating func append(_ code: AuthorisationResponseCode) {
        append(.authorisationResponseCode, number: UInt64(code.rawValue), count: 2)
    }

    private mutating func appendHeader(_ tag: Tag, count: Int) {
        precondition(count <= 0xFFFF, "TLV value longer than 65,535 bytes")
        for index in stride(from: tag.byteCount - 1, through: 0, by: -1) {
            bytes.append(UInt8(truncatingIfNeeded: tag.rawValue >> UInt32(8 * index)))
        }
        if count >= 0x100 {
            bytes.append(0x82)
            bytes.append(UInt8(truncatingIfNeeded: count >> 8))
        } else if count >= 0x80 {
            bytes.append(0x81)
        }
        bytes.append(UInt8(truncatingIfNeeded: count))
    }
}

extension TLVReader {
    /// A length of more than one byte.
    mutating func readLongLength(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, tag: Tag, first: UInt8
    ) throws(TLVError) -> Int {
        let extra = Int(first & 0x7F)
        guard (1...4).contains(extra) else { throw .badLength(tag, offset: start) }
        guard extra <= bytes.count - offset else { throw .truncatedHeader(offset: start) }
        // A longer form than the length needs is right all the same (ISO/IEC 8825-1 8.1.3.5): cryptograms are over
        // values.
        var length = 0
        for index in offset..<offset + extra { length = length << 8 | Int(bytes[index]) }
        offset += extra
        return length
    }
}
