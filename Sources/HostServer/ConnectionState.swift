/// What a connection has to do next.
enum ConnectionAction: Hashable {
    case nothing
    case stopReading
    case resumeReading
    case close
}

/// One acquirer connection as a machine: events in, actions out, no I/O.
struct ConnectionState {
    private enum Phase { case open, closing, closed }

    private var phase = Phase.open
    private let inFlightMax: Int
    /// Requests accepted and not answered yet.
    private(set) var inFlight = 0
    /// True while the peer is made to wait.
    private(set) var readingStopped = false

    /// - Parameter inFlightMax: requests that may be under way at once, at least 1.
    init(inFlightMax: Int) { self.inFlightMax = max(1, inFlightMax) }

    /// False once no more requests are taken.
    var acceptsRequests: Bool { phase == .open }

    /// A request was accepted. At the cap the connection stops reading: the peer's own flow control then does
    /// the waiting, and nothing is refused that could be served a moment later.
    mutating func accepted() -> ConnectionAction {
        inFlight += 1
        guard inFlight >= inFlightMax, !readingStopped else { return .nothing }
        readingStopped = true
        return .stopReading
    }

    /// A request was answered.
    mutating func answered() -> ConnectionAction {
        inFlight -= 1
        switch phase {
        case .closing: return inFlight == 0 ? .close : .nothing
        case .closed: return .nothing
        case .open:
            // Half of the cap, so that reading is not switched at every answer.
            guard readingStopped, inFlight <= inFlightMax / 2 else { return .nothing }
            readingStopped = false
            return .resumeReading
        }
    }

    /// The host is stopping, or the peer has closed its side: what is under way is still answered.
    mutating func drain() -> ConnectionAction {
        guard phase == .open else { return .nothing }
        phase = .closing
        return inFlight == 0 ? .close : .stopReading
    }

    /// The connection is gone.
    mutating func closed() { phase = .closed }
}
