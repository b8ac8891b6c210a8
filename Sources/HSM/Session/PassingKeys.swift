internal import PKCS11

/// Where keys live that are made for one job. At the end of a wire each object's end is a call of its own; there such keys
/// are made in a session beside the serving one, which is closed after some jobs and takes them all with it. In a library
/// of this process a call costs less than that session, and each key ends with its job. PIN blocks end at once on both.
struct PassingKeys: ~Copyable {
    /// Jobs whose keys end together: few enough that a token has room for them.
    static let jobsMax = 64

    /// Nil: keys are made in the serving session and ended one by one.
    fileprivate var own: Session?
    fileprivate var jobs = 0
    /// Calls of sessions that are closed.
    fileprivate var earlierCalls: UInt64 = 0

    /// Ended one by one.
    init() { own = nil }

    /// Ended together.
    init(beside session: borrowing Session) throws(PKCS11Error) { own = try session.sibling() }

    var callCount: UInt64 {
        mutating get { earlierCalls &+ (own?.callCount ?? 0) }
    }
}

extension CryptographySession {
    /// Calls of the token by all that this value is made of.
    var callCount: UInt64 {
        mutating get {
            session.callCount &+ passing.callCount &+ authenticationCalls &+ (shelved?.calls ?? 0)
        }
    }

    /// Derives a key for this job.
    mutating func derivePassing(
        from base: ObjectHandle, left: UInt64, right: UInt64, template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        guard passing.own != nil else {
            return try session.deriveKey(from: base, left: left, right: right, template: template)
        }
        return try passing.own!.deriveKey(from: base, left: left, right: right, template: template)
    }

    /// Ends a key that `derivePassing` made; where keys end together, later.
    mutating func endPassing(_ key: ObjectHandle) {
        // A handle that cannot be destroyed dies with the session; the next call will say what is wrong.
        if passing.own == nil { try? session.destroy(key) }
    }

    /// Between jobs, when nobody waits: ends what some of them left behind.
    mutating func tidy() -> ResourceFate {
        shelved?.tidy(beside: session)
        guard passing.own != nil else { return .keep }
        passing.jobs += 1
        guard passing.jobs >= PassingKeys.jobsMax else { return .keep }
        passing.earlierCalls = passing.callCount &+ 2
        passing.own = nil
        passing.jobs = 0
        do { passing.own = try session.sibling() } catch { return .evict }
        return .keep
    }
}
