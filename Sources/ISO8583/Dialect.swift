/// The form of messages on a link, as its file in `Config/iso8583` describes it: header, message type,
/// bitmaps and data elements.
package struct Dialect: Sendable {
    /// The name of the file without `.json`.
    package let name: String
    /// What the file says about itself.
    package let description: String
    /// The bytes before the message type.
    package let header: Header
    /// How the message type is written.
    package let messageType: MessageType
    /// How the bitmaps are written.
    package let bitmap: Bitmap
    let elements: [ElementDefinition?]
    let inner: [DataElement: Dialect]
    /// Where its messages say what kind of payment they are.
    package internal(set) var indicators = Indicators()

    init(
        name: String, description: String, header: Header, messageType: MessageType, bitmap: Bitmap,
        elements: [ElementDefinition?], inner: [DataElement: Dialect]
    ) {
        self.name = name
        self.description = description
        self.header = header
        self.messageType = messageType
        self.bitmap = bitmap
        self.elements = elements
        self.inner = inner
    }

    /// The definition of an element; nil if the dialect does not have it.
    package subscript(element: DataElement) -> ElementDefinition? {
        elements[Int(element.rawValue)]
    }

    /// The element that holds something of its own; nil where the dialect has no place for it.
    package func element(holding content: ElementDefinition.Holding) -> DataElement? {
        elements.firstIndex { $0?.holds == content }.flatMap { DataElement(rawValue: UInt8($0)) }
    }

    /// The dialect of what is inside of an element that has a bitmap and elements of its own; nil for others.
    /// A `MessageCodec` of it decodes the content of the element.
    package func inside(_ element: DataElement) -> Dialect? {
        inner[element]
    }

    /// The same messages behind a header of so many bytes.
    /// - Parameter answer: nil: a TPDU's addresses are exchanged, any other header is kept.
    package func withHeader(bytes: Int, answer: Header.Answer? = nil) -> Dialect {
        var dialect = Dialect(
            name: name, description: description,
            header: Header(bytes: bytes, answer: answer ?? (bytes == TPDU.byteCount ? .exchanged : .kept)),
            messageType: messageType, bitmap: bitmap, elements: elements, inner: inner)
        dialect.indicators = indicators
        return dialect
    }

    /// The same messages with chip data in another form.
    /// - Throws: `.element` where DE55 cannot have it.
    package func withChipData(_ form: ElementDefinition.ChipDataForm) throws(DialectError) -> Dialect {
        var elements = elements
        let number = Int(DataElement.iccData.rawValue)
        elements[number]?.chipData = form
        if let reason = elements[number]?.contradiction {
            throw .element(dialect: name, element: "\(number)", reason: reason)
        }
        var dialect = Dialect(
            name: name, description: description, header: header, messageType: messageType, bitmap: bitmap,
            elements: elements, inner: inner)
        dialect.indicators = indicators
        return dialect
    }

    /// All elements of the dialect in ascending order.
    package var definedElements: [DataElement] {
        (1...128).compactMap { elements[$0] == nil ? nil : DataElement(unchecked: $0) }
    }
}

extension Dialect {
    /// What comes before the message type.
    package struct Header: Equatable, Sendable {
        /// How many bytes.
        package var bytes: Int
        /// What a response has in its place.
        package var answer: Answer

        /// What becomes of the header of a request.
        package enum Answer: String, Sendable, CaseIterable {
            /// The response has the same.
            case kept
            /// The two addresses that it consists of are exchanged; an odd byte before them is an identifier.
            case exchanged
        }

        /// A TPDU: five bytes, an identifier and two addresses.
        package var isTPDU: Bool { bytes == TPDU.byteCount && answer == .exchanged }
    }

    /// The message type on the link.
    package struct MessageType: Equatable, Sendable {
        /// How it is written.
        package var encoding: Encoding
        /// The only first digit allowed: 0 for ISO 8583:1987, 1 for 1993.
        package var version: UInt8

        /// Four characters, two bytes of packed digits, or nothing (inside of an element).
        package enum Encoding: String, Sendable, CaseIterable {
            case ascii
            case ebcdic
            case bcd
            case none
        }
    }

    /// The bitmaps on the link.
    package struct Bitmap: Equatable, Sendable {
        /// How each is written.
        package var encoding: Encoding
        /// Bits of the first: 64, or fewer inside of an element.
        package var bits: Int
        /// Whether there is a second one.
        package var secondary: Secondary

        /// Bytes as they are, or hex digits.
        package enum Encoding: String, Sendable, CaseIterable {
            case binary
            case hex
            case ebcdicHex
        }

        /// When a secondary bitmap follows.
        package enum Secondary: String, Sendable, CaseIterable {
            /// Where bit 1 says so (ISO 8583-1 4.3).
            case announced
            /// In every message, whatever bit 1 says; it is sent as 0.
            case always
            /// In every message, whatever bit 1 says; it is sent as 1.
            case alwaysAnnounced
            /// Never; bit 1 is an element like any other.
            case never
        }
    }
}

/// Why a dialect cannot be used. Names the dialect and the key or element in its file.
package enum DialectError: Error, Equatable, Sendable {
    /// The file cannot be read.
    case unreadable(dialect: String, reason: String)
    /// The file is no JSON of the form of a dialect.
    case malformed(dialect: String, reason: String)
    /// A key that a dialect does not have.
    case unknownKey(dialect: String, key: String, nearest: String?)
    /// An element whose definition contradicts itself or is incomplete.
    case element(dialect: String, element: String, reason: String)
    /// A chain of `extends` or `inside` that does not end.
    case tooDeep(dialect: String)
}

extension DialectError: CustomStringConvertible {
    /// The dialect, the place in it and the reason.
    package var description: String {
        switch self {
        case .unreadable(let dialect, let reason): "dialect \(dialect) cannot be read: \(reason)"
        case .malformed(let dialect, let reason): "dialect \(dialect): \(reason)"
        case .unknownKey(let dialect, let key, let nearest):
            "dialect \(dialect): unknown key \(key)" + (nearest.map { "; is \($0) meant?" } ?? "")
        case .element(let dialect, let element, let reason): "dialect \(dialect), DE\(element): \(reason)"
        case .tooDeep(let dialect): "dialect \(dialect) extends or contains others without end"
        }
    }
}
