public import ISO8583
public import IssuerMessages

/// One link: how its connections come about, how its messages look, and what each connection may cost.
public struct LinkConfiguration: Sendable {
    /// Which side opens the connections.
    public enum Role: String, Sendable {
        /// The acquirer's switch connects, the host listens.
        case server
        /// The host connects to the switch, again after every loss.
        case client
    }

    /// Name and keys.
    public var profile: LinkProfile
    /// Which side opens the connections.
    public var role = Role.server
    /// Address to listen on, or to connect to.
    public var host: String
    /// Port to listen on (0 takes a free one), or to connect to.
    public var port: Int
    /// How messages look.
    public var codec: MessageCodec
    /// How they are told apart.
    public var framing: Framing
    /// TLS with certificates of both sides; nil: plain TCP.
    public var tls: LinkTLS?
    /// MACs on messages; nil: none.
    public var mac: MessageMAC?
    /// How the switch sends new zone keys; nil: not at all.
    public var keyChange: KeyChangeArrangement?
    /// Peers that may connect; empty: any.
    public var allowedPeers: [PeerNetwork] = []
    /// Connections that may be open at once (server), or are held open (client).
    public var connectionsMax = 1_024
    /// Requests of one connection that may be under way at once. Enough for what comes while the store pauses: what is left
    /// unread in the meantime grows old without anybody knowing.
    public var inFlightMax: Int
    /// How long an answer may take, in nanoseconds.
    public var answerTimeoutNanoseconds: UInt64
    /// From the first byte of a frame or handshake to its last, in nanoseconds.
    public var frameTimeoutNanoseconds: UInt64 = 10_000_000_000
    /// Silence after which the host sends an echo, in nanoseconds; nil: never.
    public var echoAfterNanoseconds: UInt64?
    /// How long the peer may take to answer it, in nanoseconds.
    public var echoAnswerNanoseconds: UInt64 = 5_000_000_000
    /// Whether the host signs on when a connection is there, and off before it closes it.
    public var signsOn = false
    /// Whether the host is not ready while this link, which it dials, has no connection or is not signed on.
    public var isRequired = true
    /// Whether requests are served only between the peer's sign-on and its sign-off.
    public var signOnRequired = false

    /// Takes what every link has; the rest has defaults.
    public init(
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

    var limits: ConnectionLimits {
        ConnectionLimits(
            inFlightMax: inFlightMax, frameNanoseconds: frameTimeoutNanoseconds,
            unreadNanoseconds: frameTimeoutNanoseconds, echoAfterNanoseconds: echoAfterNanoseconds,
            echoAnswerNanoseconds: echoAnswerNanoseconds,
            stalledNanoseconds: answerTimeoutNanoseconds / 5 * 3)
    }
}
