extension MessageCodec {
    /// The most bytes that `encode` can need for the message.
    package func encodedBytesMax(of message: Message) -> Int {
        // Four for the message type, 32 for two bitmaps in hex, six for the head of a data set and for a length indicator;
        // hex doubles.
        message.header.count + 42 + 6 * message.extents.count + 2 * message.storage.count + fillBytesMax
    }

    /// Writes the message to the start of a buffer of at least `encodedBytesMax(of:)` bytes and says how many
    /// bytes it took. After an error the buffer's bytes mean nothing.
    package func encode(
        _ message: Message, into buffer: UnsafeMutableRawBufferPointer
    ) throws(MessageEncodingError) -> Int {
        guard let base = buffer.baseAddress, buffer.count >= encodedBytesMax(of: message) else {
            throw MessageEncodingError(dataElement: nil, reason: .bufferTooSmall)
        }
        var writer = ElementWriter(output: base.assumingMemoryBound(to: UInt8.self))
        do {
            try writeHead(of: message, to: &writer)
        } catch {
            throw MessageEncodingError(dataElement: nil, reason: error)
        }
        var failure: MessageEncodingError?
        message.storage.withUnsafeBufferPointer { storage in
            specs.withUnsafeBufferPointer { specs in
                message.extents.withUnsafeBufferPointer { extents in
                    // An empty storage has no address; its elements have no bytes either.
                    let contents = storage.baseAddress ?? UnsafePointer(writer.output)
                    failure = Self.write(message.presentElements, extents, contents, specs, to: &writer)
                }
            }
        }
        if let failure { throw failure }
        return writer.position
    }

    private static func write(
        _ elements: Message.PresentElements, _ extents: UnsafeBufferPointer<Message.Extent>,
        _ contents: UnsafePointer<UInt8>, _ specs: UnsafeBufferPointer<ElementSpec>,
        to writer: inout ElementWriter
    ) -> MessageEncodingError? {
        var rank = 0
        for element in elements {
            let extent = extents[rank]
            rank += 1
            do throws(MessageEncodingError.Reason) {
                let spec = specs[Int(element.rawValue)]
                guard spec.form != .undefined else { throw .unknownElement }
                try writer.write(contents + Int(extent.offset), Int(extent.count), spec)
            } catch {
                return MessageEncodingError(dataElement: element, reason: error)
            }
        }
        return nil
    }

    /// Appends the message; after an error the bytes are as before.
    package func encode(_ message: Message, into bytes: inout [UInt8]) throws(MessageEncodingError) {
        let start = bytes.count
        let room = encodedBytesMax(of: message)
        bytes.reserveCapacity(start + room)
        // There is no way to hand out an array's unused room, so it is filled with zeros first (a memcpy) and
        // cut afterwards.
        var missing = room
        while missing > 0 {
            let part = min(missing, Self.zeros.count)
            bytes.append(contentsOf: Self.zeros[0..<part])
            missing -= part
        }
        let outcome: Result<Int, MessageEncodingError> = bytes.withUnsafeMutableBytes { all in
            do throws(MessageEncodingError) {
                return .success(
                    try encode(message, into: UnsafeMutableRawBufferPointer(rebasing: all[start...])))
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .success(let count):
            bytes.removeLast(room - count)
        case .failure(let error):
            bytes.removeLast(room)
            throw error
        }
    }

    private static let zeros = [UInt8](repeating: 0, count: 4096)

    /// The bytes of the message.
    package func encode(_ message: Message) throws(MessageEncodingError) -> [UInt8] {
        var failure: MessageEncodingError?
        let room = encodedBytesMax(of: message)
        let bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            do throws(MessageEncodingError) {
                let target = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: room)
                count = try encode(message, into: target)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    private func writeHead(
        of message: Message, to writer: inout ElementWriter
    ) throws(MessageEncodingError.Reason) {
        guard message.header.count == header.bytes else {
            throw .wrongHeaderLength(length: message.header.count, expected: header.bytes)
        }
        if header.bytes > 0 {
            message.header.withUnsafeBufferPointer { bytes in
                if let base = bytes.baseAddress { writer.put(base, bytes.count) }
            }
        }
        let mti = message.mti
        if messageType.encoding != .none {
            guard mti.version == messageType.version, mti.isWellFormed else { throw .wrongMessageType }
        }
        switch messageType.encoding {
        case .none: break
        case .bcd:
            writer.put(UInt8(mti.rawValue >> 8))
            writer.put(UInt8(mti.rawValue & 0xFF))
        case .ascii, .ebcdic:
            let zero: UInt8 = messageType.encoding == .ascii ? 0x30 : 0xF0
            writer.put(zero | mti.version)
            writer.put(zero | UInt8(mti.rawValue >> 8 & 0x0F))
            writer.put(zero | mti.function)
            writer.put(zero | mti.origin)
        }
        var primary = message.primary
        switch bitmap.secondary {
        case .announced:
            if message.secondary != 0 { primary |= 1 << 63 }
            writer.writeBitmap(primary, bits: 64, bitmap.encoding)
            if message.secondary != 0 { writer.writeBitmap(message.secondary, bits: 64, bitmap.encoding) }
        case .always, .alwaysAnnounced:
            if bitmap.secondary == .alwaysAnnounced { primary |= 1 << 63 }
            writer.writeBitmap(primary, bits: 64, bitmap.encoding)
            writer.writeBitmap(message.secondary, bits: 64, bitmap.encoding)
        case .never:
            writer.writeBitmap(primary, bits: bitmap.bits, bitmap.encoding)
        }
    }
}

extension ElementWriter {
    mutating func writeBitmap(_ value: UInt64, bits: Int, _ encoding: Dialect.Bitmap.Encoding) {
        if encoding == .binary, bits == 64 {
            UnsafeMutableRawPointer(output + position).storeBytes(of: value.bigEndian, as: UInt64.self)
            position += 8
            return
        }
        // The bits to be written stand at the top; each step takes the uppermost nibble or byte off.
        var rest = value
        let ebcdic = encoding == .ebcdicHex
        for _ in 0..<(encoding == .binary ? bits / 8 : bits / 4) {
            if encoding == .binary {
                put(UInt8(truncatingIfNeeded: rest &>> 56))
                rest &<<= 8
            } else {
                put(HexForm.digit(UInt8(truncatingIfNeeded: rest &>> 60), ebcdic: ebcdic))
                rest &<<= 4
            }
        }
    }
}

extension MessageEncodingError.Reason: Error {}
