/// Where an issuer host listens.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; IPv6 addresses without brackets.
    package let host: String
    /// 1…65,535.
    package let port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// - Returns: nil unless the text is `HOST:PORT` or `[IPV6]:PORT` with a port of 1…65,535.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
            port > 0
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: port)
    }

    /// `HOST:PORT`.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
