import Testing

@testable import HostServer

/// Conversations with the machine, one event a line.
@Suite struct ConnectionStateTests {
    @Test func capStopsReadingAndHalfOfItResumes() {
        var state = ConnectionState(inFlightMax: 4)
        #expect(state.accepted() == .nothing)
        #expect(state.accepted() == .nothing)
        #expect(state.accepted() == .nothing)
        #expect(state.accepted() == .stopReading)
        #expect(state.readingStopped)
        // Frames of the same read may still be accepted: they are in memory already.
        #expect(state.accepted() == .nothing)
        #expect(state.answered() == .nothing)
        #expect(state.answered() == .nothing)
        #expect(state.answered() == .resumeReading)
        #expect(!state.readingStopped)
        #expect(state.answered() == .nothing)
        #expect(state.answered() == .nothing)
        #expect(state.inFlight == 0)
    }

    @Test func drainWaitsForWhatIsUnderWay() {
        var state = ConnectionState(inFlightMax: 4)
        _ = state.accepted()
        _ = state.accepted()
        #expect(state.drain() == .stopReading)
        #expect(!state.acceptsRequests)
        #expect(state.answered() == .nothing)
        #expect(state.answered() == .close)
    }

    @Test func drainOfAnIdleConnectionClosesAtOnce() {
        var state = ConnectionState(inFlightMax: 4)
        #expect(state.drain() == .close)
        #expect(state.drain() == .nothing)
    }

    @Test func answersAfterTheEndAskForNothing() {
        var state = ConnectionState(inFlightMax: 1)
        #expect(state.accepted() == .stopReading)
        state.closed()
        #expect(state.answered() == .nothing)
        #expect(!state.acceptsRequests)
    }

    @Test func zeroIsNeverWithoutBound() {
        var state = ConnectionState(inFlightMax: 0)
        #expect(state.accepted() == .stopReading)
    }
}
