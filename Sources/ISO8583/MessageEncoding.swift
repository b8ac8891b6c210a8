extension MessageCodec {
    /// Appends the message; after an error the bytes are as before.
    package func encode(_ message: Message, into bytes: inout [UInt8]) throws(MessageEncodingError) {
        // Four for the message type, 32 for two bitmaps in hex, six for the head of a data set and for a length indicator;
        // hex doubles.
        let room =
            message.header.count + 42 + 6 * message.extents.count + 2 * message.storage.count + fillBytesMax
        try bytes.append(addingCapacity: room) { (span) throws(MessageEncodingError) in
            try span.withUnsafeMutableBufferPointer { (buffer, count) throws(MessageEncodingError) in
                guard let output = buffer.baseAddress else { return }
                var writer = ElementWriter(output: output)
                do throws(MessageEncodingError.Reason) { try writeHead(of: message, to: &writer) } catch {
                    throw MessageEncodingError(dataElement: nil, reason: error)
                }
                try writeElements(of: message, to: &writer)
                count = writer.position
            }
        }
    }

    private func writeElements(
        of message: Message, to writer: inout ElementWriter
    ) throws(MessageEncodingError) {
        try message.storage.span.withUnsafeBufferPointer { (storage) throws(MessageEncodingError) in
            // An empty storage has no address; its elements have no bytes either.
            let contents = storage.baseAddress ?? UnsafePointer(writer.output)
            var rank = 0
            for element in message.presentElements {
                let extent = message.extents[rank]
                rank += 1
                do throws(MessageEncodingError.Reason) {
                    try writer.write(
                        contents + Int(extent.offset), Int(extent.count), spec: specs[Int(element.rawValue)])
                } catch {
                    throw MessageEncodingError(dataElement: element, reason: error)
                }
            }
        }
    }

    private func writeHead(
        of message: Message, to writer: inout ElementWriter
    ) throws(MessageEncodingError.Reason) {
        guard message.header.count == header.bytes else {
            throw .wrongHeaderLength(length: message.header.count, expected: header.bytes)
        }
        for byte in message.header { writer.put(byte) }
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
        let isAnnounced =
            bitmap.secondary == .alwaysAnnounced || bitmap.secondary == .announced && message.secondary != 0
        writer.writeBitmap(
            isAnnounced ? message.primary | 1 << 63 : message.primary, bits: bitmap.bits,
            encoding: bitmap.encoding)
        if isAnnounced || bitmap.secondary == .always {
            writer.writeBitmap(message.secondary, bits: 64, encoding: bitmap.encoding)
        }
    }
}

extension ElementWriter {
    mutating func writeBitmap(_ value: UInt64, bits: Int, encoding: Dialect.Bitmap.Encoding) {
        if encoding == .binary, bits == 64 {
            UnsafeMutableRawPointer(output + position).storeBytes(of: value.bigEndian, as: UInt64.self)
            position += 8
            return
        }
        writeOtherBitmap(value, bits: bits, encoding: encoding)
    }
}

/// Writes contents in the form of a dialect to a buffer that is large enough for all of them.
struct ElementWriter {
    let output: UnsafeMutablePointer<UInt8>
    var position = 0

    @inline(__always)
    mutating func put(_ byte: UInt8) {
        output[position] = byte
        position += 1
    }

    @inline(__always)
    mutating func put(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        (output + position).update(from: bytes, count: count)
        position += count
    }

    mutating func write(
        _ content: UnsafePointer<UInt8>, _ count: Int, spec: ElementSpec
    ) throws(MessageEncodingError.Reason) {
        guard spec.form != .undefined else { throw .unknownElement }
        let whole = spec.around == .dataSet ? count + ElementSpec.dataSetHeadBytes : count
        if spec.lengthForm == nil {
            guard count == Int(spec.max) else {
                throw .wrongLength(length: count, expected: Int(spec.max))
            }
        } else {
            guard whole <= Int(spec.max) else {
                throw .lengthOverMaximum(length: whole, maximum: Int(spec.max))
            }
        }
        let misfit = spec.type.firstMisfit(content, count)
        guard misfit == count else { throw .badCharacter(index: misfit) }
        if let form = spec.lengthForm {
            var length = spec.indicated(whole)
            for index in (position..<position + Int(spec.lengthBytes)).reversed() {
                output[index] = form.takeLowest(of: &length)
            }
            position += Int(spec.lengthBytes)
        }
        if spec.around == .dataSet {
            writeBytes([0x01, UInt8(count >> 8), UInt8(count & 0xFF)], 3, form: spec.form)
        }
        switch spec.form {
        case .ascii, .binary: put(content, count)
        case .packed: pack(content, count, pad: spec.pad)
        case .signPacked:
            put(content[0])
            pack(content + 1, count - 1, pad: spec.pad)
        case .ebcdic: writeEBCDIC(content, count)
        case .hex, .ebcdicHex, .undefined: writeBytes(content, count, form: spec.form)
        }
        if spec.around == .spaces {
            for _ in count..<Int(spec.max) { put(spec.form == .ebcdic ? 0x40 : 0x20) }
        }
    }
}

extension ElementSpec {
    /// The number that the length indicator says for so much content.
    @inline(__always)
    func indicated(_ count: Int) -> Int {
        switch form {
        case .packed where countsBytes: (count + 1) / 2
        case .hex, .ebcdicHex: countsBytes ? count : 2 * count
        default: count
        }
    }
}
