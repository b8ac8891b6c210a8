import ByteCoding

/// How much of an element's content may be shown. There is no way round it: neither the description of a
/// message nor `describe` has a form that shows more.
enum Sensitivity {
    /// The content as it is.
    case plain
    /// First six and last four characters, as of a PAN.
    case masked
    /// Only how long it is: PIN blocks, tracks, keys, chip data, and private elements, which links use for
    /// card verification values and the like.
    case hidden

    /// What people or their programs write without a form, of the elements that are shown.
    static let freeTexts: Set<UInt8> = [31, 43, 44, 72, 98, 101]

    init(of element: DataElement) {
        switch element.rawValue {
        case 2, 34, 102, 103: self = .masked
        case 35, 36, 45, 46...48, 52, 53, 55, 56...63, 96, 104...127: self = .hidden
        default: self = .plain
        }
    }
}

extension Message {
    /// What may be printed of an element; nil if it is absent. `isBinary` says that the content is no text.
    func printable(_ element: DataElement, isBinary: Bool, sensitivity: Sensitivity) -> String? {
        withBytes(element) { (content: UnsafeRawBufferPointer) -> String in
            switch sensitivity {
            case .hidden:
                return "(\(content.count) bytes, not shown)"
            case .masked:
                // Six and four of fewer than 13 characters would leave too little hidden.
                guard content.count >= 13 else { return String(repeating: "*", count: content.count) }
                return ShownText.visible(content.prefix(6))
                    + String(repeating: "*", count: content.count - 10)
                    + ShownText.visible(content.suffix(4))
            case .plain:
                guard isBinary else {
                    let isFree = Sensitivity.freeTexts.contains(element.rawValue)
                    return ShownText.visible(content, masking: isFree ? .freeText : .numbers)
                }
                let digits = Self.hex(content)
                // Packed digits may be a number too; a MAC is none.
                return element == .mac || element == .mac2
                    ? digits : ShownText.visible(digits.utf8, masking: .numbers)
            }
        }
    }

    /// What a log line may have of an element: masked or left out as in `describe`, and escaped; nil if it is absent.
    package func shown(_ element: DataElement) -> String? {
        printable(element, isBinary: false, sensitivity: Sensitivity(of: element))
    }

    private static func hex(_ content: UnsafeRawBufferPointer) -> String {
        Hex.encode(content)
    }

    /// Every element with its name in the dialect and what may be shown of its value, for tools that print
    /// messages to people. Elements that the dialect takes apart are listed by their number only.
    package func describe(
        dialect: Dialect
    ) -> [(element: DataElement, name: String, value: String)] {
        presentElements.map { element in
            let definition = dialect[element]
            let value = printable(
                element, isBinary: definition?.type == .binary, sensitivity: Sensitivity(of: element))
            return (element, definition?.name ?? "unknown to \(dialect.name)", value ?? "")
        }
    }
}

extension Message: CustomStringConvertible {
    /// The message type and the elements, masked: `0100 DE2=476173******0010 DE3=000000 …`.
    package var description: String {
        presentElements.reduce(into: mti.description) { text, element in
            let binary = element == .mac || element == .mac2
            let value = printable(element, isBinary: binary, sensitivity: Sensitivity(of: element)) ?? ""
            text += " \(element)=\(value)"
        }
    }
}

extension Message: CustomReflectable {
    /// Nothing to look into: `dump` and failed expectations would print the storage.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
