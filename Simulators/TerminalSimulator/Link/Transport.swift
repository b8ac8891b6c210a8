/// What carries the bytes of a link: TCP alone, or TLS over it. Closed with its value.
enum Transport: ~Copyable {
    case plain(Connection)
    case secure(SecureConnection)

    /// - Parameter identity: nil for a link without TLS.
    init(to endpoint: Endpoint, identity: TLSIdentity?, timeout: Duration) throws(ConnectionError) {
        if let identity {
            self = .secure(try SecureConnection(to: endpoint, identity: identity, timeout: timeout))
        } else {
            self = .plain(try Connection(to: endpoint, timeout: timeout))
        }
    }

    /// Sends everything.
    borrowing func send(_ bytes: [UInt8], limit: TimeLimit, timeout: Duration) throws(ConnectionError) {
        switch self {
        case .plain(let connection): try connection.send(bytes, limit: limit, timeout: timeout)
        case .secure(let connection): try connection.send(bytes)
        }
    }

    /// Appends what has come, at least one byte.
    /// - Returns: false if nothing came within the limit.
    borrowing func receive(into bytes: inout [UInt8], limit: TimeLimit) throws(ConnectionError) -> Bool {
        switch self {
        case .plain(let connection): try connection.receive(into: &bytes, limit: limit)
        case .secure(let connection): try connection.receive(into: &bytes, limit: limit)
        }
    }
}
