/// What operators and rarer messages change in a record.
extension CardRecord {
    /// An account without plastics.
    init(status: CardStatus, currency: CurrencyCode, availableMinorUnits: Int64) {
        bytes = [UInt8](repeating: 0, count: Self.headByteCount)
        bytes[Head.format] = Self.format
        nextNumber = 1
        self.status = status
        self.currency = currency
        self.availableMinorUnits = availableMinorUnits
    }

    /// Transactions in the second key.
    package internal(set) var filedCount: UInt32 {
        get { bytes.load(Head.filed, as: UInt32.self) }
        set { bytes.put(newValue, at: Head.filed) }
    }
}

extension CardRecord {
    /// Takes the older half of what is kept out of the record.
    /// - Returns: it, oldest first.
    mutating func takeOlder() -> [KeptTransaction] {
        let count = keptCount / 2
        let leaving = (0..<count).compactMap { kept($0) }
        bytes.removeSubrange(keptStart..<(keptStart + count * KeptTransaction.byteCount))
        bytes[Head.kept] -= UInt8(count)
        return leaving
    }
}

/// A record that cannot be relied on: nothing is decided by it, and nothing is written over it.
package struct RecordDamage: Error, Hashable, Sendable, CustomStringConvertible {
    /// What does not hold; no data.
    package let description: String
    /// Written by a newer release: nothing is wrong with it, but this release cannot read it.
    package let isNewer: Bool

    init(_ words: String, isNewer: Bool = false) { (description, self.isNewer) = (words, isNewer) }
}

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

    /// Where advices, completions and reversals of this PAN belong now; nil for an account that has not moved.
    package var movedTo: CardToken? { token(.movedTo) }

    /// A section that holds the token of another account.
    func token(_ section: Section) -> CardToken? {
        guard let range = range(section), range.count == 16 else { return nil }
        return CardToken(
            high: bytes.load(range.lowerBound, as: UInt64.self),
            low: bytes.load(range.lowerBound + 8, as: UInt64.self))
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

    /// All of them, in the order in which they were made.
    package var plastics: [Plastic] { (0..<plasticCount).map(plastic) }

    /// Adds a plastic that was never used.
    mutating func add(_ plastic: Plastic) {
        let place = sectionsStart
        bytes.insert(contentsOf: repeatElement(0, count: Self.plasticByteCount), at: place)
        bytes[Head.plastics] += 1
        plastic.write(to: &bytes, at: place)
    }

    /// The label of the issuer master key that a plastic was imported for; empty where none was known.
    package func issuerMasterKey(of index: Int) -> String {
        let names = names(index)
        return names.count > 1 ? names[1] : ""
    }

    mutating func setNames(_ index: Int, profile: String, issuerMasterKey: String) {
        set(
            .names, index,
            content: Array(profile.utf8.prefix(64)) + [0] + Array(issuerMasterKey.utf8.prefix(64)))
    }
}

extension CardStatus {
    /// The order is the record's and never changes.
    static let inOrder: [CardStatus] = [.active, .lost, .stolen, .restricted]
}

extension [UInt8] {
    /// Appends the number's bytes.
    @inline(__always)
    mutating func append<Number: FixedWidthInteger>(bigEndian number: Number) {
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }
}
