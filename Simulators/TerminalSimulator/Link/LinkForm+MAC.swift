internal import ISO8583
internal import LibCrypto

/// Messages with their MAC, and what is wrong with those that came.
extension WireForm {
    /// A message as bytes, sealed where the link has MACs.
    func encoded(_ message: Message, mac deed: LinkMAC.Deed) throws(ExchangeError) -> [UInt8] {
        guard let mac, deed != .missing else { return try encoded(message) }
        var sealed = message
        let element = macElement(of: message)
        sealed.set(element, bytes: [UInt8](repeating: 0, count: LinkMAC.byteCount))
        var value: [UInt8]
        do throws(LibCryptoError) { value = try mac.mac(over: covered(try? encoded(sealed), element)) } catch
        {
            throw .unsealable(error)
        }
        if deed == .wrong { value[0] ^= 1 }
        sealed.set(element, bytes: value)
        return try encoded(sealed)
    }

    /// Why the MAC of a message is not the right one; nil for a good one and for a link without MACs. Network
    /// management may come without.
    func macFault(of message: Message, _ bytes: [UInt8]) -> String? {
        guard let mac else { return nil }
        let element = macElement(of: message)
        guard let sent = message.bytes(element) else {
            return message.mti.messageClass == .networkManagement ? nil : "the answer has no MAC"
        }
        guard let right = try? mac.mac(over: covered(bytes, element)) else {
            return "the answer's MAC cannot be computed"
        }
        return Array(sent) == right ? nil : "the answer's MAC is wrong"
    }

    /// DE128 where there are elements behind 64.
    private func macElement(of message: Message) -> DataElement {
        message.presentElements.contains { $0.rawValue > 64 } ? .mac2 : .mac
    }

    /// Everything from the message type up to the MAC, which comes last.
    private func covered(_ bytes: [UInt8]?, _ element: DataElement) -> [UInt8] {
        let dialect = codec.dialect
        let count = dialect[element]?.encoding == .binary ? LinkMAC.byteCount : 2 * LinkMAC.byteCount
        return Array((bytes ?? []).dropFirst(dialect.header.bytes).dropLast(count))
    }

    private func encoded(_ message: Message) throws(ExchangeError) -> [UInt8] {
        do { return try codec.encode(message) } catch { throw .unencodable(error) }
    }
}
