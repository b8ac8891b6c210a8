/// Turns the bytes of one message into a `Message` and back, as a dialect says. It is made once a link; a
/// message costs two allocations on the way in and, into reserved room, none on the way out.
public struct MessageCodec: Sendable {
    /// The dialect of the link.
    public let dialect: Dialect
    let header: Dialect.Header
    let messageType: Dialect.MessageType
    let bitmap: Dialect.Bitmap
    /// By element number; 0 is not used.
    let specs: [ElementSpec]
    /// Bytes of content that a byte of the message can become: packed digits double.
    let expansion: Int

    /// A codec for a dialect.
    public init(dialect: Dialect) {
        self.dialect = dialect
        header = dialect.header
        messageType = dialect.messageType
        bitmap = dialect.bitmap
        specs = dialect.elements.map { $0.map { ElementSpec($0) } ?? .undefined }
        expansion = specs.contains { $0.form == .packed || $0.form == .signPacked } ? 2 : 1
    }

    /// The message that the bytes are; all of them have to belong to it.
    public func decode(_ bytes: [UInt8]) throws(MessageDecodingError) -> Message {
        let outcome: Result<Message, MessageDecodingError> = bytes.withUnsafeBytes { buffer in
            do throws(MessageDecodingError) {
                return .success(try decode(buffer))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// The message that the bytes are; all of them have to belong to it.
    public func decode(_ bytes: UnsafeRawBufferPointer) throws(MessageDecodingError) -> Message {
        var message = Message(mti: MTI(rawValue: 0), emptyWithHeader: [])
        var head = HeadReader(bytes: bytes, codec: self)
        do {
            message.header = try head.readHeader()
            message.mti = try head.readMessageType()
        } catch {
            throw MessageDecodingError(
                place: error.place, offset: error.offset, reason: error.reason, partial: nil)
        }
        var fault: Fault?
        do {
            (message.primary, message.secondary) = try head.readBitmaps()
            fault = readElements(of: bytes, from: head.position, into: &message)
        } catch {
            fault = error
        }
        guard let fault else { return message }
        throw MessageDecodingError(
            place: fault.place, offset: fault.offset, reason: fault.reason, partial: message)
    }

    /// Reads the elements that the message's bitmaps announce; after a fault only those before it are left.
    private func readElements(
        of bytes: UnsafeRawBufferPointer, from start: Int, into message: inout Message
    ) -> Fault? {
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
        var fault: Fault?
        var announced = message.presentElements
        let count = message.primary.nonzeroBitCount + message.secondary.nonzeroBitCount
        var storage: [UInt8] = []
        message.extents = [Message.Extent](unsafeUninitializedCapacity: count) { extents, extentCount in
            storage = [UInt8](unsafeUninitializedCapacity: (bytes.count - start) * expansion + 1) {
                output, outputCount in
                guard let first = output.baseAddress else { return }
                var reader = ElementReader(input: base, end: bytes.count, position: start, output: first)
                fault = specs.withUnsafeBufferPointer { specs in
                    do throws(Fault) {
                        while let element = announced.next() {
                            reader.element = element
                            extents[extentCount] = try reader.read(specs[Int(element.rawValue)])
                            extentCount += 1
                        }
                        guard reader.position == bytes.count else {
                            throw Fault(
                                place: .behind(extentCount == 0 ? nil : reader.element),
                                offset: reader.position,
                                reason: .trailingBytes(count: bytes.count - reader.position))
                        }
                        return nil
                    } catch {
                        return error
                    }
                }
                outputCount = reader.written
            }
        }
        message.storage = storage
        if case .element(let element)? = fault?.place { message.drop(from: element) }
        return fault
    }

    /// The header of a message that answers none: zeros, behind the identifier of a TPDU.
    public var ownHeader: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: header.bytes)
        if header.isTPDU, !bytes.isEmpty { bytes[0] = 0x60 }
        return bytes
    }

    /// The header of the response to a message: a TPDU with its addresses exchanged, any other as it is.
    public func responseHeader(for request: Message) -> [UInt8] {
        guard header.isTPDU else { return request.header }
        return TPDU.reply(to: request.header) ?? request.header
    }
}

extension Message {
    /// For the decoder, which brings its own storage.
    init(mti: MTI, emptyWithHeader header: [UInt8]) {
        self.init(mti: mti, header: header, primary: 0, secondary: 0, extents: [], storage: [])
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
