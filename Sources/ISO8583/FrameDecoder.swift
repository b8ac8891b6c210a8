/// Cuts a stream into frames without keeping any of it: the caller holds the bytes, the decoder says how many
/// of them make the next frame. After the first fault it answers nothing else, because a stream that is out
/// of step cannot be brought back.
public struct FrameDecoder: Sendable {
    /// What the bytes at hand amount to.
    public enum Outcome: Equatable, Sendable {
        /// Not a whole frame; at least so many bytes are missing.
        case needMore(bytesMissing: Int)
        /// A whole frame: where its message lies (without length and TPDU), and how many bytes to drop after
        /// it.
        case frame(payload: Range<Int>, consumed: Int)
        /// No frame can be found in this stream any more.
        case invalid(FrameError)
    }

    /// The framing of the stream.
    public let framing: Framing
    private var fault: FrameError?

    /// A decoder for the start of a stream.
    public init(framing: Framing) {
        self.framing = framing
    }

    /// Looks at the bytes that have come and not been consumed yet; offsets count from their start.
    public mutating func nextFrame(in bytes: UnsafeRawBufferPointer) -> Outcome {
        if let fault { return .invalid(fault) }
        let prefix = framing.lengthForm.byteCount
        guard bytes.count >= prefix else { return .needMore(bytesMissing: prefix - bytes.count) }
        do {
            let following = try length(in: bytes)
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
        case .fourASCII:
            for index in 0..<4 {
                let digit = bytes[index] &- 0x30
                guard digit <= 9 else { throw .lengthNotDecimal }
                value = value * 10 + Int(digit)
            }
        }
        let following = framing.includesItself ? value - framing.lengthForm.byteCount : value
        guard following > framing.tpduLength else { throw .emptyFrame }
        guard following <= framing.frameBytesMax else {
            throw .lengthOverMaximum(bytes: following, maximum: framing.frameBytesMax)
        }
        return following
    }
}
