/// Transport protocol data unit of terminal networks: five bytes, an identifier (60), the network number of
/// the destination and that of the origin, two bytes each.
package enum TPDU {
    /// Five.
    package static let byteCount = 5

    /// The TPDU that goes back: the origin becomes the destination. Nil for anything that is not five bytes.
    package static func reply(to tpdu: some Collection<UInt8>) -> [UInt8]? {
        tpdu.count == byteCount ? exchanged(tpdu) : nil
    }

    /// A header of two addresses of equal length, behind an identifier of one byte where the bytes are odd, with the
    /// addresses exchanged.
    static func exchanged(_ header: some Collection<UInt8>) -> [UInt8] {
        let bytes = Array(header)
        let (identifier, half) = (bytes.count % 2, bytes.count / 2)
        return Array(bytes[..<identifier]) + bytes[(identifier + half)...]
            + bytes[identifier..<identifier + half]
    }
}
