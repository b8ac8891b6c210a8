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

    /// The most bytes of a frame over `frameBytesMax` that are passed over; a length beyond that is taken for none.
    static let skippedBytesMax = 65_535

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
        let start = bytes.count
        for _ in 0..<lengthForm.byteCount { bytes.append(0) }
        var rest = value
        for place in (0..<lengthForm.placeCount).reversed() {
            bytes[start + place] = lengthForm.digits.takeLowest(of: &rest)
        }
    }
}

extension Framing.LengthForm {
    /// How many bytes the length has.
    package var byteCount: Int { self == .twoByteAndZeros ? 4 : placeCount }

    /// How many bytes say the number, each one of its places, the highest first.
    var placeCount: Int {
        switch self {
        case .twoByteBigEndian, .twoByteAndZeros, .twoASCII, .twoByteBCD: 2
        case .fourASCII, .fourByteBigEndian, .fourHex: 4
        }
    }

    var digits: NumberForm {
        switch self {
        case .twoByteBigEndian, .twoByteAndZeros, .fourByteBigEndian: .binary
        case .twoByteBCD: .bcd
        case .fourHex: .hex
        case .fourASCII, .twoASCII: .ascii
        }
    }
}

/// What a byte of a length stands for: of a frame's or of an element's.
enum NumberForm: UInt8, Sendable {
    case ascii
    case ebcdic
    case bcd
    case binary
    case hex

    /// How many values a byte may have.
    @inline(__always)
    var radix: Int {
        switch self {
        case .ascii, .ebcdic: 10
        case .bcd: 100
        case .binary: 256
        case .hex: 16
        }
    }

    /// What a byte stands for; `radix` or more for one that stands for nothing.
    @inline(__always)
    func value(_ byte: UInt8) -> Int {
        switch self {
        case .ascii: Int(byte &- 0x30)
        case .ebcdic: Int(byte &- 0xF0)
        case .bcd: byte >> 4 <= 9 && byte & 0x0F <= 9 ? Int(byte >> 4) * 10 + Int(byte & 0x0F) : 100
        case .binary: Int(byte)
        case .hex: Int(HexForm.nibble(byte, ebcdic: false))
        }
    }

    /// Takes the lowest place off a number.
    @inline(__always)
    func takeLowest(of number: inout Int) -> UInt8 {
        // By constants: dividing by a variable costs many times as much.
        let whole = number
        switch self {
        case .ascii, .ebcdic:
            number = whole / 10
            return (self == .ascii ? 0x30 : 0xF0) | UInt8(truncatingIfNeeded: whole % 10)
        case .bcd:
            number = whole / 100
            return UInt8(truncatingIfNeeded: (whole / 10 % 10) << 4 | whole % 10)
        case .binary:
            number = whole >> 8
            return UInt8(truncatingIfNeeded: whole)
        case .hex:
            number = whole >> 4
            return HexForm.digit(UInt8(truncatingIfNeeded: whole & 0x0F), ebcdic: false)
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

    package let framing: Framing
    private var fault: FrameError?
    var bytesToSkip = 0

    /// Whether the rest of a frame over the limit is on its way.
    package var isSkipping: Bool { bytesToSkip > 0 }

    package init(framing: Framing) { self.framing = framing }

    /// Looks at the bytes that have come and not been consumed yet; offsets count from their start.
    package mutating func nextFrame(in bytes: UnsafeRawBufferPointer) -> Outcome {
        if let fault { return .invalid(fault) }
        if bytesToSkip > 0 { return skip(bytes.count) }
        let prefix = framing.lengthForm.byteCount
        guard bytes.count >= prefix else { return .needMore(bytesMissing: prefix - bytes.count) }
        do {
            let following = try length(in: bytes)
            guard following <= framing.frameBytesMax else { return begin(oversized: following, bytes.count) }
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
        let form = framing.lengthForm
        var value = 0
        for place in 0..<form.placeCount {
            let digit = form.digits.value(bytes[place])
            guard digit < form.digits.radix else { throw .lengthNotDecimal }
            value = value * form.digits.radix + digit
        }
        if form == .twoByteAndZeros {
            guard bytes[2] == 0, bytes[3] == 0 else { throw .zerosMissing }
        }
        let following = framing.includesItself ? value - form.byteCount : value
        guard following > framing.tpduLength else { throw .emptyFrame }
        guard following <= max(framing.frameBytesMax, Framing.skippedBytesMax) else {
            throw .lengthOverMaximum(bytes: following, maximum: framing.frameBytesMax)
        }
        return following
    }
}
