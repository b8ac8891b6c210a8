/// Where messages of a dialect say what kind of payment they are, and where they have the reference of one. What the words mean
/// is for its reader to know.
package struct Indicators: Equatable, Sendable {
    /// A place inside of an element.
    package struct Place: Equatable, Sendable, Decodable {
        /// Number of the element.
        package let element: Int
        /// The element is a sequence of two-digit number, two-digit length and content, after an optional letter: the content
        /// of this number.
        package let subElement: Int?
        /// The first character, from 1; 1 where nothing is said.
        package let position: Int?
        /// How many; nil: all that follow.
        package let length: Int?
    }

    /// A content that says something.
    package struct Row: Equatable, Sendable, Decodable {
        /// Where.
        package let at: Place
        /// With what it begins there.
        package let value: String
        /// One word.
        package let says: String
    }

    /// The first that fits counts.
    package var rows: [Row] = []
    /// A payment's own reference, by which later ones name it.
    package var ownReference: Place?
    /// The reference of the first payment in a later one.
    package var firstReference: Place?

    package init() {}
}

extension Indicators.Place {
    /// Nil for a place that no message can have.
    package var dataElement: DataElement? {
        guard (position ?? 1) > 0, (length ?? 1) > 0, (0...99).contains(subElement ?? 0), element > 1 else {
            return nil
        }
        return UInt8(exactly: element).flatMap(DataElement.init(rawValue:))
    }

    /// The bytes that stand there; nil where there are none.
    package func content(of message: Message) -> ArraySlice<UInt8>? {
        guard let dataElement, message.has(dataElement), var bytes = message.bytes(dataElement) else {
            return nil
        }
        if let subElement {
            guard let found = Self.subElement(subElement, of: bytes) else { return nil }
            bytes = found
        }
        bytes = bytes.dropFirst((position ?? 1) - 1)
        if let length {
            guard bytes.count >= length else { return nil }
            bytes = bytes.prefix(length)
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Only where all of the element has this form: it is private, and may be something else altogether.
    package static func subElement(_ number: Int, of bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        func digits(_ bytes: ArraySlice<UInt8>) -> Int? {
            guard bytes.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return bytes.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        var rest = bytes
        if let first = rest.first, !(0x30...0x39).contains(first) { rest = rest.dropFirst() }
        var found: ArraySlice<UInt8>?
        while !rest.isEmpty {
            guard rest.count >= 4, let name = digits(rest.prefix(2)),
                let length = digits(rest.dropFirst(2).prefix(2)), rest.count >= 4 + length
            else { return nil }
            if name == number { found = rest.dropFirst(4).prefix(length) }
            rest = rest.dropFirst(4 + length)
        }
        return found
    }
}
