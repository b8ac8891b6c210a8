package import EMV

/// What a test does to chip data behind the card's back.
package struct Tampering: Sendable {
    /// How the finished data is broken.
    package enum Malformation: Hashable, Sendable {
        /// Only so many bytes are left.
        case cut(toCount: Int)
        /// The last object says that it is one byte longer than it is.
        case lengthBeyondEnd
        /// A length in the indefinite form at the end.
        case indefiniteLength
        /// The transaction type (9C) stands there twice.
        case duplicate
        /// Zeros behind the last object.
        case trailingZeros(Int)
        /// These bytes instead.
        case replaced([UInt8])
    }

    /// This bit of the cryptogram is turned, 0 the lowest of 64.
    package var cryptogramBit: Int?
    /// These bits of objects are turned after the card has signed, 0 the lowest bit of the last byte.
    package var flipped: [(tag: Tag, bit: Int)] = []
    /// These objects get other values after the card has signed, or come behind the others.
    package var changed: [(tag: Tag, value: [UInt8])] = []
    /// These objects are taken away after the card has signed.
    package var removed: [Tag] = []
    /// The card signs with this counter and keeps its own: a replay, or a jump.
    package var atc: ApplicationTransactionCounter?
    /// The card signs with this IAD in place of its own: other CVR, another key version.
    package var issuerApplicationData: [UInt8]?
    /// Last of all.
    package var malformation: Malformation?

    /// No tampering.
    package init() {}

    /// Nothing is done.
    package static let none = Tampering()

    /// One bit of the cryptogram turned.
    package static func flippedCryptogramBit(_ bit: Int) -> Tampering {
        var tampering = Tampering()
        tampering.cryptogramBit = bit
        return tampering
    }

    /// One object changed after signing.
    package static func changed(_ tag: Tag, to value: [UInt8]) -> Tampering {
        var tampering = Tampering()
        tampering.changed = [(tag, value)]
        return tampering
    }

    /// A counter of the test's choice.
    package static func atc(_ atc: ApplicationTransactionCounter) -> Tampering {
        var tampering = Tampering()
        tampering.atc = atc
        return tampering
    }

    /// Data that are no longer TLV.
    package static func malformed(_ malformation: Malformation) -> Tampering {
        var tampering = Tampering()
        tampering.malformation = malformation
        return tampering
    }

    private var touchesObjects: Bool {
        cryptogramBit != nil || !changed.isEmpty || !removed.isEmpty || !flipped.isEmpty
    }

    /// The data after the tampering.
    /// - Throws: `ChipCardError.impossibleData` that names the object or bit that is not there: a test that changes nothing
    ///   proves nothing.
    package func apply(to bytes: [UInt8]) throws(ChipCardError) -> [UInt8] {
        var result = bytes
        if touchesObjects, let objects = try? TLVReader.objects(in: bytes[...]) {
            try expectThere(objects)
            var writer = TLVWriter(reserving: bytes.count)
            for (tag, value) in objects where !removed.contains(tag) {
                writer.append(tag, altered(tag, value))
            }
            for (tag, value) in changed where !objects.contains(where: { $0.0 == tag }) {
                writer.append(tag, value)
            }
            result = writer.bytes
        }
        switch malformation {
        case nil: break
        case .cut(let count): result = Array(result.prefix(count))
        case .lengthBeyondEnd: result.removeLast()
        case .indefiniteLength: result += [0x9F, 0x7C, 0x80, 0x00, 0x00]
        case .duplicate: result += [0x9C, 0x01, 0xFF]
        case .trailingZeros(let count): result += [UInt8](repeating: 0, count: count)
        case .replaced(let other): result = other
        }
        return result
    }

    private func expectThere(_ objects: [(Tag, ArraySlice<UInt8>)]) throws(ChipCardError) {
        func count(_ tag: Tag) -> Int? { objects.first { $0.0 == tag }?.1.count }
        for tag in removed where count(tag) == nil {
            throw .impossibleData("\(tag) cannot be removed: it is not there")
        }
        for (tag, bit) in flipped {
            guard let count = count(tag) else {
                throw .impossibleData("no bit of \(tag) can be flipped: it is not there")
            }
            guard bit < count * 8 else {
                throw .impossibleData("\(tag) has bits 0 to \(count * 8 - 1), none with number \(bit)")
            }
        }
    }

    private func altered(_ tag: Tag, _ value: ArraySlice<UInt8>) -> [UInt8] {
        if let other = changed.last(where: { $0.tag == tag }) { return other.value }
        var bytes = Array(value)
        if tag == .applicationCryptogram, let bit = cryptogramBit {
            bytes[7 - bit / 8 % 8] ^= 1 << UInt8(bit % 8)
        }
        for flip in flipped where flip.tag == tag && flip.bit / 8 < bytes.count {
            bytes[bytes.count - 1 - flip.bit / 8] ^= 1 << UInt8(flip.bit % 8)
        }
        return bytes
    }
}
