/// Beginning and end of a connection, and a peer that takes no answers.
extension ConnectionState {
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

    /// Few enough are under way again.
    mutating func leaveCap() -> ConnectionAction {
        let waited = readingStopped
        (atCap, wasAtCap, shedding) = (false, false, false)
        return waited && !readingStopped ? resume : .nothing
    }

    /// What was read before the peer was made to wait comes first, unless its frames are being taken just now.
    var resume: ConnectionAction { takesFrames ? .nothing : .resumeReading }

    /// Whether a read that was held may go on; true once.
    mutating func takeHeldRead() -> Bool {
        guard readHeld, !readingStopped || !acceptsRequests else { return false }
        readHeld = false
        return true
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

    /// It is served, and neither end has begun to leave.
    var mayMove: Bool {
        phase == .open && isEstablished && !inputHasEnded && !outputHasEnded && unreadSince == nil
    }

    // MARK: - Time

    /// Time passes: to be told some times a second.
    /// - Parameter sheds: more comes than can be answered. At the cap it is refused then: left in the socket it would become
    ///   old, and nobody would know how old.
    mutating func tick(now: UInt64, sheds: Bool = false) -> ConnectionAction {
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
        let lasts = atCap && wasAtCap
        wasAtCap = atCap
        if atCap, !shedding, sheds && lasts || now >= progressAt &+ limits.stalledNanoseconds {
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
