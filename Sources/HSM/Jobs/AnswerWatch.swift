internal import ByteCoding
internal import Synchronization

/// The jobs of one event loop whose answers are waited for. A token may stall within a call, where nothing can stop it:
/// whoever waits is then told at the deadline that no answer came, and the answer that comes later reaches nobody.
///
/// One timer for all jobs, and none while there are none.
final class AnswerWatch: Sendable {
    /// How late the deadline may be noticed.
    private static let tickMilliseconds: Int64 = 20

    private struct State {
        /// In the order of asking; those before `head` are done with.
        var jobs: [TokenJob] = []
        var head = 0
        var ticking = false
    }

    private let state = Mutex(State())
    private let schedule: HSMSchedule

    init(_ schedule: @escaping HSMSchedule) { self.schedule = schedule }

    func watch(_ job: TokenJob) {
        let begin = state.withLock { state in
            while state.head < state.jobs.count, state.jobs[state.head].isDelivered { state.head += 1 }
            if state.head > 256, 2 * state.head > state.jobs.count {
                state.jobs.removeFirst(state.head)
                state.head = 0
            }
            state.jobs.append(job)
            defer { state.ticking = true }
            return !state.ticking
        }
        if begin { schedule(Self.tickMilliseconds) { self.tick() } }
    }

    private func tick() {
        let now = monotonicNanoseconds()
        let (overdue, goOn) = state.withLock { state in
            state.jobs.removeFirst(state.head)
            state.head = 0
            let overdue = state.jobs.filter { $0.deadlineNanoseconds <= now && !$0.isDelivered }
            state.jobs.removeAll { $0.deadlineNanoseconds <= now || $0.isDelivered }
            state.ticking = !state.jobs.isEmpty
            return (overdue, state.ticking)
        }
        for job in overdue { job.expire() }
        if goOn { schedule(Self.tickMilliseconds) { self.tick() } }
    }
}
