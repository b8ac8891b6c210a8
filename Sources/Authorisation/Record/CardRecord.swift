/// An account and its plastics as the state store holds them: the bytes as they came, with typed access. No PAN.
///
/// Format 1: head (48 bytes), each plastic (48 bytes and an ATC window of 256), length-prefixed sections, then the
/// transactions kept for repeats, oldest first. Big endian. Bytes 0…15 are the tag, byte 16 the format: they stay in
/// every format.
package struct CardRecord: Sendable {
    /// The format that this release writes.
    package static let format: UInt8 = 1
    static let headByteCount = 48
    static let plasticByteCount = 48 + ATCWindow.byteCount
    /// Plastics of one account, at most.
    static let plasticsMax = 8
    /// So many transactions stand in the record at the most; then the older half of them is filed away.
    static let keptMax = 8

    /// As the store has them.
    package internal(set) var bytes: [UInt8]

    // MARK: - Head

    enum Head {
        static let format = 16
        static let status = 17
        static let plastics = 18
        static let kept = 19
        static let currency = 20
        static let flags = 22
        static let available = 24
        static let nextNumber = 32
        static let filed = 36
        static let forgottenUntil = 40
        static let sectionBytes = 44
    }

    /// Sixteen bytes that name this state of the record: eight random ones, then a counter.
    package var tag: RecordTag {
        RecordTag(random: bytes.load(0, as: UInt64.self), counter: bytes.load(8, as: UInt64.self))
    }

    mutating func setTag(_ tag: RecordTag) {
        bytes.put(tag.random, at: 0)
        bytes.put(tag.counter, at: 8)
    }

    /// Of the account.
    package internal(set) var status: CardStatus {
        get { CardStatus(stored: bytes[Head.status]) ?? .restricted }
        set { bytes[Head.status] = newValue.stored }
    }

    /// Of the account.
    package internal(set) var currency: CurrencyCode {
        get { CurrencyCode(rawValue: bytes.load(Head.currency, as: UInt16.self))! }
        set { bytes.put(newValue.rawValue, at: Head.currency) }
    }

    /// What may still be spent, in minor units of `currency`; below zero after a booking that had to be.
    package internal(set) var availableMinorUnits: Int64 {
        get { bytes.load(Head.available, as: Int64.self) }
        set { bytes.put(newValue, at: Head.available) }
    }

    /// The number of the next transaction that is kept.
    var nextNumber: UInt32 {
        get { bytes.load(Head.nextNumber, as: UInt32.self) }
        set { bytes.put(newValue, at: Head.nextNumber) }
    }

    /// When the newest transaction was decided that is no longer kept, seconds since 1970; 0: none was given up.
    package internal(set) var forgottenUntil: UInt32 {
        get { bytes.load(Head.forgottenUntil, as: UInt32.self) }
        set { bytes.put(newValue, at: Head.forgottenUntil) }
    }

    /// Moved to another PAN by an operator: nothing is decided on this one any more.
    package internal(set) var isSealed: Bool {
        get { bytes[Head.flags] & 1 != 0 }
        set { bytes[Head.flags] = newValue ? bytes[Head.flags] | 1 : bytes[Head.flags] & ~1 }
    }

    /// Something of it may be from the layout before.
    var holdsMigrated: Bool {
        get { bytes[Head.flags] & 2 != 0 }
        set { bytes[Head.flags] = newValue ? bytes[Head.flags] | 2 : bytes[Head.flags] & ~2 }
    }

    /// How many plastics there are.
    package var plasticCount: Int { Int(bytes[Head.plastics]) }
    var sectionByteCount: Int { Int(bytes.load(Head.sectionBytes, as: UInt32.self)) }
    /// How many transactions stand in the record.
    package var keptCount: Int { Int(bytes[Head.kept]) }

    var sectionsStart: Int { Self.headByteCount + plasticCount * Self.plasticByteCount }
    var keptStart: Int { sectionsStart + sectionByteCount }

    package init(_ bytes: [UInt8]) throws(RecordDamage) {
        self.bytes = bytes
        guard bytes.count >= Self.headByteCount else { throw RecordDamage("shorter than its head") }
        guard bytes[Head.format] == Self.format else {
            throw RecordDamage(
                "format \(bytes[Head.format]), this release reads \(Self.format)",
                isNewer: bytes[Head.format] > Self.format)
        }
        try check()
    }

    /// Lengths, bounds and order: what has to hold of every record that is read or written.
    func check() throws(RecordDamage) {
        guard CardStatus(stored: bytes[Head.status]) != nil, bytes.load(Head.currency, as: UInt16.self) <= 999
        else { throw RecordDamage("status or currency out of bounds") }
        guard plasticCount <= Self.plasticsMax, keptCount <= Self.keptMax else {
            throw RecordDamage("more plastics or transactions than there may be")
        }
        let start = sectionsStart
        guard sectionByteCount <= bytes.count, start <= bytes.count,
            keptStart + keptCount * KeptTransaction.byteCount == bytes.count
        else { throw RecordDamage("its length is not that of its parts") }
        var place = start
        while place < keptStart {
            guard place + 4 <= keptStart else { throw RecordDamage("a section is cut off") }
            place += 4 + Int(bytes.load(place + 2, as: UInt16.self))
        }
        guard place == keptStart else { throw RecordDamage("a section is cut off") }
        var last: UInt32 = 0
        for index in 0..<keptCount {
            let number = bytes.load(keptStart + index * KeptTransaction.byteCount, as: UInt32.self)
            guard number > last, number < nextNumber else { throw RecordDamage("transactions out of order") }
            last = number
        }
        for index in 0..<plasticCount {
            let plastic = plastic(index)
            guard plastic.pinTriesUsed <= plastic.pinTriesMax, plastic.hasKnownForm else {
                throw RecordDamage("plastic \(plastic.sequenceNumber) out of bounds")
            }
        }
    }
}

/// What names one state of a record.
package struct RecordTag: Hashable, Sendable {
    /// Drawn anew with every write: after a failover two states could have one count.
    package let random: UInt64
    /// One more than that of the state before.
    package let counter: UInt64
}

// MARK: - Sections

extension CardRecord {
    /// The place of a section's content, nil where there is none.
    func range(_ section: Section, _ index: Int = 0) -> Range<Int>? {
        var place = sectionsStart
        let end = keptStart
        while place < end {
            let count = Int(bytes.load(place + 2, as: UInt16.self))
            if bytes[place] == section.rawValue, bytes[place + 1] == UInt8(index) {
                return (place + 4)..<(place + 4 + count)
            }
            place += 4 + count
        }
        return nil
    }

    /// A section's content; empty where there is none.
    func content(_ section: Section, _ index: Int = 0) -> ArraySlice<UInt8> {
        range(section, index).map { bytes[$0] } ?? []
    }
}

// MARK: - Kept transactions

extension CardRecord {
    /// Adds the newest, with its number, where there is room.
    mutating func keep(_ transaction: KeptTransaction) {
        precondition(keptCount < Self.keptMax, "older transactions leave before another one is kept")
        transaction.append(to: &bytes)
        bytes[Head.kept] += 1
        nextNumber += 1
    }
}

// MARK: - Plastics

extension CardRecord {
    /// The plastic at an index, 0…
    func plastic(_ index: Int) -> Plastic {
        Plastic(bytes, at: Self.headByteCount + index * Self.plasticByteCount)
    }

    /// The index of the plastic with a sequence number.
    func plasticIndex(_ sequenceNumber: UInt8) -> Int? {
        (0..<plasticCount).first { plastic($0).sequenceNumber == sequenceNumber }
    }

    /// Writes a changed plastic back to its place.
    mutating func replacePlastic(_ index: Int, _ plastic: Plastic) {
        plastic.write(to: &bytes, at: Self.headByteCount + index * Self.plasticByteCount)
    }

    /// Where the ATC window of a plastic begins.
    func windowPlace(_ index: Int) -> Int { Self.headByteCount + index * Self.plasticByteCount + 48 }

    /// The name of a plastic's cryptogram profile, for people.
    package func profile(of index: Int) -> String { names(index).first ?? "" }

    func names(_ index: Int) -> [String] {
        content(.names, index).split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// Limits of a plastic's own, nil: those of its range.
    package func limits(of index: Int) -> SpendingLimits? {
        let text = content(.limits, index)
        return text.isEmpty ? nil : SpendingLimits(stored: text)
    }
}

extension CardStatus {
    init?(stored: UInt8) {
        guard stored < Self.inOrder.count else { return nil }
        self = Self.inOrder[Int(stored)]
    }

    var stored: UInt8 { UInt8(Self.inOrder.firstIndex(of: self) ?? 0) }
}

/// Big endian numbers at a place in a record. The place was checked when the record came in.
extension [UInt8] {
    @inline(__always)
    func load<Number: FixedWidthInteger>(_ place: Int, as type: Number.Type) -> Number {
        withUnsafeBytes { Number(bigEndian: $0.loadUnaligned(fromByteOffset: place, as: type)) }
    }

    @inline(__always)
    mutating func put<Number: FixedWidthInteger>(_ number: Number, at place: Int) {
        withUnsafeMutableBytes { $0.storeBytes(of: number.bigEndian, toByteOffset: place, as: Number.self) }
    }
}

/// Where a record's new bytes differ from the old ones: what a store has to be told that still has the old ones. Most
/// messages change the head and the end of a record, a fifth of its bytes.
package struct RecordPieces: Sendable {
    /// Equal bytes between two changes that cost less within a piece than a piece of its own does.
    static let gapMax = 192
    /// More pieces than these cost more than the whole record.
    static let countMax = 4

    /// Places of the new bytes, rising, none within `gapMax` of the next. Written over the old bytes they make the
    /// new ones.
    package private(set) var ranges: [Range<Int>] = []

    /// - Returns: nil where the new bytes have to be written as a whole: they are fewer than the old ones, which no
    ///   piece can say, or pieces would save less than half.
    package init?(from old: [UInt8], to new: [UInt8]) {
        guard new.count >= old.count, !old.isEmpty else { return nil }
        ranges.reserveCapacity(Self.countMax)
        old.withUnsafeBytes { old in
            new.withUnsafeBytes { new in
                // Eight bytes at a time; a piece may hold a few equal bytes at its ends.
                var place = 0
                while place + 8 <= old.count {
                    let (left, right) = (
                        old.loadUnaligned(fromByteOffset: place, as: UInt64.self),
                        new.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    )
                    if left != right { add(place..<(place + 8)) }
                    place += 8
                }
                while place < old.count {
                    if old[place] != new[place] { add(place..<(place + 1)) }
                    place += 1
                }
            }
        }
        if new.count > old.count { add(old.count..<new.count) }
        let byteCount = ranges.reduce(0) { $0 + $1.count }
        guard !ranges.isEmpty, ranges.count <= Self.countMax, 2 * byteCount <= new.count else { return nil }
    }

    private mutating func add(_ range: Range<Int>) {
        if let last = ranges.last, range.lowerBound - last.upperBound <= Self.gapMax {
            ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
        } else {
            ranges.append(range)
        }
    }
}
