internal import NIOCore

/// An address or network that may connect: `10.1.2.3`, `10.1.0.0/16`, `2001:db8::/32`.
package struct PeerNetwork: Hashable, Sendable, CustomStringConvertible {
    private let address: [UInt8]
    private let prefixBits: Int

    /// - Parameter text: an address, with `/` and the number of leading bits for a network.
    /// - Returns: nil where it is neither.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first,
            let parsed = try? SocketAddress(ipAddress: String(first), port: 0),
            let bytes = PeerNetwork.bytes(of: parsed)
        else { return nil }
        address = bytes
        guard parts.count == 2 else {
            prefixBits = 8 * bytes.count
            return
        }
        guard let bits = Int(parts[1]), (0...8 * bytes.count).contains(bits) else { return nil }
        prefixBits = bits
    }

    /// True if the peer's address lies in it. An IPv4 address inside IPv6 counts as the IPv4 address that it is.
    func contains(_ peer: SocketAddress?) -> Bool {
        guard let peer, let bytes = PeerNetwork.bytes(of: peer), bytes.count == address.count else {
            return false
        }
        return (0..<prefixBits).allSatisfy { bit in
            (bytes[bit / 8] ^ address[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
        }
    }

    /// As it is written in a configuration.
    package var description: String {
        if address.count == 4 {
            return address.map { "\($0)" }.joined(separator: ".") + "/\(prefixBits)"
        }
        let groups = stride(from: 0, to: 16, by: 2).map {
            String(UInt16(address[$0]) << 8 | UInt16(address[$0 + 1]), radix: 16)
        }
        return groups.joined(separator: ":") + "/\(prefixBits)"
    }

    private static func bytes(of address: SocketAddress) -> [UInt8]? {
        // Where the address lies in sockaddr_in and sockaddr_in6 (RFC 3493 3.3).
        switch address {
        case .v4:
            return address.withSockAddr { raw, _ in Array(UnsafeRawBufferPointer(start: raw, count: 8)[4..<8])
            }
        case .v6:
            let bytes = address.withSockAddr { raw, _ in
                Array(UnsafeRawBufferPointer(start: raw, count: 24)[8..<24])
            }
            let mapped = bytes.prefix(12).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF])
            return mapped ? Array(bytes.suffix(4)) : bytes
        case .unixDomainSocket: return nil
        }
    }
}
