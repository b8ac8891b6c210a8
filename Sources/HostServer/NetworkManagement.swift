internal import ISO8583
internal import IssuerMessages

/// What network management messages of one connection have agreed on (ISO 8583:1987 class 08, 1993 class 18).
struct NetworkManagement {
    /// What a message of this product's network management is about.
    enum Code: CaseIterable {
        case signOn, signOff, echo

        /// DE70 of ISO 8583:1987, or DE24 of 1993.
        func text(is1993: Bool) -> String {
            switch self {
            case .signOn: is1993 ? "801" : "001"
            case .signOff: is1993 ? "802" : "002"
            case .echo: is1993 ? "831" : "301"
            }
        }

        /// Nil for a message about something else.
        init?(_ message: Message) {
            let text = message.networkCode
            guard let code = Self.allCases.first(where: { $0.text(is1993: message.mti.is1993) == text })
            else { return nil }
            self = code
        }
    }

    /// Whether the peer has signed on, and not off since.
    private(set) var peerSignedOn = false
    /// Whether the peer has answered the host's sign-on.
    private(set) var hostSignedOn = false
    /// Why the host's last sign-on came to nothing; nil: it did not, or is under way.
    private(set) var signOnFault: String?
    private var signOnSentAt: UInt64?
    /// When a refused sign-on is tried again; how often in a row it was refused.
    private var signOnAgainAt: UInt64?
    private var refusals = 0
    /// Between a refusal and the next sign-on: doubled each time, in nanoseconds.
    static let refusalPause: ClosedRange<UInt64> = 1_000_000_000...60_000_000_000
    /// One side has signed on and the other one has not refused it.
    var isSignedOn: Bool { peerSignedOn || hostSignedOn }
    private var lastSTAN: UInt32 = 0
    private var awaited: [(stan: UInt32, code: Code)] = []

    /// A request of the peer about this.
    mutating func received(_ code: Code?) {
        switch code {
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

    /// Time passes.
    /// - Returns: true once, when a refused sign-on is to be tried again: the peer may have been about to come up.
    mutating func signOnIsDue(now: UInt64) -> Bool {
        guard let again = signOnAgainAt, now >= again else { return false }
        signOnAgainAt = nil
        return true
    }

    /// - Returns: false for an answer to nothing that was asked.
    mutating func answered(stan: UInt32?, approved: Bool, now: UInt64) -> Bool {
        guard let index = awaited.firstIndex(where: { $0.stan == stan }) else { return false }
        let code = awaited.remove(at: index).code
        if code == .signOn {
            hostSignedOn = approved
            (signOnSentAt, signOnFault) = (nil, approved ? nil : "the peer refused the sign-on")
            let pause = Self.refusalPause.lowerBound << UInt64(min(refusals, 6))
            signOnAgainAt = approved ? nil : now &+ min(pause, Self.refusalPause.upperBound)
            refusals = approved ? 0 : refusals + 1
        }
        if code == .signOff { hostSignedOn = false }
        return true
    }
}
