internal import IssuerConfiguration
internal import ISO8583
internal import LibCrypto
internal import VirtualCard

/// MACs of a link: eight bytes over everything from the message type up to the MAC itself, in DE64, or in DE128 where there
/// are elements behind 64. Computed with libcrypto, while the host has its token do it.
struct LoadMAC: Sendable {
    private enum Algorithm: String {
        case algorithm1 = "iso9797-1"
        case algorithm3 = "iso9797-3"
        case tripleDESCMAC = "tdes-cmac"
        case aesCMAC = "aes-cmac"
    }

    private static let byteCount = 8

    private let algorithm: Algorithm
    private let padding: MACPadding
    private let key: [UInt8]

    init(_ mac: IssuerConfiguration.Link.MAC, _ issuer: DemoIssuer) throws {
        guard let algorithm = Algorithm(rawValue: mac.algorithm),
            let padding = MACPadding(rawValue: mac.padding)
        else { throw LoadSetupError("mac: \(mac.algorithm) with padding \(mac.padding) is unknown") }
        (self.algorithm, self.padding, key) = (algorithm, padding, try issuer.key(mac.key))
    }

    /// The message's bytes with its MAC.
    func seal(_ message: Message, _ codec: MessageCodec, into bytes: inout [UInt8]) throws {
        var sealed = message
        let element = element(of: message)
        sealed.set(element, bytes: [UInt8](repeating: 0, count: Self.byteCount))
        sealed.set(element, bytes: try mac(covered(try codec.encode(sealed), element, codec: codec)))
        try codec.encode(sealed, into: &bytes)
    }

    /// Why the MAC of an answer is not the right one.
    func fault(of answer: Message, _ bytes: UnsafeRawBufferPointer, codec: MessageCodec) -> String? {
        let element = element(of: answer)
        guard let sent = answer.bytes(element) else { return "the answer has no MAC" }
        guard let right = try? mac(covered(Array(bytes), element, codec: codec)) else {
            return "the answer's MAC cannot be computed"
        }
        return Array(sent) == right ? nil : "the answer's MAC is wrong"
    }

    private func element(of message: Message) -> DataElement {
        message.presentElements.contains { $0.rawValue > 64 } ? .mac2 : .mac
    }

    private func covered(_ bytes: [UInt8], _ element: DataElement, codec: MessageCodec) -> [UInt8] {
        let isBinary = codec.dialect[element]?.encoding == .binary
        return Array(
            bytes.dropFirst(codec.dialect.header.bytes).dropLast(
                isBinary ? Self.byteCount : 2 * Self.byteCount))
    }

    private func mac(_ bytes: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        switch algorithm {
        case .algorithm1: return try MAC.algorithm1(key: key, bytes, padding: padding)
        case .algorithm3:
            guard let pair = DoubleLengthKey(bytes: key) else {
                throw .wrongCount(what: "zone authentication key", found: key.count)
            }
            let value = try MAC.algorithm3(key: pair, bytes, padding: padding)
            return (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (7 - $0))) }
        case .tripleDESCMAC: return try MAC.cmac(.tdes, key: key, data: bytes)
        case .aesCMAC: return Array(try MAC.cmac(.aes, key: key, data: bytes).prefix(Self.byteCount))
        }
    }
}
