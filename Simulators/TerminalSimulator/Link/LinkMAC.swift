package import LibCrypto

/// MACs on the messages of a link, in DE64, or in DE128 where there are elements behind 64: eight bytes over
/// everything from the message type up to the MAC itself. It describes itself without its key.
package struct LinkMAC: Sendable, CustomStringConvertible, CustomReflectable {
    /// How it is computed.
    package enum Algorithm: String, Sendable, CaseIterable, Decodable {
        /// ISO/IEC 9797-1 algorithm 1 with triple DES.
        case algorithm1 = "iso9797-1"
        /// ISO/IEC 9797-1 algorithm 3, the retail MAC.
        case algorithm3 = "iso9797-3"
        /// NIST SP 800-38B with triple DES.
        case tripleDESCMAC = "tdes-cmac"
        /// NIST SP 800-38B with AES; the first eight bytes.
        case aesCMAC = "aes-cmac"
    }

    /// What is done to the MAC of a request.
    package enum Deed: Hashable, Sendable {
        case right, wrong, missing
    }

    static let byteCount = 8

    /// How it is computed.
    package let algorithm: Algorithm
    /// Of the two ISO algorithms.
    package let padding: MACPadding
    private let key: [UInt8]

    /// - Parameter key: a zone authentication test key, 16 bytes; for AES also 24 or 32.
    package init(algorithm: Algorithm, padding: MACPadding, key: [UInt8]) {
        self.algorithm = algorithm
        self.padding = padding
        self.key = key
    }

    /// Says what it is, not what it holds.
    package var description: String { "\(algorithm.rawValue), padding \(padding.rawValue)" }
    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// Eight bytes.
    package func mac(over bytes: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        switch algorithm {
        case .algorithm1: return try MAC.algorithm1(key: key, bytes, padding: padding)
        case .algorithm3:
            guard let pair = DoubleLengthKey(bytes: key) else {
                throw .wrongCount(what: "zone authentication key", found: key.count)
            }
            let value = try MAC.algorithm3(key: pair, bytes, padding: padding)
            return (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (7 - $0))) }
        case .tripleDESCMAC: return try MAC.cmac(.tdes, key: key, data: bytes)
        case .aesCMAC: return Array(try MAC.cmac(.aes, key: key, data: bytes).prefix(LinkMAC.byteCount))
        }
    }
}
