/// What a connection has to do next.
enum ConnectionAction: Hashable {
    case nothing
    case stopReading
    case resumeReading
    /// Sends what is written, then closes.
    case close
    /// Closes at once: nothing can be sent any more, or nobody would read it.
    case abandon(AbandonReason)
    /// Asks the peer whether it is alive.
    case sendEcho
}

/// Why a connection is closed that nobody asked to close.
enum AbandonReason: String, Hashable, Sendable, CaseIterable {
    /// The TLS handshake took too long.
    case handshakeTooSlow = "the TLS handshake was not finished in time"
    /// Bytes of a frame came, but not all of them.
    case frameTooSlow = "a frame was begun and not finished in time"
    /// Answers wait and the peer takes none.
    case peerDoesNotRead = "the peer reads no answers"
    /// No bytes since the echo was sent.
    case peerDoesNotAnswer = "no answer to an echo"
    /// A reload says that the peer may not be connected.
    case peerNoLongerAllowed = "the peer is no longer allowed"

    /// As metrics name it; never changes.
    var label: String {
        switch self {
        case .handshakeTooSlow: "handshake_too_slow"
        case .frameTooSlow: "frame_too_slow"
        case .peerDoesNotRead: "peer_does_not_read"
        case .peerDoesNotAnswer: "peer_does_not_answer"
        case .peerNoLongerAllowed: "peer_no_longer_allowed"
        }
    }
}

/// The bounds of one connection. Zero is never without bound.
struct ConnectionLimits: Sendable {
    /// Requests that may be under way at once, at least 1.
    var inFlightMax = 256
    /// From the first byte of a frame, or of a handshake, to its last.
    var frameNanoseconds: UInt64 = 10_000_000_000
    /// How long answers may wait for a peer that does not read.
    var unreadNanoseconds: UInt64 = 10_000_000_000
    /// Silence after which the peer is asked for a sign of life; nil: never.
    var echoAfterNanoseconds: UInt64?
    /// How long it may take with that.
    var echoAnswerNanoseconds: UInt64 = 5_000_000_000
    /// At the cap without any answer for so long, waiting helps nobody: requests are refused from then on, so that
    /// echoes get through again. Long enough for a pause after which there is time left to answer.
    var stalledNanoseconds: UInt64 = 3_000_000_000
}
