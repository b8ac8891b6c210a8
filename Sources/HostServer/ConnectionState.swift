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
    /// Something was served on it, or may be: the handshake is over and the peer is who it has to be.
    private(set) var isEstablished = false
    private var isRefused = false
    /// The channel wanted to read while the peer was made to wait.
    private var readHeld = false
    /// Frames of one read are being taken: reading goes on by itself.
    private var takesFrames = false
    /// The peer has closed its side.
    private(set) var inputHasEnded = false
    /// It closed its side, and what came before that is still to be read.
    private var drainsWhenRead = false
    /// The peer has said something.
    private(set) var wasHeard = false
    /// Since when the connection only waits for its end.
    private(set) var lingeringSince: UInt64?

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
        precondition(inFlight > 0, "an answer belongs to a request that was accepted")
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
            return waited && !readingStopped ? resume : .nothing
        }
    }

    // MARK: - Bytes

    /// Bytes came from the peer.
    mutating func heard(now: UInt64) {
        heardAt = now
        wasHeard = true
        echoSentAt = nil
    }

    /// What came ends in the middle of a frame, or does not.
    mutating func frameIncomplete(_ incomplete: Bool, now: UInt64) {
        guard !handshaking else { return }
        begunAt = incomplete ? begunAt ?? now : nil
    }

    mutating func handshakeBegan(now: UInt64) { (handshaking, begunAt) = (true, now) }

    mutating func handshakeEnded() { (handshaking, begunAt) = (false, nil) }

    /// The peer is who it has to be.
    mutating func established() { isEstablished = true }

    /// The peer is not let in.
    /// - Returns: true once a connection, and only before it served anything.
    mutating func refused() -> Bool {
        guard !isEstablished, !isRefused else { return false }
        isRefused = true
        return true
    }

    /// The peer takes answers, or leaves too many of them unread.
    mutating func writable(_ writable: Bool, now: UInt64) -> ConnectionAction {
        let waited = readingStopped
        unreadSince = writable ? nil : unreadSince ?? now
        guard phase == .open, waited != readingStopped else { return .nothing }
        return readingStopped ? .stopReading : resume
    }

    /// What was read before the peer was made to wait comes first, unless its frames are being taken just now.
    private var resume: ConnectionAction { takesFrames ? .nothing : .resumeReading }

    // MARK: - Reading

    /// The channel wants to read.
    /// - Returns: false while the peer is made to wait; `takeHeldRead` says when. At its end a connection is read to the end.
    mutating func mayRead() -> Bool {
        guard readingStopped, acceptsRequests else { return true }
        readHeld = true
        return false
    }

    /// Whether a read that was held may go on; true once.
    mutating func takeHeldRead() -> Bool {
        guard readHeld, !readingStopped || !acceptsRequests else { return false }
        readHeld = false
        return true
    }

    /// The frames of one read are taken from here on.
    mutating func framesBegin() { takesFrames = true }

    /// They were taken.
    /// - Parameters:
    ///   - hasWhole: a frame ended in these bytes. The time of the next one then begins anew: a busy connection's reads
    ///     all end in one.
    ///   - isIncomplete: one has begun and is not whole.
    mutating func framesEnd(hasWhole: Bool, isIncomplete: Bool, now: UInt64) -> ConnectionAction {
        takesFrames = false
        if hasWhole { frameIncomplete(false, now: now) }
        frameIncomplete(isIncomplete && !readingStopped, now: now)
        return drainsWhenRead && !readingStopped ? drain() : .nothing
    }

    /// The peer has closed its side: it still waits for its answers, and what was read and waits for its turn is taken.
    mutating func inputEnded(hasUnread: Bool) -> ConnectionAction {
        inputHasEnded = true
        if hasUnread, readingStopped {
            drainsWhenRead = true
            return .nothing
        }
        return drain()
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
            return readingStopped ? .nothing : resume
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

    /// Nothing is read any more but to throw it away.
    /// - Returns: false if that began before.
    mutating func linger(now: UInt64) -> Bool {
        guard lingeringSince == nil else { return false }
        lingeringSince = now
        return true
    }

    /// The connection is gone.
    mutating func closed() { phase = .closed }
}
