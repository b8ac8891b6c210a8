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

    /// As metrics name it; never changes.
    var label: String {
        switch self {
        case .handshakeTooSlow: "handshake_too_slow"
        case .frameTooSlow: "frame_too_slow"
        case .peerDoesNotRead: "peer_does_not_read"
        case .peerDoesNotAnswer: "peer_does_not_answer"
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

/// One acquirer connection as a machine: events in, actions out, no I/O, no clock. Times are nanoseconds of one
/// monotonic clock.
struct ConnectionState {
    private enum Phase { case open, closing, closed }

    private var phase = Phase.open
    var limits: ConnectionLimits
    /// Requests accepted and not answered yet.
    private(set) var inFlight = 0
    /// True while no request is taken because too many are under way.
    private var atCap = false
    private var shedding = false
    private var progressAt: UInt64 = 0
    private var handshaking = false
    private var begunAt: UInt64?
    private var unreadSince: UInt64?
    /// When the peer was last heard.
    private(set) var heardAt: UInt64
    private var echoSentAt: UInt64?

    /// - Parameter now: the connection is there since then.
    init(limits: ConnectionLimits, now: UInt64) {
        self.limits = limits
        heardAt = now
    }

    /// False once no more requests are taken.
    var acceptsRequests: Bool { phase == .open }

    /// True while the peer is made to wait.
    var readingStopped: Bool { (atCap && !shedding) || unreadSince != nil }

    /// False: the request has to be refused now, since as many as may be are under way and none is answered.
    var admitsRequest: Bool { inFlight < max(1, limits.inFlightMax) }

    // MARK: - Requests

    /// A request was accepted. At the cap the connection stops reading: the peer's own flow control then does
    /// the waiting, and nothing is refused that could be served a moment later.
    mutating func accepted(now: UInt64) -> ConnectionAction {
        inFlight += 1
        guard !admitsRequest, !atCap else { return .nothing }
        atCap = true
        progressAt = now
        return .stopReading
    }

    /// A request was answered.
    mutating func answered(now: UInt64) -> ConnectionAction {
        inFlight -= 1
        progressAt = now
        switch phase {
        case .closing: return inFlight == 0 ? .close : .nothing
        case .closed: return .nothing
        case .open:
            // Half of the cap, so that reading is not switched at every answer.
            guard atCap, inFlight <= limits.inFlightMax / 2 else { return .nothing }
            let waited = readingStopped
            (atCap, shedding) = (false, false)
            return waited && !readingStopped ? .resumeReading : .nothing
        }
    }

    // MARK: - Bytes

    /// Bytes came from the peer.
    mutating func heard(now: UInt64) {
        heardAt = now
        echoSentAt = nil
    }

    /// What came ends in the middle of a frame, or does not.
    mutating func frameIncomplete(_ incomplete: Bool, now: UInt64) {
        guard !handshaking else { return }
        begunAt = incomplete ? begunAt ?? now : nil
    }

    mutating func handshakeBegan(now: UInt64) { (handshaking, begunAt) = (true, now) }

    mutating func handshakeEnded() { (handshaking, begunAt) = (false, nil) }

    /// The peer takes answers, or leaves too many of them unread.
    mutating func writable(_ writable: Bool, now: UInt64) -> ConnectionAction {
        let waited = readingStopped
        unreadSince = writable ? nil : unreadSince ?? now
        guard phase == .open, waited != readingStopped else { return .nothing }
        return readingStopped ? .stopReading : .resumeReading
    }

    // MARK: - Time

    /// Time passes: to be told some times a second.
    mutating func tick(now: UInt64) -> ConnectionAction {
        guard phase != .closed else { return .nothing }
        // While the host does not read, the rest of a frame cannot come.
        if readingStopped, begunAt != nil { begunAt = now }
        if let begunAt, now >= begunAt &+ limits.frameNanoseconds {
            return .abandon(handshaking ? .handshakeTooSlow : .frameTooSlow)
        }
        if let unreadSince, now >= unreadSince &+ limits.unreadNanoseconds {
            return .abandon(.peerDoesNotRead)
        }
        guard phase == .open else { return .nothing }
        if atCap, !shedding, now >= progressAt &+ limits.stalledNanoseconds {
            shedding = true
            return readingStopped ? .nothing : .resumeReading
        }
        return echo(now: now)
    }

    private mutating func echo(now: UInt64) -> ConnectionAction {
        guard let silence = limits.echoAfterNanoseconds, !handshaking, !readingStopped else {
            return .nothing
        }
        if let echoSentAt {
            return now >= echoSentAt &+ limits.echoAnswerNanoseconds
                ? .abandon(.peerDoesNotAnswer) : .nothing
        }
        guard now >= heardAt &+ silence else { return .nothing }
        echoSentAt = now
        return .sendEcho
    }

    // MARK: - The end

    /// The host is stopping, or the peer has closed its side: what is under way is still answered.
    mutating func drain() -> ConnectionAction {
        guard phase == .open else { return .nothing }
        phase = .closing
        begunAt = nil
        return inFlight == 0 ? .close : .stopReading
    }

    /// The connection is gone.
    mutating func closed() { phase = .closed }
}
