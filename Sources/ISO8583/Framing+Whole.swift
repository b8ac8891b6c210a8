/// Frames put together whole, as tools and tests need them.
extension Framing {
    /// Where the TPDU of a frame lies, given its payload.
    package func tpdu(before payload: Range<Int>) -> Range<Int> {
        payload.lowerBound - tpduLength..<payload.lowerBound
    }

    /// The length that goes before a payload of so many bytes (the TPDU not counted).
    package func prefix(forPayloadCount count: Int) throws(FrameError) -> [UInt8] {
        var bytes: [UInt8] = []
        try appendPrefix(forPayloadCount: count, into: &bytes)
        return bytes
    }

    /// Appends length, TPDU (`tpduLength` bytes) and payload.
    package func appendFrame(
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

/// Frames over the limit: their first bytes are handed out, the rest is passed over.
extension FrameDecoder {
    /// - Parameters:
    ///   - following: bytes behind the length.
    ///   - count: bytes at hand.
    mutating func begin(oversized following: Int, _ count: Int) -> Outcome {
        let prefix = framing.lengthForm.byteCount
        let first = prefix + framing.frameBytesMax
        guard count >= first else { return .needMore(bytesMissing: first - count) }
        bytesToSkip = following - framing.frameBytesMax
        return .oversized(
            start: min(prefix + framing.tpduLength, first)..<first, frameBytes: following, consumed: first)
    }

    /// - Parameter count: bytes at hand.
    mutating func skip(_ count: Int) -> Outcome {
        guard count > 0 else { return .needMore(bytesMissing: bytesToSkip) }
        let skipped = min(bytesToSkip, count)
        bytesToSkip -= skipped
        return .skipped(consumed: skipped, isLast: bytesToSkip == 0)
    }
}
