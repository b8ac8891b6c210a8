/// How messages follow each other on a stream: each has its length before it.
public struct Framing: Equatable, Sendable {
    /// The form of the length.
    public enum LengthForm: String, Sendable, CaseIterable {
        /// Two bytes, the higher first.
        case twoByteBigEndian = "2be"
        /// Four decimal digits in ASCII.
        case fourASCII = "4ascii"
    }

    /// The form of the length before each message.
    public var lengthForm: LengthForm
    /// Whether the length counts its own bytes as well.
    public var includesItself: Bool
    /// Bytes of a TPDU between the length and the message, counted by the length; 0 if there is none.
    public var tpduLength: Int
    /// The most bytes that may follow the length (TPDU and message). Anything longer is refused before a byte
    /// of it is kept.
    public var frameBytesMax: Int

    /// Framing as given; `frameBytesMax` is cut to what the length can express.
    public init(
        _ lengthForm: LengthForm, includesItself: Bool = false, tpduLength: Int = 0, frameBytesMax: Int = 8192
    ) {
        self.lengthForm = lengthForm
        self.includesItself = includesItself
        self.tpduLength = tpduLength
        let most = (lengthForm == .fourASCII ? 9999 : 65535)
        self.frameBytesMax = min(
            frameBytesMax, includesItself ? most - lengthForm.byteCount : most)
    }

    /// Two bytes that count what follows them.
    public static let twoByteBigEndian = Framing(.twoByteBigEndian)
    /// Four digits that count what follows them.
    public static let fourASCII = Framing(.fourASCII)

    /// Where the TPDU of a frame lies, given its payload.
    public func tpdu(before payload: Range<Int>) -> Range<Int> {
        payload.lowerBound - tpduLength..<payload.lowerBound
    }

    /// The length that goes before a payload of so many bytes (the TPDU not counted).
    public func prefix(forPayloadCount count: Int) throws(FrameError) -> [UInt8] {
        var bytes: [UInt8] = []
        try appendPrefix(forPayloadCount: count, into: &bytes)
        return bytes
    }

    /// Appends the length that goes before a payload of so many bytes.
    public func appendPrefix(
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
        case .fourASCII:
            for unit in [1000, 100, 10, 1] {
                bytes.append(0x30 + UInt8(value / unit % 10))
            }
        }
    }

    /// Appends length, TPDU (`tpduLength` bytes) and payload.
    public func appendFrame(
        of payload: some Collection<UInt8>, tpdu: some Collection<UInt8> = [UInt8](),
        into bytes: inout [UInt8]
    ) throws(FrameError) {
        guard tpdu.count == tpduLength else {
            throw .wrongTPDULength(bytes: tpdu.count, expected: tpduLength)
        }
        try appendPrefix(forPayloadCount: payload.count, into: &bytes)
        bytes.append(contentsOf: tpdu)
        bytes.append(contentsOf: payload)
    }
}

extension Framing.LengthForm {
    /// How many bytes the length has.
    public var byteCount: Int {
        switch self {
        case .twoByteBigEndian: 2
        case .fourASCII: 4
        }
    }
}

/// Why a stream cannot be cut into frames, or a payload not be framed.
public enum FrameError: Error, Equatable, Sendable {
    /// The length is not made of four digits.
    case lengthNotDecimal
    /// The length leaves no room for a message.
    case emptyFrame
    /// More bytes than the link allows.
    case lengthOverMaximum(bytes: Int, maximum: Int)
    /// The TPDU to be sent is not as long as the framing says.
    case wrongTPDULength(bytes: Int, expected: Int)
}
