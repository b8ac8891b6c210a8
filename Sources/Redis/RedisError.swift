/// Why a command has no reply, or a bad one.
package enum RedisError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There is no connection; the command was not sent.
    case notConnected(String)
    /// Too many commands wait for their replies; the command was not sent.
    case overloaded
    /// The connection broke after the command was sent: whether it was carried out is unknown.
    case connectionLost
    /// No reply in time: whether the command was carried out is unknown.
    case timedOut
    /// The peer does not speak RESP.
    case protocolViolation
    /// The server refused.
    case refused(RedisServerError)

    /// One line for logs.
    package var description: String {
        switch self {
        case .notConnected(let why): "Redis not connected: \(why)"
        case .overloaded: "too many Redis commands in flight"
        case .connectionLost: "Redis connection lost with the command in flight"
        case .timedOut: "no reply from Redis in time"
        case .protocolViolation: "Redis sent bytes that are no reply"
        case .refused(let error): "Redis refused: \(error)"
        }
    }
}
