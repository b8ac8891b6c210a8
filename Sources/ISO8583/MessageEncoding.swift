internal import ByteCoding

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
                    failure = Self.write(
                        message.presentElements, extents, contents: contents, specs: specs, to: &writer)
                }
            }
        }
        if let failure { throw failure }
        return writer.position
    }

    private static func write(
        _ elements: Message.PresentElements, _ extents: UnsafeBufferPointer<Message.Extent>,
        contents: UnsafePointer<UInt8>, specs: UnsafeBufferPointer<ElementSpec>,
        to writer: inout ElementWriter
    ) -> MessageEncodingError? {
        var rank = 0
        for element in elements {
            let extent = extents[rank]
            rank += 1
            do throws(MessageEncodingError.Reason) {
                let spec = specs[Int(element.rawValue)]
                guard spec.form != .undefined else { throw .unknownElement }
                try writer.write(contents + Int(extent.offset), Int(extent.count), spec: spec)
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
            writer.writeBitmap(primary, bits: 64, encoding: bitmap.encoding)
            if message.secondary != 0 {
                writer.writeBitmap(message.secondary, bits: 64, encoding: bitmap.encoding)
            }
        case .always, .alwaysAnnounced:
            if bitmap.secondary == .alwaysAnnounced { primary |= 1 << 63 }
            writer.writeBitmap(primary, bits: 64, encoding: bitmap.encoding)
            writer.writeBitmap(message.secondary, bits: 64, encoding: bitmap.encoding)
        case .never:
            writer.writeBitmap(primary, bits: bitmap.bits, encoding: bitmap.encoding)
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
        let whole = spec.around == .dataSet ? count + ElementSpec.dataSetHeadBytes : count
        if spec.lengthForm == .fixed {
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
        if spec.lengthForm != .fixed { writeLength(spec.indicated(whole), spec) }
        if spec.around == .dataSet {
            let head = [0x01, UInt8(count >> 8), UInt8(count & 0xFF)]
            head.withUnsafeBufferPointer { bytes in
                if let base = bytes.baseAddress { writeBytes(base, bytes.count, form: spec.form) }
            }
        }
        switch spec.form {
        case .ascii, .binary:
            put(content, count)
        case .packed:
            pack(content, count, pad: spec.pad)
        case .signPacked:
            put(content[0])
            pack(content + 1, count - 1, pad: spec.pad)
        case .ebcdic:
            EBCDIC.fromLatin1.withUnsafeBufferPointer { table in
                for index in 0..<count {
                    output[position + index] = table[Int(content[index])]
                }
            }
            position += count
        case .hex, .ebcdicHex: writeBytes(content, count, form: spec.form)
        case .undefined:
            throw .unknownElement
        }
        if spec.around == .spaces {
            for _ in count..<Int(spec.max) { put(spec.form == .ebcdic ? 0x40 : 0x20) }
        }
    }

    private mutating func writeLength(_ length: Int, _ spec: ElementSpec) {
        var rest = length
        let bytes = Int(spec.lengthBytes)
        var index = position + bytes
        while index > position {
            index -= 1
            switch spec.lengthForm {
            case .ascii, .ebcdic:
                output[index] =
                    (spec.lengthForm == .ascii ? 0x30 : 0xF0) | UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            case .bcd:
                let pair = rest % 100
                output[index] = UInt8(truncatingIfNeeded: (pair / 10) << 4 | pair % 10)
                rest /= 100
            case .binary, .fixed:
                output[index] = UInt8(truncatingIfNeeded: rest)
                rest >>= 8
            }
        }
        position += bytes
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
