/// What network management messages of one connection have agreed on (ISO 8583:1987, classes 0800 and 0810).
struct NetworkManagement {
    /// DE70 of this product's network management.
    enum Code: String {
        case signOn = "001"
        case signOff = "002"
        case echo = "301"
    }

    /// Whether the peer has signed on, and not off since.
    private(set) var peerSignedOn = false
    /// Whether the peer has answered the host's sign-on.
    private(set) var hostSignedOn = false
    /// Why the host's last sign-on came to nothing; nil: it did not, or is under way.
    private(set) var signOnFault: String?
    private var signOnSentAt: UInt64?
    /// One side has signed on and the other one has not refused it.
    var isSignedOn: Bool { peerSignedOn || hostSignedOn }
    private var lastSTAN: UInt32 = 0
    private var awaited: [(stan: UInt32, code: Code)] = []

    /// A request of the peer with this DE70.
    mutating func received(_ code: String?) {
        switch code.flatMap(Code.init) {
        case .signOn: peerSignedOn = true
        case .signOff: peerSignedOn = false
        case .echo, nil: break
        }
    }

    /// DE11 of the host's next own request. At most eight wait for an answer; older ones are forgotten.
    mutating func next(_ code: Code) -> UInt32 {
        lastSTAN = lastSTAN % 999_999 + 1
        awaited.append((lastSTAN, code))
        if awaited.count > 8 { awaited.removeFirst() }
        return lastSTAN
    }

    /// The host's sign-on goes out.
    mutating func signOnSent(now: UInt64) { signOnSentAt = now }

    /// Time passes.
    /// - Returns: true once, when the sign-on has waited too long for its answer.
    mutating func signOnOverdue(now: UInt64, after nanoseconds: UInt64) -> Bool {
        guard let sent = signOnSentAt, now >= sent &+ nanoseconds else { return false }
        (signOnSentAt, signOnFault) = (nil, "the peer did not answer the sign-on")
        return true
    }

    /// - Returns: false for an answer to nothing that was asked.
    mutating func answered(stan: UInt32?, approved: Bool) -> Bool {
        guard let index = awaited.firstIndex(where: { $0.stan == stan }) else { return false }
        let code = awaited.remove(at: index).code
        if code == .signOn {
            hostSignedOn = approved
            (signOnSentAt, signOnFault) = (nil, approved ? nil : "the peer refused the sign-on")
        }
        if code == .signOff { hostSignedOn = false }
        return true
    }
}
