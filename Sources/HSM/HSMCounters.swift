internal import Synchronization

/// Counts of the workers.
package struct HSMStatistics: Sendable {
    /// Jobs run.
    package let jobs: UInt64
    /// Cryptoki functions called by them.
    package let calls: UInt64
    /// Sessions dropped after a failure.
    package let evictions: UInt64
    /// Answers of the token that came after their deadline and were told to nobody.
    package let lateAnswers: UInt64
    /// Jobs that wait now.
    package let queuedJobs: Int
}

/// What there is to say about the way to the token.
package struct HSMHealth: Sendable {
    /// One of the tokens of `token.uris`.
    package struct Token: Sendable {
        /// RFC 7512.
        package let uri: String
        /// Whether it answered when it was tried last.
        package let answers: Bool
        /// Workers and loops that have a session with it.
        package let seats: Int
    }

    /// Threads.
    package let workers: Int
    /// Those that have a session.
    package let workersReady: Int
    /// Those that have been in one job for longer than any should take.
    package let workersHeldUp: Int
    /// Event loops that may call the token themselves.
    package let loops: Int
    /// Those that do: they have a session, and the token is quick.
    package let loopsServing: Int
    /// Those, by number, that have been in one job for longer than any should take.
    package let loopsHeldUp: [Int]
    /// The tokens that share the load.
    package let tokens: [Token]
    /// Why the last attempt to open one failed; nil after one that did not.
    package let lastFailure: String?
}

extension HSMCounters {
    func opened(failure words: String?) {
        if words == nil { sessions.wrappingAdd(1, ordering: .relaxed) }
        failure.withLock { $0 = words }
    }

    var openSessions: Int {
        Int(clamping: sessions.load(ordering: .relaxed) &- workersDropped.load(ordering: .relaxed))
    }

    var evictions: UInt64 {
        workersDropped.load(ordering: .relaxed) &+ loopsDropped.load(ordering: .relaxed)
    }

    var lastFailure: String? { failure.withLock { $0 } }

    func addLate() { lateAnswers.wrappingAdd(1, ordering: .relaxed) }
}
