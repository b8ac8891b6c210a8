package import ISO8583
package import IssuerMessages
internal import NIOCore

/// One link: how its connections come about, how its messages look, and what each connection may cost.
package struct LinkConfiguration: Sendable {
    /// Which side opens the connections.
    package enum Role: String, Sendable {
        /// The acquirer's switch connects, the host listens.
        case server
        /// The host connects to the switch, again after every loss.
        case client
    }

    /// Name and keys.
    package var profile: LinkProfile
    /// Which side opens the connections.
    package var role = Role.server
    /// Address to listen on, or to connect to.
    package var host: String
    /// Port to listen on (0 takes a free one), or to connect to.
    package var port: Int
    /// How messages look.
    package var codec: MessageCodec
    /// How they are told apart.
    package var framing: Framing
    /// TLS with certificates of both sides; nil: plain TCP.
    package var tls: LinkTLS?
    /// MACs on messages; nil: none.
    package var mac: MessageMAC?
    /// How the switch sends new zone keys; nil: not at all.
    package var keyChange: KeyChangeArrangement?
    /// Peers that may connect; empty: any.
    package var allowedPeers: [PeerNetwork] = []
    /// Connections that may be open at once (server), or are held open (client).
    package var connectionsMax = 1_024
    /// Requests of one connection that may be under way at once. Enough for what comes while the store pauses: what is left
    /// unread in the meantime grows old without anybody knowing.
    package var inFlightMax: Int
    /// How long an answer may take, in nanoseconds.
    package var answerTimeoutNanoseconds: UInt64
    /// From the first byte of a frame or handshake to its last, in nanoseconds.
    package var frameTimeoutNanoseconds: UInt64 = 10_000_000_000
    /// Silence after which the host sends an echo, in nanoseconds; nil: never.
    package var echoAfterNanoseconds: UInt64?
    /// How long the peer may take to answer it, in nanoseconds.
    package var echoAnswerNanoseconds: UInt64 = 5_000_000_000
    /// Whether the host signs on when a connection is there, and off before it closes it.
    package var signsOn = false
    /// Whether the host is not ready while this link, which it dials, has no connection or is not signed on.
    package var isRequired = true
    /// Whether requests are served only between the peer's sign-on and its sign-off.
    package var signOnRequired = false

    /// Takes what every link has; the rest has defaults.
    package init(
        profile: LinkProfile, host: String, port: Int, codec: MessageCodec, framing: Framing,
        inFlightMax: Int = 4_096, answerTimeoutNanoseconds: UInt64 = 5_000_000_000
    ) {
        self.profile = profile
        self.host = host
        self.port = port
        self.codec = codec
        self.framing = framing
        self.inFlightMax = inFlightMax
        self.answerTimeoutNanoseconds = answerTimeoutNanoseconds
    }

    /// Whether a peer of this address may be connected.
    func allows(_ peer: SocketAddress?) -> Bool {
        role == .client || allowedPeers.isEmpty || allowedPeers.contains { $0.contains(peer) }
    }

    var limits: ConnectionLimits {
        ConnectionLimits(
            inFlightMax: inFlightMax, frameNanoseconds: frameTimeoutNanoseconds,
            unreadNanoseconds: frameTimeoutNanoseconds, echoAfterNanoseconds: echoAfterNanoseconds,
            echoAnswerNanoseconds: echoAnswerNanoseconds,
            stalledNanoseconds: answerTimeoutNanoseconds / 5 * 3)
    }
}
