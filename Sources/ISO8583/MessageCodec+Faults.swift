/// Messages that cannot be read whole, and what of them can.
extension MessageCodec {
    /// The message that the bytes are; all of them have to belong to it.
    package func decode(_ bytes: [UInt8]) throws(MessageDecodingError) -> Message {
        let outcome: Result<Message, MessageDecodingError> = bytes.withUnsafeBytes { buffer in
            do throws(MessageDecodingError) {
                return .success(try decode(buffer))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Bit 65 announces a third bitmap. Senders put it behind the second one or behind DE64; what can be read of the
    /// first 64 elements in one of these ways is enough for an answer.
    func readBesideThirdBitmap(
        _ bytes: UnsafeRawBufferPointer, from start: Int, into message: inout Message
    ) -> Fault {
        message.secondary = 0
        let bitmapBytes = bitmap.encoding == .binary ? 8 : 16
        var behind = message
        let fault = readElements(of: bytes, from: min(start + bitmapBytes, bytes.count), into: &behind)
        if case .trailingBytes? = fault?.reason {
            message = behind
        } else if fault == nil {
            message = behind
        } else {
            _ = readElements(of: bytes, from: start, into: &message)
        }
        return Fault(place: .element(DataElement(unchecked: 65)), offset: start, reason: .thirdBitmap)
    }

    /// The header of a message that answers none: zeros, behind the identifier of a TPDU.
    package var ownHeader: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: header.bytes)
        if header.isTPDU, !bytes.isEmpty { bytes[0] = 0x60 }
        return bytes
    }
}

extension Message {
    /// Takes the element out of the bitmaps; it has no extent.
    fileprivate mutating func clearBit(of element: DataElement) {
        if element.rawValue <= 64 {
            primary &= ~(1 << (64 - UInt64(element.rawValue)))
        } else {
            secondary &= ~(1 << (128 - UInt64(element.rawValue)))
        }
    }

    /// Takes the element and all behind it out of the bitmaps; they have no extents yet.
    mutating func drop(from element: DataElement) {
        let number = UInt64(element.rawValue)
        if number <= 64 {
            primary &= ~(UInt64.max >> (number - 1))
            secondary = 0
        } else {
            secondary &= ~(UInt64.max >> (number - 65))
        }
    }
}

extension ElementFaults {
    /// - Returns: whether the next element can be read: true where this one's end is known.
    mutating func add(
        _ fault: Fault, _ element: DataElement, spec: ElementSpec, reader: inout ElementReader,
        from start: Int
    ) -> Bool {
        first = first ?? fault
        guard fault.reason.concernsContentOnly, let end = reader.end(of: spec, from: start) else {
            cutAt = element
            return false
        }
        unreadable.append(element)
        reader.position = end
        return true
    }

    /// Leaves in the bitmaps what was read.
    func takeOut(of message: inout Message) {
        if let cutAt { message.drop(from: cutAt) }
        for element in unreadable { message.clearBit(of: element) }
    }
}

extension MessageDecodingError.Reason {
    /// Whether the element is as long as its length says, so that the next one begins where it should.
    fileprivate var concernsContentOnly: Bool {
        switch self {
        case .notADigit, .badNibble, .badPad, .badHexDigit, .badCharacter, .badDataSet: true
        default: false
        }
    }
}

extension HeadReader {
    /// A bitmap in hex digits.
    mutating func readHexBitmap(bits: Int) throws(Fault) -> UInt64 {
        try need(bits / 4, for: .bitmap)
        var value: UInt64 = 0
        let ebcdic = codec.bitmap.encoding == .ebcdicHex
        for index in position..<position + bits / 4 {
            let nibble = HexForm.nibble(bytes[index], ebcdic: ebcdic)
            guard nibble <= 0x0F else { throw Fault(place: .bitmap, offset: index, reason: .badHexDigit) }
            value = value << 4 | UInt64(nibble)
        }
        position += bits / 4
        return value << UInt64(64 - bits)
    }
}
