/// Turns the bytes of one message into a `Message` and back, as a dialect says. It is made once a link; a
/// message costs two allocations on the way in and, into reserved room, none on the way out.
package final class MessageCodec: Sendable {
    /// The dialect of the link.
    package let dialect: Dialect
    let header: Dialect.Header
    let messageType: Dialect.MessageType
    let bitmap: Dialect.Bitmap
    /// By element number; 0 is not used.
    let specs: [ElementSpec]
    /// Bytes of content that a byte of the message can become: packed digits double.
    let expansion: Int
    /// Spaces that all filled elements together can need.
    let fillBytesMax: Int

    package init(dialect: Dialect) {
        self.dialect = dialect
        header = dialect.header
        messageType = dialect.messageType
        bitmap = dialect.bitmap
        specs = dialect.elements.map { $0.map { ElementSpec($0) } ?? .undefined }
        fillBytesMax = specs.filter { $0.around == .spaces }.reduce(0) { $0 + Int($1.max) }
        expansion = specs.contains { $0.form == .packed || $0.form == .signPacked } ? 2 : 1
    }

    /// The message that the bytes are; all of them have to belong to it.
    package func decode(_ bytes: UnsafeRawBufferPointer) throws(MessageDecodingError) -> Message {
        var message = Message(mti: MTI(rawValue: 0), bytesReserved: 0)
        var head = HeadReader(bytes: bytes, codec: self)
        var hasType = false
        do throws(Fault) {
            message.header = try head.readHeader()
            message.mti = try head.readMessageType()
            hasType = true
            (message.primary, message.secondary) = try head.readBitmaps()
            let isThird = message.secondary >> 63 == 1 && specs[65].form == .undefined
            if isThird { throw readBesideThirdBitmap(bytes, from: head.position, into: &message) }
            if let fault = readElements(of: bytes, from: head.position, into: &message) { throw fault }
            return message
        } catch {
            throw MessageDecodingError(
                place: error.place, offset: error.offset, reason: error.reason,
                partial: hasType ? message : nil)
        }
    }

    /// Reads the elements that the message's bitmaps announce; after a fault only those that could be read are left.
    func readElements(
        of bytes: UnsafeRawBufferPointer, from start: Int, into message: inout Message
    ) -> Fault? {
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
        var faults = ElementFaults()
        let announced = message.presentElements
        let count = message.primary.nonzeroBitCount + message.secondary.nonzeroBitCount
        var storage: [UInt8] = []
        message.extents = [Message.Extent](unsafeUninitializedCapacity: count) { extents, extentCount in
            storage = [UInt8](unsafeUninitializedCapacity: (bytes.count - start) * expansion + 1) {
                output, outputCount in
                guard let first = output.baseAddress else { return }
                var reader = ElementReader(input: base, end: bytes.count, position: start, output: first)
                for element in announced {
                    reader.element = element
                    let (start, written, spec) = (
                        reader.position, reader.written, specs[Int(element.rawValue)]
                    )
                    do throws(Fault) {
                        extents[extentCount] = try reader.read(spec)
                        extentCount += 1
                    } catch {
                        reader.written = written
                        guard faults.add(error, element, spec: spec, reader: &reader, from: start) else {
                            break
                        }
                    }
                }
                if reader.position != reader.end, faults.first == nil {
                    faults.first = Fault(
                        place: .behind(extentCount == 0 ? nil : reader.element), offset: reader.position,
                        reason: .trailingBytes(count: reader.end - reader.position))
                }
                outputCount = reader.written
            }
        }
        message.storage = storage
        if faults.first != nil { faults.takeOut(of: &message) }
        return faults.first
    }

    /// The header of the response to a message: as it came, or with its addresses exchanged.
    package func responseHeader(for request: Message) -> [UInt8] {
        header.answer == .exchanged ? TPDU.exchanged(request.header) : request.header
    }
}

/// What is wrong with the elements of one message.
struct ElementFaults {
    /// The one that is told.
    var first: Fault?
    var unreadable: [DataElement] = []
    var cutAt: DataElement?
}

/// Reads what comes before the elements: header, message type, bitmaps.
struct HeadReader {
    let bytes: UnsafeRawBufferPointer
    let codec: MessageCodec
    var position = 0

    func need(_ count: Int, for place: MessageDecodingError.Place) throws(Fault) {
        if bytes.count - position < count {
            throw Fault(
                place: place, offset: bytes.count,
                reason: .truncated(bytesMissing: count - (bytes.count - position)))
        }
    }

    mutating func readHeader() throws(Fault) -> [UInt8] {
        guard codec.header.bytes > 0 else { return [] }
        try need(codec.header.bytes, for: .header)
        position += codec.header.bytes
        return Array(bytes[position - codec.header.bytes..<position])
    }

    mutating func readMessageType() throws(Fault) -> MTI {
        let start = position
        var value: UInt16 = 0
        switch codec.messageType.encoding {
        case .none:
            return MTI(rawValue: 0)
        case .bcd:
            try need(2, for: .messageType)
            value = UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
            position += 2
        case .ascii, .ebcdic:
            try need(4, for: .messageType)
            let zero: UInt8 = codec.messageType.encoding == .ascii ? 0x30 : 0xF0
            // 15 is a digit of no message type, so that the check below refuses it.
            value = bytes[position..<position + 4].reduce(0) { $0 << 4 | UInt16(min($1 &- zero, 0x0F)) }
            position += 4
        }
        let mti = MTI(rawValue: value)
        guard mti.version == codec.messageType.version, mti.isWellFormed else {
            throw Fault(place: .messageType, offset: start, reason: .wrongMessageType)
        }
        return mti
    }

    /// The elements announced, without the bit that announces the second bitmap.
    mutating func readBitmaps() throws(Fault) -> (primary: UInt64, secondary: UInt64) {
        var primary = try readBitmap(bits: codec.bitmap.bits)
        var secondary: UInt64 = 0
        if codec.bitmap.secondary != .never {
            let announced = primary >> 63 == 1
            primary &= UInt64.max >> 1
            if announced || codec.bitmap.secondary != .announced { secondary = try readBitmap(bits: 64) }
        }
        return (primary, secondary)
    }

    private mutating func readBitmap(bits: Int) throws(Fault) -> UInt64 {
        guard codec.bitmap.encoding == .binary else { return try readHexBitmap(bits: bits) }
        try need(bits / 8, for: .bitmap)
        defer { position += bits / 8 }
        if bits == 64 {
            return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        }
        let value = bytes[position..<position + bits / 8].reduce(0) { $0 << 8 | UInt64($1) }
        return value << UInt64(64 - bits)
    }
}
