/// One ISO 8583 message, free of any wire encoding: text and digits are ASCII without pad nibbles, binary
/// elements are raw bytes. The contents lie one behind the other in a single storage; where each of them lies
/// is found through the bitmap, so there is nothing to allocate for an element.
package struct Message: Sendable {
    /// The message type indicator; 0000 for the inside of an element, which has none.
    package var mti: MTI
    /// What the link sends before the message type (a TPDU, a routing header), as it came; empty if nothing.
    package var header: [UInt8]

    /// Bit 63 is data element 1 (or 65 in `secondary`), bit 0 is 64 (128).
    var primary: UInt64
    var secondary: UInt64
    /// Of the elements present, in ascending order.
    var extents: [Extent]
    var storage: [UInt8]

    /// Where the content of an element lies in the storage.
    struct Extent: Sendable {
        var offset: UInt32
        var count: UInt32
        init(offset: Int, count: Int) {
            self.offset = UInt32(truncatingIfNeeded: offset)
            self.count = UInt32(truncatingIfNeeded: count)
        }
        var range: Range<Int> { Int(offset)..<Int(offset) + Int(count) }
    }

    /// An empty message. Room for `bytesReserved` bytes of content is made beforehand, so that building a
    /// usual response does not grow the storage.
    package init(mti: MTI, header: [UInt8] = [], bytesReserved: Int = 320) {
        (self.mti, self.header, primary, secondary, extents, storage) = (mti, header, 0, 0, [], [])
        if bytesReserved > 0 {
            extents.reserveCapacity(24)
            storage.reserveCapacity(bytesReserved)
        }
    }

    /// Whether the element is in the message (with length zero it is, too).
    package func has(_ element: DataElement) -> Bool {
        let number = UInt64(element.rawValue)
        return number <= 64
            ? primary >> (64 - number) & 1 == 1 : secondary >> (128 - number) & 1 == 1
    }

    /// Position of the element in `extents`: the number of elements present before it.
    func rank(_ element: DataElement) -> Int {
        let number = UInt64(element.rawValue)
        if number <= 64 { return (primary >> (65 - number)).nonzeroBitCount }
        return primary.nonzeroBitCount + (secondary >> (129 - number)).nonzeroBitCount
    }

    /// The content of an element, sharing the storage of the message; nil if it is absent.
    package func bytes(_ element: DataElement) -> ArraySlice<UInt8>? {
        guard has(element) else { return nil }
        return storage[extents[rank(element)].range]
    }

    /// Lends the content of an element without copying or retaining it; nil if it is absent. The pointer must
    /// not escape. For this module alone: another one would call it unspecialised, which costs more than the copy.
    func withBytes<Result>(
        _ element: DataElement, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result? {
        guard has(element) else { return nil }
        let range = extents[rank(element)].range
        return storage.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// Puts text in (ASCII; each scalar above U+00FF becomes a question mark).
    package mutating func set(_ element: DataElement, text: String) {
        if text.utf8.allSatisfy({ $0 < 0x80 }) {
            var copy = text
            copy.withUTF8 { write(UnsafeRawBufferPointer($0), to: element) }
        } else {
            set(element, bytes: text.unicodeScalars.map { UInt8(exactly: $0.value) ?? 0x3F })
        }
    }

    /// Puts content in, or replaces what is there. It is checked against a dialect when it is encoded.
    package mutating func set(_ element: DataElement, bytes: [UInt8]) {
        bytes.withUnsafeBytes { write($0, to: element) }
    }

    /// Copies an element from another message; does nothing where that has none. This is how a response
    /// echoes.
    package mutating func copy(_ element: DataElement, from source: Message) {
        source.withBytes(element) { write($0, to: element) }
    }

    mutating func write(_ content: UnsafeRawBufferPointer, to element: DataElement) {
        let rank = rank(element)
        if has(element) {
            let old = extents[rank].range
            if content.count <= old.count {
                storage.withUnsafeMutableBytes {
                    UnsafeMutableRawBufferPointer(rebasing: $0[old]).copyMemory(from: content)
                }
                extents[rank].count = UInt32(content.count)
                return
            }
            extents[rank] = Extent(offset: storage.count, count: content.count)
        } else {
            let extent = Extent(offset: storage.count, count: content.count)
            if rank == extents.count { extents.append(extent) } else { extents.insert(extent, at: rank) }
            if element.rawValue <= 64 {
                primary |= 1 << (64 - UInt64(element.rawValue))
            } else {
                secondary |= 1 << (128 - UInt64(element.rawValue))
            }
        }
        storage.append(contentsOf: content)
    }
}

extension Message {
    /// The elements of the message in ascending order.
    package var presentElements: PresentElements { PresentElements(primary: primary, secondary: secondary) }

    /// Walks over the bitmap; needs no memory.
    package struct PresentElements: Sequence, IteratorProtocol, Sendable {
        var primary: UInt64
        var secondary: UInt64

        package mutating func next() -> DataElement? {
            if primary != 0 {
                let index = primary.leadingZeroBitCount
                primary ^= 1 &<< UInt64(63 &- index)
                return DataElement(unchecked: index + 1)
            }
            guard secondary != 0 else { return nil }
            let index = secondary.leadingZeroBitCount
            secondary ^= 1 &<< UInt64(63 &- index)
            return DataElement(unchecked: index + 65)
        }
    }
}

/// Message type indicator (ISO 8583-1 4.1): four digits, held packed, so `0100` is 0x0100.
/// First digit version, second class, third function, fourth origin.
package struct MTI: RawRepresentable, Hashable, Sendable {
    /// The four digits, one a nibble.
    package let rawValue: UInt16

    /// The indicator with these digits, whether or not any standard gives them a meaning.
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// 0 is ISO 8583:1987, 1 is 1993, 2 is 2003.
    package var version: UInt8 { UInt8(rawValue >> 12) }

    /// What the message is about.
    package var messageClass: MessageClass? { MessageClass(rawValue: UInt8(rawValue >> 8 & 0x0F)) }

    /// 0 request, 1 request response, 2 advice, 3 advice response, 4 notification, 5 its acknowledgement.
    package var function: UInt8 { UInt8(rawValue >> 4 & 0x0F) }

    /// 0 acquirer, 2 issuer, 4 other; the odd number above each is its repeat.
    package var origin: UInt8 { UInt8(rawValue & 0x0F) }

    /// A request or an advice: somebody waits for an answer to it.
    package var isRequest: Bool { function == 0 || function == 2 }

    /// Of ISO 8583:1993: data elements and codes have the meanings of that edition.
    package var is1993: Bool { rawValue >> 12 == 1 }

    /// The sender has sent this before (`0101`, `0401`, `0421`).
    package var isRepeat: Bool { !origin.isMultiple(of: 2) }

    /// The indicator of the message that answers this one: `0100` and its repeat `0101` are answered by
    /// `0110`, `0420` and `0421` by `0430`. Nil when nothing answers it.
    package var response: MTI? { isRequest ? MTI(rawValue: (rawValue & 0xFFFE) + 0x10) : nil }

    /// Digits with a meaning: a class of 1 to 8, a function and an origin of 0 to 5.
    package var isWellFormed: Bool { version <= 9 && messageClass != nil && function <= 5 && origin <= 5 }
}

/// The number of a data element, 1 to 128. What stands behind the number on a link is the dialect's matter;
/// the names here are those of ISO 8583:1987.
package struct DataElement: RawRepresentable, Hashable, Sendable {
    /// 1...128.
    package let rawValue: UInt8

    /// For numbers that come out of a bitmap or a literal here, which cannot be outside.
    init(unchecked number: Int) { rawValue = UInt8(truncatingIfNeeded: number) }
}
