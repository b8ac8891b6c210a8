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
