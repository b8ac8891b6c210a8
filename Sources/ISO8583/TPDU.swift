/// Transport protocol data unit of terminal networks: five bytes, an identifier (60), the network number of
/// the destination and that of the origin, two bytes each.
public enum TPDU {
    /// Five.
    public static let byteCount = 5

    /// The TPDU that goes back: the origin becomes the destination. Nil for anything that is not five bytes.
    public static func reply(to tpdu: some Collection<UInt8>) -> [UInt8]? {
        let bytes = Array(tpdu)
        guard bytes.count == byteCount else { return nil }
        return [bytes[0], bytes[3], bytes[4], bytes[1], bytes[2]]
    }
}
