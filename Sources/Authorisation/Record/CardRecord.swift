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
    package static let plasticsMax = 8
    /// So many transactions stand in the record at the most; then the older half of them is filed away.
    static let keptMax = 8

    /// As the store has them.
    package internal(set) var bytes: [UInt8]

    // MARK: - Head

    private enum Head {
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

    /// Transactions in the second key.
    package internal(set) var filedCount: UInt32 {
        get { bytes.load(Head.filed, as: UInt32.self) }
        set { bytes.put(newValue, at: Head.filed) }
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
    private var sectionByteCount: Int { Int(bytes.load(Head.sectionBytes, as: UInt32.self)) }
    /// How many transactions stand in the record.
    package var keptCount: Int { Int(bytes[Head.kept]) }

    private var sectionsStart: Int { Self.headByteCount + plasticCount * Self.plasticByteCount }
    private var keptStart: Int { sectionsStart + sectionByteCount }

    /// An account without plastics.
    init(status: CardStatus, currency: CurrencyCode, availableMinorUnits: Int64) {
        bytes = [UInt8](repeating: 0, count: Self.headByteCount)
        bytes[Head.format] = Self.format
        nextNumber = 1
        self.status = status
        self.currency = currency
        self.availableMinorUnits = availableMinorUnits
    }

    /// Takes the bytes of the store after a look at everything that access relies on.
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

    /// Takes the parts.
    package init(random: UInt64, counter: UInt64) { (self.random, self.counter) = (random, counter) }
}

/// A record that cannot be relied on: nothing is decided by it, and nothing is written over it.
package struct RecordDamage: Error, Hashable, Sendable, CustomStringConvertible {
    /// What does not hold; no data.
    package let description: String
    /// Written by a newer release: nothing is wrong with it, but this release cannot read it.
    package let isNewer: Bool

    init(_ words: String, isNewer: Bool = false) { (description, self.isNewer) = (words, isNewer) }
}

// MARK: - Sections

extension CardRecord {
    /// What stands between plastics and transactions, each with its type, an index and a length.
    enum Section: UInt8 {
        /// Profile name and label of the issuer master key of the plastic with the index, divided by a NUL.
        case names = 1
        /// Limits of the plastic with the index.
        case limits = 2
        /// What was spent on the days that limits count.
        case days = 3
        /// Reversals whose original has not come.
        case earlyReversals = 4
        /// Pre-authorisations that may still be completed.
        case holds = 5
        /// Issuer scripts of the plastic with the index.
        case scripts = 6
        /// 3-D Secure authentication values that were used.
        case authenticationValues = 7
        /// The token of the account that this one was moved to.
        case movedTo = 8
        /// The token of the account that was moved here.
        case movedFrom = 9
        /// What was approved and what is left of transactions in another currency, in that currency.
        case foreignParts = 10
        /// First payments by a stored credential or of a series.
        case agreements = 11
    }

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

    /// Where advices, completions and reversals of this PAN belong now; nil for an account that has not moved.
    package var movedTo: CardToken? { token(.movedTo) }

    /// A section that holds the token of another account.
    func token(_ section: Section) -> CardToken? {
        guard let range = range(section), range.count == 16 else { return nil }
        return CardToken(
            high: bytes.load(range.lowerBound, as: UInt64.self),
            low: bytes.load(range.lowerBound + 8, as: UInt64.self))
    }

    /// A section's content; empty where there is none.
    func content(_ section: Section, _ index: Int = 0) -> ArraySlice<UInt8> {
        range(section, index).map { bytes[$0] } ?? []
    }

    /// Replaces a section of the account.
    mutating func set(_ section: Section, _ content: [UInt8]) { set(section, 0, content: content) }

    /// Replaces a section; an empty one is left out.
    mutating func set(_ section: Section, _ index: Int, content: [UInt8]) {
        precondition(content.count <= Int(UInt16.max), "a section is bounded where it is made")
        if let old = range(section, index) {
            if old.count == content.count {
                bytes.replaceSubrange(old, with: content)
                return
            }
            bytes.removeSubrange((old.lowerBound - 4)..<old.upperBound)
            bytes.put(UInt32(sectionByteCount - old.count - 4), at: Head.sectionBytes)
        }
        guard !content.isEmpty else { return }
        var section: [UInt8] = [section.rawValue, UInt8(index)]
        section.append(bigEndian: UInt16(content.count))
        bytes.insert(contentsOf: section + content, at: keptStart)
        bytes.put(UInt32(sectionByteCount + section.count + content.count), at: Head.sectionBytes)
    }
}

// MARK: - Kept transactions

extension CardRecord {
    /// The transaction at an index, oldest first.
    func kept(_ index: Int) -> KeptTransaction? {
        KeptTransaction(bytes, at: keptStart + index * KeptTransaction.byteCount)
    }

    /// Writes a changed transaction back to its place.
    mutating func replaceKept(_ index: Int, _ transaction: KeptTransaction) {
        transaction.write(to: &bytes, at: keptStart + index * KeptTransaction.byteCount)
    }

    /// Keeps none.
    mutating func dropKept() {
        bytes.removeSubrange(keptStart...)
        bytes[Head.kept] = 0
    }

    /// Adds the newest, with its number.
    /// - Returns: what had to make room, oldest first; of that, what took nothing is given up.
    mutating func keep(_ transaction: KeptTransaction) -> [KeptTransaction] {
        var leaving: [KeptTransaction] = []
        if keptCount == Self.keptMax {
            let count = Self.keptMax / 2
            leaving = (0..<count).compactMap { kept($0) }
            bytes.removeSubrange(keptStart..<(keptStart + count * KeptTransaction.byteCount))
            bytes[Head.kept] -= UInt8(count)
        }
        transaction.append(to: &bytes)
        bytes[Head.kept] += 1
        nextNumber += 1
        return leaving
    }
}

// MARK: - Plastics

extension CardRecord {
    /// The plastic at an index, 0…
    func plastic(_ index: Int) -> Plastic {
        Plastic(bytes, at: Self.headByteCount + index * Self.plasticByteCount)
    }

    /// All of them, in the order in which they were made.
    package var plastics: [Plastic] { (0..<plasticCount).map(plastic) }

    /// The index of the plastic with a sequence number.
    func plasticIndex(_ sequenceNumber: UInt8) -> Int? {
        (0..<plasticCount).first { plastic($0).sequenceNumber == sequenceNumber }
    }

    /// Writes a changed plastic back to its place.
    mutating func replacePlastic(_ index: Int, _ plastic: Plastic) {
        plastic.write(to: &bytes, at: Self.headByteCount + index * Self.plasticByteCount)
    }

    /// Adds a plastic that was never used.
    mutating func add(_ plastic: Plastic) {
        let place = sectionsStart
        bytes.insert(contentsOf: repeatElement(0, count: Self.plasticByteCount), at: place)
        bytes[Head.plastics] += 1
        plastic.write(to: &bytes, at: place)
    }

    /// Where the ATC window of a plastic begins.
    func windowPlace(_ index: Int) -> Int { Self.headByteCount + index * Self.plasticByteCount + 48 }

    /// The name of a plastic's cryptogram profile, for people.
    package func profile(of index: Int) -> String { names(index).first ?? "" }

    /// The label of the issuer master key that a plastic was imported for; empty where none was known.
    package func issuerMasterKey(of index: Int) -> String {
        let names = names(index)
        return names.count > 1 ? names[1] : ""
    }

    private func names(_ index: Int) -> [String] {
        content(.names, index).split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    mutating func setNames(_ index: Int, profile: String, issuerMasterKey: String) {
        set(
            .names, index,
            content: Array(profile.utf8.prefix(64)) + [0] + Array(issuerMasterKey.utf8.prefix(64)))
    }

    /// Limits of a plastic's own, nil: those of its range.
    package func limits(of index: Int) -> SpendingLimits? {
        let text = content(.limits, index)
        return text.isEmpty ? nil : SpendingLimits(stored: text)
    }
}

extension CardStatus {
    fileprivate init?(stored: UInt8) {
        guard stored < Self.inOrder.count else { return nil }
        self = Self.inOrder[Int(stored)]
    }

    var stored: UInt8 { UInt8(Self.inOrder.firstIndex(of: self) ?? 0) }

    /// The order is the record's and never changes.
    static let inOrder: [CardStatus] = [.active, .lost, .stolen, .restricted]
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

    /// Appends the number's bytes.
    @inline(__always)
    mutating func append<Number: FixedWidthInteger>(bigEndian number: Number) {
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }
}
