internal import Synchronization

/// What a terminal was told: DE39, and DE38 of an approval.
struct Told: Equatable, Sendable {
    let code: String
    let approvalCode: String?

    /// The issuer has decided. 91 and 96 say that it could not.
    var isDecision: Bool { code != "91" && code != "96" }
    var isApproval: Bool { code == "00" }
}

/// What a request was about.
struct SentRequest: Sendable {
    enum PINKind: Sendable { case none, right, wrong }

    /// Asked for, or told after a terminal had approved it alone.
    enum Form: Sendable { case request, advice }

    /// What a terminal sent to have it undone.
    struct Reversal: Sendable {
        /// What was to stay taken; 0: nothing.
        let remainingMinorUnits: Int64
        /// Transmissions.
        var sent = 0
        var told: [Told] = []

        var isTold: Bool { told.contains(where: \.isDecision) }
    }

    /// DE37 as a number; its last six digits are DE11.
    let number: UInt64
    /// Index of the card.
    let card: Int
    let atc: UInt16
    let minorUnits: Int64
    let pin: PINKind
    let isForged: Bool
    /// Signed anew over an ATC that an approval was told for.
    let isReplay: Bool
    var form = Form.request
    /// Nil where it was never to be undone.
    var reversal: Reversal?
    /// Monotonic nanoseconds of each transmission.
    var sentAt: [UInt64] = []
    /// Every answer that reached the terminal, in order.
    var told: [Told] = []
}

/// Everything that was sent, and everything that the terminals were told.
final class Ledger: Sendable {
    private struct State {
        var requests: [UInt64: SentRequest] = [:]
        /// When the last decision was told to each lane, for a request sent when.
        var decided: [(sentAt: UInt64, toldAt: UInt64)]
        var unanswered = 0
        var violations: [String] = []
    }

    private let state: Mutex<State>

    init(lanes: Int) { state = Mutex(State(decided: Array(repeating: (0, 0), count: lanes))) }

    func sent(_ request: SentRequest, at now: UInt64) {
        state.withLock { $0.requests[request.number, default: request].sentAt.append(now) }
    }

    /// A transmission of the reversal of an earlier request.
    func sentReversal(of number: UInt64, remaining: Int64) {
        state.withLock { state in
            var reversal =
                state.requests[number]?.reversal ?? SentRequest.Reversal(remainingMinorUnits: remaining)
            reversal.sent += 1
            state.requests[number]?.reversal = reversal
        }
    }

    /// - Parameter told: nil if no answer came.
    func answeredReversal(of number: UInt64, _ told: Told?, lane: Int, sentAt: UInt64, now: UInt64) {
        state.withLock { state in
            guard let told else {
                state.unanswered += 1
                return
            }
            state.requests[number]?.reversal?.told.append(told)
            if told.isDecision { state.decided[lane] = (sentAt, now) }
        }
    }

    /// - Parameter told: nil if no answer came.
    func answered(_ number: UInt64, _ told: Told?, lane: Int, sentAt: UInt64, now: UInt64) {
        state.withLock { state in
            guard let told else {
                state.unanswered += 1
                return
            }
            state.requests[number]?.told.append(told)
            if told.isDecision { state.decided[lane] = (sentAt, now) }
        }
    }

    /// The same where no terminal waits for it.
    func answeredFlood(_ number: UInt64, _ told: Told) {
        state.withLock { $0.requests[number]?.told.append(told) }
    }

    /// When the first lane was told a decision for a request sent after a moment, and when the last was; nil while
    /// that has not come.
    func served(after moment: UInt64) -> (first: UInt64?, all: UInt64?) {
        state.withLock { state in
            let served = state.decided.filter { $0.sentAt >= moment }.map(\.toldAt)
            return (served.min(), served.count == state.decided.count ? served.max() : nil)
        }
    }

    var requests: [UInt64: SentRequest] { state.withLock { $0.requests } }

    /// Transmissions that got no answer.
    var unanswered: Int { state.withLock { $0.unanswered } }
}
