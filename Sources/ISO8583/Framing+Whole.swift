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
