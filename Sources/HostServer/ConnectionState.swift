/// One acquirer connection as a machine: events in, actions out, no I/O, no clock. Times are nanoseconds of one
/// monotonic clock.
struct ConnectionState {
    enum Phase { case open, closing, closed }

    var phase = Phase.open
    var limits: ConnectionLimits
    /// Requests accepted and not answered yet.
    private(set) var inFlight = 0
    /// True while no request is taken because too many are under way; and if it was so at the last tick and ever since.
    var (atCap, wasAtCap) = (false, false)
    var shedding = false
    var progressAt: UInt64 = 0
    var handshaking = false
    var begunAt: UInt64?
    var unreadSince: UInt64?
    /// When the peer was last heard.
    private(set) var heardAt: UInt64
    var echoSentAt: UInt64?
    /// Something was served on it, or may be: the handshake is over and the peer is who it has to be.
    var isEstablished = false
    var isRefused = false
    /// The channel wanted to read while the peer was made to wait.
    var readHeld = false
    /// Frames of one read are being taken: reading goes on by itself.
    var takesFrames = false
    /// The peer has closed its side.
    var inputHasEnded = false
    /// It goes over to another loop: it reads nothing, and then it has left its own.
    var (isMoving, isInTransit) = (false, false)
    /// The peer was sent the end of the stream.
    var outputHasEnded = false
    /// It closed its side, and what came before that is still to be read.
    var drainsWhenRead = false
    /// The peer has said something.
    private(set) var wasHeard = false
    /// Since when the connection only waits for its end.
    var lingeringSince: UInt64?

    /// - Parameter now: the connection is there since then.
    init(limits: ConnectionLimits, now: UInt64) {
        self.limits = limits
        heardAt = now
    }

    /// False once no more requests are taken.
    var acceptsRequests: Bool { phase == .open }

    /// True while the peer is made to wait.
    var readingStopped: Bool { (atCap && !shedding) || unreadSince != nil || isMoving }

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
            return atCap && inFlight <= limits.inFlightMax / 2 ? leaveCap() : .nothing
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

    // MARK: - Reading

    /// The channel wants to read.
    /// - Returns: false while the peer is made to wait; `takeHeldRead` says when. At its end a connection is read to the end.
    mutating func mayRead() -> Bool {
        guard readingStopped, acceptsRequests else { return true }
        readHeld = true
        return false
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
}
