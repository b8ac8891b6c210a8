public import ISO8583
public import IssuerMessages

/// One listening link.
public struct LinkConfiguration: Sendable {
    /// Name and keys.
    public var profile: LinkProfile
    /// Address to listen on.
    public var host: String
    /// Port to listen on; 0 takes a free one.
    public var port: Int
    /// How messages look.
    public var codec: MessageCodec
    /// How they are told apart.
    public var framing: Framing
    /// Requests of one connection that may be under way at once.
    public var inFlightMax: Int
    /// How long an answer may take, in nanoseconds.
    public var answerTimeoutNanoseconds: UInt64

    /// Takes the parts.
    public init(
        profile: LinkProfile, host: String, port: Int, codec: MessageCodec, framing: Framing,
        inFlightMax: Int = 256, answerTimeoutNanoseconds: UInt64 = 5_000_000_000
    ) {
        self.profile = profile
        self.host = host
        self.port = port
        self.codec = codec
        self.framing = framing
        self.inFlightMax = inFlightMax
        self.answerTimeoutNanoseconds = answerTimeoutNanoseconds
    }
}
