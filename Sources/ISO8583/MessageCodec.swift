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

    /// A codec for a dialect.
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

    /// The message that the bytes are; all of them have to belong to it.
    package func decode(_ bytes: UnsafeRawBufferPointer) throws(MessageDecodingError) -> Message {
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
            if message.secondary >> 63 == 1, specs[65].form == .undefined {
                fault = readBesideThirdBitmap(bytes, from: head.position, into: &message)
            } else {
                fault = readElements(of: bytes, from: head.position, into: &message)
            }
        } catch {
            fault = error
        }
        guard let fault else { return message }
        throw MessageDecodingError(
            place: fault.place, offset: fault.offset, reason: fault.reason, partial: message)
    }

    /// Bit 65 announces a third bitmap. Senders put it behind the second one or behind DE64; what can be read of the
    /// first 64 elements in one of these ways is enough for an answer.
    private func readBesideThirdBitmap(
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

    /// Reads the elements that the message's bitmaps announce; after a fault only those that could be read are left.
    private func readElements(
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
                specs.withUnsafeBufferPointer { specs in
                    Self.read(
                        announced, &reader, specs: specs, extents: extents, extentCount: &extentCount,
                        faults: &faults)
                }
                outputCount = reader.written
            }
        }
        message.storage = storage
        if faults.first != nil { faults.takeOut(of: &message) }
        return faults.first
    }

    @inline(__always)
    private static func read(
        _ announced: Message.PresentElements, _ reader: inout ElementReader,
        specs: UnsafeBufferPointer<ElementSpec>, extents: UnsafeMutableBufferPointer<Message.Extent>,
        extentCount: inout Int, faults: inout ElementFaults
    ) {
        for element in announced {
            reader.element = element
            let (start, written) = (reader.position, reader.written)
            do throws(Fault) {
                extents[extentCount] = try reader.read(specs[Int(element.rawValue)])
                extentCount += 1
            } catch {
                reader.written = written
                guard
                    faults.add(
                        error, element, spec: specs[Int(element.rawValue)], reader: &reader, from: start)
                else {
                    return
                }
            }
        }
        guard reader.position != reader.end else { return }
        faults.first =
            faults.first
            ?? Fault(
                place: .behind(extentCount == 0 ? nil : reader.element), offset: reader.position,
                reason: .trailingBytes(count: reader.end - reader.position))
    }

    /// The header of a message that answers none: zeros, behind the identifier of a TPDU.
    package var ownHeader: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: header.bytes)
        if header.isTPDU, !bytes.isEmpty { bytes[0] = 0x60 }
        return bytes
    }

    /// The header of the response to a message: as it came, or with its addresses exchanged.
    package func responseHeader(for request: Message) -> [UInt8] {
        header.answer == .exchanged ? TPDU.exchanged(request.header) : request.header
    }
}

extension Message {
    /// For the decoder, which brings its own storage.
    init(mti: MTI, emptyWithHeader header: [UInt8]) {
        self.init(mti: mti, header: header, primary: 0, secondary: 0, extents: [], storage: [])
    }

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

/// What is wrong with the elements of one message.
private struct ElementFaults {
    /// The one that is told.
    var first: Fault?
    private var unreadable: [DataElement] = []
    private var cutAt: DataElement?

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
