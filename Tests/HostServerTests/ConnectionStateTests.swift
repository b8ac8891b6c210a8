import Testing

@testable import HostServer

/// Conversations with the machine, one event a line. Times are nanoseconds.
@Suite struct ConnectionStateTests {
    private func open(_ change: (inout ConnectionLimits) -> Void = { _ in }) -> ConnectionState {
        var limits = ConnectionLimits(
            inFlightMax: 4, frameNanoseconds: 100, unreadNanoseconds: 100, stalledNanoseconds: 50)
        change(&limits)
        return ConnectionState(limits: limits, now: 0)
    }

    @Test func capStopsReadingAndHalfOfItResumes() {
        var state = open()
        #expect(state.accepted(now: 1) == .nothing)
        #expect(state.accepted(now: 1) == .nothing)
        #expect(state.accepted(now: 1) == .nothing)
        #expect(state.accepted(now: 1) == .stopReading)
        #expect(state.readingStopped)
        #expect(state.answered(now: 2) == .nothing)
        #expect(state.answered(now: 2) == .resumeReading)
        #expect(!state.readingStopped)
        #expect(state.answered(now: 2) == .nothing)
        #expect(state.answered(now: 2) == .nothing)
        #expect(state.inFlight == 0)
    }

    @Test func atTheCapWithoutProgressRequestsAreRefusedAndTheRestIsRead() {
        var state = open()
        for _ in 0..<4 { _ = state.accepted(now: 0) }
        #expect(state.tick(now: 49) == .nothing)
        #expect(state.readingStopped)
        #expect(state.tick(now: 50) == .resumeReading)
        #expect(!state.readingStopped)
        #expect(!state.admitsRequest)
        #expect(state.answered(now: 60) == .nothing)
        #expect(state.admitsRequest)
        // Not stalled any more: the next time it is full it waits again.
        #expect(state.answered(now: 60) == .nothing)
        _ = state.accepted(now: 61)
        #expect(state.accepted(now: 61) == .stopReading)
    }

    @Test func progressKeepsAFullConnectionWaiting() {
        var state = open()
        for _ in 0..<4 { _ = state.accepted(now: 0) }
        #expect(state.answered(now: 40) == .nothing)
        #expect(state.tick(now: 80) == .nothing)
        #expect(state.readingStopped)
    }

    @Test func inAFloodWhatIsOverTheCapIsRefused() {
        var state = open()
        for _ in 0..<4 { _ = state.accepted(now: 0) }
        #expect(state.answered(now: 40) == .nothing)
        _ = state.accepted(now: 41)
        // Not at the first look: it may be full for a moment.
        #expect(state.tick(now: 42, sheds: true) == .nothing && state.readingStopped)
        #expect(state.tick(now: 43, sheds: true) == .resumeReading)
        #expect(!state.readingStopped && !state.admitsRequest)
        // Half of them answered: it is as before.
        #expect(state.answered(now: 43) == .nothing)
        #expect(state.answered(now: 43) == .nothing)
        #expect(state.admitsRequest && state.tick(now: 44, sheds: true) == .nothing)
    }

    @Test func drainWaitsForWhatIsUnderWay() {
        var state = open()
        _ = state.accepted(now: 0)
        _ = state.accepted(now: 0)
        #expect(state.drain() == .stopReading)
        #expect(!state.acceptsRequests)
        #expect(state.answered(now: 1) == .nothing)
        #expect(state.answered(now: 1) == .close)
    }

    @Test func drainOfAnIdleConnectionClosesAtOnce() {
        var state = open()
        #expect(state.drain() == .close)
        #expect(state.drain() == .nothing)
    }

    @Test func answersAfterTheEndAskForNothing() {
        var state = open { $0.inFlightMax = 1 }
        #expect(state.accepted(now: 0) == .stopReading)
        state.closed()
        #expect(state.answered(now: 1) == .nothing)
        #expect(!state.acceptsRequests)
        #expect(state.tick(now: 1_000) == .nothing)
    }

    @Test func zeroIsNeverWithoutBound() {
        var state = open { $0.inFlightMax = 0 }
        #expect(state.accepted(now: 0) == .stopReading)
    }

    @Test func aFrameHasToBecomeWhole() {
        var state = open()
        state.frameIncomplete(true, now: 10)
        // More bytes of the same frame do not give it more time.
        state.frameIncomplete(true, now: 90)
        #expect(state.tick(now: 109) == .nothing)
        #expect(state.tick(now: 110) == .abandon(.frameTooSlow))
    }

    @Test func aWholeFrameEndsItsTime() {
        var state = open()
        state.frameIncomplete(true, now: 10)
        state.frameIncomplete(false, now: 20)
        #expect(state.tick(now: 1_000) == .nothing)
    }

    @Test func aHandshakeHasToEnd() {
        var state = open()
        state.handshakeBegan(now: 0)
        state.frameIncomplete(false, now: 50)
        #expect(state.tick(now: 100) == .abandon(.handshakeTooSlow))
    }

    @Test func unreadAnswersStopReadingAndThenTheConnection() {
        var state = open()
        #expect(state.writable(false, now: 0) == .stopReading)
        #expect(state.tick(now: 99) == .nothing)
        #expect(state.writable(true, now: 99) == .resumeReading)
        #expect(state.tick(now: 300) == .nothing)
        #expect(state.writable(false, now: 300) == .stopReading)
        #expect(state.tick(now: 400) == .abandon(.peerDoesNotRead))
    }

    @Test func silenceBringsAnEchoAndSilenceAfterItTheEnd() {
        var state = open { ($0.echoAfterNanoseconds, $0.echoAnswerNanoseconds) = (100, 20) }
        state.heard(now: 50)
        #expect(state.tick(now: 149) == .nothing)
        #expect(state.tick(now: 150) == .sendEcho)
        #expect(state.tick(now: 160) == .nothing)
        state.heard(now: 165)
        #expect(state.tick(now: 200) == .nothing)
        #expect(state.tick(now: 265) == .sendEcho)
        #expect(state.tick(now: 285) == .abandon(.peerDoesNotAnswer))
    }
}
