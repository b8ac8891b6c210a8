package import NIOCore

/// Where a server is.
package enum RedisAddress: Hashable, Sendable, CustomStringConvertible {
    /// A Unix socket.
    case unix(path: String)
    /// TCP.
    case tcp(host: String, port: Int)

    /// For people.
    package var description: String {
        switch self {
        case .unix(let path): path
        case .tcp(let host, let port): "\(host):\(port)"
        }
    }
}

/// Bounds of a connection. Zero never means without bound.
package struct RedisConnectionSettings: Sendable {
    /// Commands that may wait for their replies: more than a host has requests under way.
    package var inFlightCommandsMax = 65_536
    /// How long a command may wait for its reply.
    package var replyTimeout: TimeAmount = .seconds(2)
    /// A connection whose oldest command waits longer than this is given up. Its command was given up before;
    /// the next
    /// connection may find another master.
    package var stallTimeout: TimeAmount = .seconds(3)
    /// How long connecting may take.
    package var connectTimeout: TimeAmount = .seconds(2)
    /// Pause after the first failed attempt; doubled up to `reconnectDelayMax`, with jitter.
    var reconnectDelayMin: TimeAmount = .milliseconds(20)
    /// See `reconnectDelayMin`.
    var reconnectDelayMax: TimeAmount = .seconds(2)

    /// Told when the sentinels name another primary than before: the old one, then the new one.
    package var primaryReplaced: @Sendable (RedisAddress, RedisAddress) -> Void = { _, _ in }

    /// Told when a primary is left that may be cut off, with the reason.
    package var primaryDoubted: @Sendable (RedisAddress, String) -> Void = { _, _ in }

    /// The defaults above.
    package init() {}
}
