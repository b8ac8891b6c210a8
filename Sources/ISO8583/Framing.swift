/// How messages follow each other on a stream: each has its length before it.
package struct Framing: Equatable, Sendable {
    /// The form of the length.
    package enum LengthForm: String, Sendable, CaseIterable {
        /// Two bytes, the higher first.
        case twoByteBigEndian = "2be"
        /// Four decimal digits in ASCII.
        case fourASCII = "4ascii"
        /// Four bytes, the highest first.
        case fourByteBigEndian = "4be"
        /// Two decimal digits in ASCII.
        case twoASCII = "2ascii"
        /// Four decimal digits, packed into two bytes.
        case twoByteBCD = "2bcd"
        /// Two bytes, the higher first, and two of zeros, which the length does not count.
        case twoByteAndZeros = "2be-zeros"
        /// Four hex digits in ASCII.
        case fourHex = "4hex"
    }

    /// The form of the length before each message.
    package var lengthForm: LengthForm
    /// Whether the length counts its own bytes as well.
    package var includesItself: Bool
    /// Bytes of a TPDU between the length and the message, counted by the length; 0 if there is none.
    package var tpduLength: Int
    /// The most bytes that may follow the length (TPDU and message). Anything longer is refused before a byte
    /// of it is kept.
    package var frameBytesMax: Int

    /// Framing as given; `frameBytesMax` is cut to what the length can express.
    package init(
        _ lengthForm: LengthForm, includesItself: Bool = false, tpduLength: Int = 0, frameBytesMax: Int = 8192
    ) {
        self.lengthForm = lengthForm
        self.includesItself = includesItself
        self.tpduLength = tpduLength
        let most = lengthForm.valueMax
        self.frameBytesMax = min(
            frameBytesMax, includesItself ? most - lengthForm.byteCount : most)
    }

    /// The most bytes of a frame over `frameBytesMax` that are passed over; a length beyond that is taken for none.
    package static let skippedBytesMax = 65_535

    /// Two bytes that count what follows them.
    package static let twoByteBigEndian = Framing(.twoByteBigEndian)
    /// Four digits that count what follows them.
    package static let fourASCII = Framing(.fourASCII)

    /// Appends the length that goes before a payload of so many bytes.
    package func appendPrefix(
        forPayloadCount count: Int, into bytes: inout [UInt8]
    ) throws(FrameError) {
        guard count > 0 else { throw .emptyFrame }
        let following = count + tpduLength
        guard following <= frameBytesMax else {
            throw .lengthOverMaximum(bytes: following, maximum: frameBytesMax)
        }
        let value = includesItself ? following + lengthForm.byteCount : following
        switch lengthForm {
        case .twoByteBigEndian:
            bytes.append(UInt8(value >> 8))
            bytes.append(UInt8(value & 0xFF))
        case .twoByteAndZeros: bytes += [UInt8(value >> 8), UInt8(value & 0xFF), 0, 0]
        case .fourByteBigEndian:
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(value >> shift & 0xFF)) }
        case .fourASCII:
            for unit in [1000, 100, 10, 1] {
                bytes.append(0x30 + UInt8(value / unit % 10))
            }
        case .twoASCII:
            for unit in [10, 1] { bytes.append(0x30 + UInt8(value / unit % 10)) }
        case .twoByteBCD:
            for unit in [100, 1] {
                bytes.append(UInt8(value / unit / 10 % 10) << 4 | UInt8(value / unit % 10))
            }
        case .fourHex:
            for shift in [12, 8, 4, 0] {
                bytes.append(HexForm.digit(UInt8(value >> shift & 0x0F), ebcdic: false))
            }
        }
    }
}

extension Framing.LengthForm {
    /// How many bytes the length has.
    package var byteCount: Int {
        switch self {
        case .twoByteBigEndian, .twoASCII, .twoByteBCD: 2
        case .fourASCII, .fourByteBigEndian, .twoByteAndZeros, .fourHex: 4
        }
    }

    /// The greatest length that it can say.
    var valueMax: Int {
        switch self {
        case .twoByteBigEndian, .twoByteAndZeros, .fourHex: 65_535
        case .fourASCII, .twoByteBCD: 9_999
        case .twoASCII: 99
        case .fourByteBigEndian: Int(UInt32.max)
        }
    }
}

/// Cuts a stream into frames without keeping any of it: the caller holds the bytes, the decoder says how many
/// of them make the next frame. After the first fault it answers nothing else, because a stream that is out
/// of step cannot be brought back.
package struct FrameDecoder: Sendable {
    /// What the bytes at hand amount to.
    package enum Outcome: Equatable, Sendable {
        /// Not a whole frame; at least so many bytes are missing.
        case needMore(bytesMissing: Int)
        /// A whole frame: where its message lies (without length and TPDU), and how many bytes to drop after
        /// it.
        case frame(payload: Range<Int>, consumed: Int)
        /// The first `frameBytesMax` bytes of a frame that has more: where the message begins, how many bytes the whole
        /// frame has behind its length, and how many to drop now.
        case oversized(start: Range<Int>, frameBytes: Int, consumed: Int)
        /// Bytes of such a frame, to be dropped; `isLast` with the end of the frame.
        case skipped(consumed: Int, isLast: Bool)
        /// No frame can be found in this stream any more.
        case invalid(FrameError)
    }

    /// The framing of the stream.
    package let framing: Framing
    private var fault: FrameError?
    private var bytesToSkip = 0

    /// Whether the rest of a frame over the limit is on its way.
    package var isSkipping: Bool { bytesToSkip > 0 }

    /// A decoder for the start of a stream.
    package init(framing: Framing) {
        self.framing = framing
    }

    /// Looks at the bytes that have come and not been consumed yet; offsets count from their start.
    package mutating func nextFrame(in bytes: UnsafeRawBufferPointer) -> Outcome {
        if let fault { return .invalid(fault) }
        if bytesToSkip > 0 {
            guard !bytes.isEmpty else { return .needMore(bytesMissing: bytesToSkip) }
            let count = min(bytesToSkip, bytes.count)
            bytesToSkip -= count
            return .skipped(consumed: count, isLast: bytesToSkip == 0)
        }
        let prefix = framing.lengthForm.byteCount
        guard bytes.count >= prefix else { return .needMore(bytesMissing: prefix - bytes.count) }
        do {
            let following = try length(in: bytes)
            guard following <= framing.frameBytesMax else {
                let first = prefix + framing.frameBytesMax
                guard bytes.count >= first else { return .needMore(bytesMissing: first - bytes.count) }
                bytesToSkip = following - framing.frameBytesMax
                return .oversized(
                    start: min(prefix + framing.tpduLength, first)..<first, frameBytes: following,
                    consumed: first)
            }
            let whole = prefix + following
            guard bytes.count >= whole else { return .needMore(bytesMissing: whole - bytes.count) }
            return .frame(payload: prefix + framing.tpduLength..<whole, consumed: whole)
        } catch {
            fault = error
            return .invalid(error)
        }
    }

    /// The bytes that follow the length.
    private func length(in bytes: UnsafeRawBufferPointer) throws(FrameError) -> Int {
        var value = 0
        switch framing.lengthForm {
        case .twoByteBigEndian:
            value = Int(bytes[0]) << 8 | Int(bytes[1])
        case .twoByteAndZeros:
            value = Int(bytes[0]) << 8 | Int(bytes[1])
            guard bytes[2] == 0, bytes[3] == 0 else { throw .zerosMissing }
        case .fourByteBigEndian:
            for index in 0..<4 { value = value << 8 | Int(bytes[index]) }
        case .fourASCII, .twoASCII:
            for index in 0..<framing.lengthForm.byteCount {
                let digit = bytes[index] &- 0x30
                guard digit <= 9 else { throw .lengthNotDecimal }
                value = value * 10 + Int(digit)
            }
        case .twoByteBCD:
            for index in 0..<2 {
                guard bytes[index] >> 4 <= 9, bytes[index] & 0x0F <= 9 else { throw .lengthNotDecimal }
                value = value * 100 + Int(bytes[index] >> 4) * 10 + Int(bytes[index] & 0x0F)
            }
        case .fourHex:
            for index in 0..<4 {
                let digit = HexForm.nibble(bytes[index], ebcdic: false)
                guard digit <= 0x0F else { throw .lengthNotDecimal }
                value = value << 4 | Int(digit)
            }
        }
        let following = framing.includesItself ? value - framing.lengthForm.byteCount : value
        guard following > framing.tpduLength else { throw .emptyFrame }
        guard following <= max(framing.frameBytesMax, Framing.skippedBytesMax) else {
            throw .lengthOverMaximum(bytes: following, maximum: framing.frameBytesMax)
        }
        return following
    }
}
