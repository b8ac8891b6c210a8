package import Authorisation
package import ISO8583

/// MACs on the messages of a link, in DE64, or in DE128 where there are elements behind 64. Over everything from the
/// message type up to the MAC itself, eight bytes (ISO 8583:1987 4.3.6 leaves the algorithm to the parties).
///
/// Network management may come without one, so that echoes need no token; with one it is checked and answered alike.
package struct MessageMAC: Hashable, Sendable {
    /// How it is computed.
    package enum Algorithm: Hashable, Sendable {
        /// ISO/IEC 9797-1 algorithm 1, triple DES.
        case iso9797Algorithm1
        /// ISO/IEC 9797-1 algorithm 3, the retail MAC.
        case iso9797Algorithm3
        /// NIST SP 800-38B with triple DES.
        case tripleDESCMAC
        /// NIST SP 800-38B with AES; the first eight bytes.
        case aesCMAC
    }

    /// The zone authentication key in the token.
    package var key: KeyName
    /// How it is computed.
    package var algorithm: Algorithm
    /// Of the two ISO algorithms: 1 (zeros) or 2 (`80`, then zeros).
    package var padding: Int

    package init(key: KeyName, algorithm: Algorithm, padding: Int) {
        self.key = key
        self.algorithm = algorithm
        self.padding = padding
    }

    /// Whether a dialect has places for MACs.
    package static func hasPlace(in codec: MessageCodec) -> Bool {
        MACPlace.exists(in: codec)
    }
}

/// Where the MAC of a message lies, in one dialect.
struct MACPlace {
    static let byteCount = 8

    /// DE64, or DE128.
    let element: DataElement
    /// Bytes that it takes at the end of the message.
    private let encodedBytes: Int
    private let headerBytes: Int

    /// The place in a message that has a MAC; nil for one without.
    init?(in message: Message, _ codec: MessageCodec) {
        guard let element = [DataElement.mac2, .mac].first(where: { message.has($0) }) else { return nil }
        self.init(element, codec)
    }

    /// The place that a message is given one.
    init?(for message: Message, _ codec: MessageCodec) {
        let behind = message.presentElements.contains { $0.rawValue > 64 }
        self.init(behind ? .mac2 : .mac, codec)
    }

    private init?(_ element: DataElement, _ codec: MessageCodec) {
        guard let definition = codec.dialect[element], definition.length == .fixed,
            definition.type == .binary, definition.max == MACPlace.byteCount
        else { return nil }
        self.element = element
        encodedBytes = definition.encoding == .binary ? 8 : 16
        headerBytes = codec.dialect.header.bytes
    }

    /// What the MAC is over, of a whole encoded message.
    func covered(of message: UnsafeRawBufferPointer) -> [UInt8] {
        guard message.count > headerBytes + encodedBytes else { return [] }
        return Array(message[headerBytes..<message.count - encodedBytes])
    }

    /// Whether a dialect has places for MACs.
    static func exists(in codec: MessageCodec) -> Bool {
        MACPlace(.mac, codec) != nil && MACPlace(.mac2, codec) != nil
    }
}
