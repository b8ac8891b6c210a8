/// A part of the way of one authorisation whose time is measured.
package enum Stage: Int, CaseIterable, Sendable {
    /// From handing the job to the token's workers until one begins it.
    case tokenQueue
    /// The job itself.
    case token
    /// From the end of the job until the asking side goes on: the way back, and waiting for a slower state read.
    case tokenReturn
    /// The card's record and an earlier answer, one round trip.
    case stateRead
    /// The atomic commit, one round trip.
    case stateCommit
    /// A second job for an ARPC that could not be prepared.
    case responseCryptogram

    /// As metrics and reports name it.
    package var name: String {
        switch self {
        case .tokenQueue: "token_queue"
        case .token: "token"
        case .tokenReturn: "token_return"
        case .stateRead: "state_read"
        case .stateCommit: "state_commit"
        case .responseCryptogram: "response_cryptogram"
        }
    }
}

/// How long each stage of one authorisation took. Stages that run side by side overlap: they do not add up.
package struct StageTimes: Sendable {
    private var nanoseconds = InlineArray<6, UInt64>(repeating: UInt64.max)

    /// No stage was passed yet.
    package init() {}

    /// Keeps the time between two moments of the same clock.
    package mutating func set(_ stage: Stage, from start: UInt64, to end: UInt64) {
        nanoseconds[stage.rawValue] = end > start ? end - start : 0
    }

    /// Nil for a stage that this authorisation did not pass.
    package subscript(_ stage: Stage) -> UInt64? {
        let value = nanoseconds[stage.rawValue]
        return value == .max ? nil : value
    }
}
