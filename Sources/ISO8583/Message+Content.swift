/// Contents in the other forms that tools and answers of the host itself use.
extension Message {
    /// How many bytes the content of an element has; nil if it is absent.
    package func count(of element: DataElement) -> Int? {
        guard has(element) else { return nil }
        return Int(extents[rank(element)].count)
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

    /// See `set` above.
    package mutating func set(_ element: DataElement, bytes: UnsafeRawBufferPointer) {
        write(bytes, to: element)
    }

    /// See `set` above. None of the three is generic: another module would call that unspecialised.
    package mutating func set(_ element: DataElement, bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { write($0, to: element) }
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
