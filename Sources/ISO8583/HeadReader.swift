/// Reads what comes before the elements: header, message type, bitmaps.
struct HeadReader {
    let bytes: UnsafeRawBufferPointer
    let header: Dialect.Header
    let messageType: Dialect.MessageType
    let bitmap: Dialect.Bitmap
    var position = 0

    init(bytes: UnsafeRawBufferPointer, codec: MessageCodec) {
        self.bytes = bytes
        header = codec.header
        messageType = codec.messageType
        bitmap = codec.bitmap
    }

    private func need(_ count: Int, for place: MessageDecodingError.Place) throws(Fault) {
        if bytes.count - position < count {
            throw Fault(
                place: place, offset: bytes.count,
                reason: .truncated(bytesMissing: count - (bytes.count - position)))
        }
    }

    mutating func readHeader() throws(Fault) -> [UInt8] {
        guard header.bytes > 0 else { return [] }
        try need(header.bytes, for: .header)
        position += header.bytes
        return Array(bytes[position - header.bytes..<position])
    }

    mutating func readMessageType() throws(Fault) -> MTI {
        let start = position
        var value: UInt16 = 0
        switch messageType.encoding {
        case .none:
            return MTI(rawValue: 0)
        case .bcd:
            try need(2, for: .messageType)
            value = UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
            position += 2
        case .ascii, .ebcdic:
            try need(4, for: .messageType)
            let zero: UInt8 = messageType.encoding == .ascii ? 0x30 : 0xF0
            for index in position..<position + 4 {
                let digit = bytes[index] &- zero
                // 15 is a digit of no message type, so that the check below refuses it.
                value = value << 4 | UInt16(min(digit, 0x0F))
            }
            position += 4
        }
        let mti = MTI(rawValue: value)
        guard mti.version == messageType.version, mti.isWellFormed else {
            throw Fault(place: .messageType, offset: start, reason: .wrongMessageType)
        }
        return mti
    }

    /// The elements announced, without the bit that announces the second bitmap.
    mutating func readBitmaps() throws(Fault) -> (primary: UInt64, secondary: UInt64) {
        var primary = try readBitmap(bits: bitmap.bits)
        var secondary: UInt64 = 0
        if bitmap.secondary != .never {
            let announced = primary >> 63 == 1
            primary &= UInt64.max >> 1
            if announced || bitmap.secondary != .announced { secondary = try readBitmap(bits: 64) }
        }
        return (primary, secondary)
    }

    private mutating func readBitmap(bits: Int) throws(Fault) -> UInt64 {
        var value: UInt64 = 0
        if bitmap.encoding == .binary {
            try need(bits / 8, for: .bitmap)
            if bits == 64 {
                value = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            } else {
                for index in position..<position + bits / 8 {
                    value = value << 8 | UInt64(bytes[index])
                }
            }
            position += bits / 8
        } else {
            try need(bits / 4, for: .bitmap)
            let ebcdic = bitmap.encoding == .ebcdicHex
            for index in position..<position + bits / 4 {
                let nibble = HexForm.nibble(bytes[index], ebcdic: ebcdic)
                guard nibble <= 0x0F else {
                    throw Fault(place: .bitmap, offset: index, reason: .badHexDigit)
                }
                value = value << 4 | UInt64(nibble)
            }
            position += bits / 4
        }
        return value << UInt64(64 - bits)
    }
}
