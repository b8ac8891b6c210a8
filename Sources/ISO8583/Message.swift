/// One ISO 8583 message, free of any wire encoding: text and digits are ASCII without pad nibbles, binary
/// elements are raw bytes. The contents lie one behind the other in a single storage; where each of them lies
/// is found through the bitmap, so there is nothing to allocate for an element.
package struct Message: Sendable {
    /// The message type indicator; 0000 for the inside of an element, which has none.
    package var mti: MTI
    /// What the link sends before the message type (a TPDU, a routing header), as it came; empty if nothing.
    package var header: [UInt8]

    /// Bit 63 is data element 1 (or 65 in `secondary`), bit 0 is 64 (128).
    @usableFromInline
    var primary: UInt64
    @usableFromInline
    var secondary: UInt64
    /// Of the elements present, in ascending order.
    @usableFromInline
    var extents: [Extent]
    @usableFromInline
    var storage: [UInt8]

    /// Where the content of an element lies in the storage.
    @usableFromInline
    struct Extent: Sendable {
        @usableFromInline var offset: UInt32
        @usableFromInline var count: UInt32

        @inlinable
        init(offset: Int, count: Int) {
            self.offset = UInt32(truncatingIfNeeded: offset)
            self.count = UInt32(truncatingIfNeeded: count)
        }

        @inlinable
        var range: Range<Int> { Int(offset)..<Int(offset) + Int(count) }
    }

    /// An empty message. Room for `bytesReserved` bytes of content is made beforehand, so that building a
    /// usual response does not grow the storage.
    package init(mti: MTI, header: [UInt8] = [], bytesReserved: Int = 320) {
        self.mti = mti
        self.header = header
        primary = 0
        secondary = 0
        extents = []
        extents.reserveCapacity(24)
        storage = []
        storage.reserveCapacity(bytesReserved)
    }

    @usableFromInline
    init(mti: MTI, header: [UInt8], primary: UInt64, secondary: UInt64, extents: [Extent], storage: [UInt8]) {
        self.mti = mti
        self.header = header
        self.primary = primary
        self.secondary = secondary
        self.extents = extents
        self.storage = storage
    }

    /// Whether the element is in the message (with length zero it is, too).
    @inlinable
    package func has(_ element: DataElement) -> Bool {
        let number = UInt64(element.rawValue)
        return number <= 64
            ? primary >> (64 - number) & 1 == 1 : secondary >> (128 - number) & 1 == 1
    }

    /// Position of the element in `extents`: the number of elements present before it.
    @inlinable
    func rank(_ element: DataElement) -> Int {
        let number = UInt64(element.rawValue)
        if number <= 64 { return (primary >> (65 - number)).nonzeroBitCount }
        return primary.nonzeroBitCount + (secondary >> (129 - number)).nonzeroBitCount
    }

    /// The content of an element, sharing the storage of the message; nil if it is absent.
    @inlinable
    package func bytes(_ element: DataElement) -> ArraySlice<UInt8>? {
        guard has(element) else { return nil }
        return storage[extents[rank(element)].range]
    }

    /// How many bytes the content of an element has; nil if it is absent.
    @inlinable
    package func count(of element: DataElement) -> Int? {
        guard has(element) else { return nil }
        return Int(extents[rank(element)].count)
    }

    /// Lends the content of an element without copying or retaining it; nil if it is absent. The pointer must
    /// not escape. For this module alone: another one would call it unspecialised, which costs more than the copy.
    func withBytes<Result, Failure: Error>(
        _ element: DataElement, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard has(element) else { return nil }
        let range = extents[rank(element)].range
        // A typed error does not pass through the array's rethrowing function, a value does.
        let outcome: Swift.Result<Result, Failure> = storage.withUnsafeBytes { all in
            let content = UnsafeRawBufferPointer(rebasing: all[range])
            do throws(Failure) {
                return .success(try body(content))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// The content as text (ISO 8859-1, so that no byte is lost); nil if the element is absent.
    package func text(_ element: DataElement) -> String? {
        withBytes(element) { (content: UnsafeRawBufferPointer) -> String in
            content.allSatisfy { $0 < 0x80 }
                ? String(decoding: content, as: UTF8.self)
                : String(String.UnicodeScalarView(content.map { Unicode.Scalar($0) }))
        }
    }

    /// The first of these elements that one of the two lacks, or that has another content in it; nil where all are the same.
    package func firstDifference(from other: Message, among elements: [DataElement]) -> DataElement? {
        storage.withUnsafeBytes { own in
            other.storage.withUnsafeBytes { others in
                elements.first { element in
                    guard has(element), other.has(element) else { return true }
                    let left = own[extents[rank(element)].range]
                    let right = others[other.extents[other.rank(element)].range]
                    return left.count != right.count || !left.elementsEqual(right)
                }
            }
        }
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

    /// See `set` above.
    package mutating func set(_ element: DataElement, bytes: UnsafeRawBufferPointer) {
        write(bytes, to: element)
    }

    /// See `set` above. None of the three is generic: another module would call that unspecialised.
    package mutating func set(_ element: DataElement, bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { write($0, to: element) }
    }

    /// Copies an element from another message; does nothing where that has none. This is how a response
    /// echoes.
    package mutating func copy(_ element: DataElement, from source: Message) {
        source.withBytes(element) { write($0, to: element) }
    }

    /// Takes an element out.
    package mutating func remove(_ element: DataElement) {
        guard has(element) else { return }
        extents.remove(at: rank(element))
        if element.rawValue <= 64 {
            primary &= ~(1 << (64 - UInt64(element.rawValue)))
        } else {
            secondary &= ~(1 << (128 - UInt64(element.rawValue)))
        }
    }

    @usableFromInline
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
    @inlinable
    package var presentElements: PresentElements {
        PresentElements(primary: primary, secondary: secondary)
    }

    /// Walks over the bitmap; needs no memory.
    package struct PresentElements: Sequence, IteratorProtocol, Sendable {
        @usableFromInline var primary: UInt64
        @usableFromInline var secondary: UInt64

        @inlinable
        init(primary: UInt64, secondary: UInt64) {
            self.primary = primary
            self.secondary = secondary
        }

        /// The next higher element.
        @inlinable
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

extension Message: Equatable {
    /// The same type, header and elements with the same contents, wherever they lie.
    package static func == (left: Message, right: Message) -> Bool {
        guard left.mti == right.mti, left.header == right.header,
            left.primary == right.primary, left.secondary == right.secondary
        else { return false }
        return zip(left.extents, right.extents).allSatisfy {
            left.storage[$0.range] == right.storage[$1.range]
        }
    }
}
