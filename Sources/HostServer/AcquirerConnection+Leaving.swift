internal import Authorisation
internal import ISO8583
internal import Glibc
internal import Logging
internal import NIOCore

/// The end of a connection: without a reset that would throw away what was answered, and with a note for each approval
/// that was thrown away all the same.
///
/// What the peer's machine has acknowledged counts as told. On a link with TLS the bytes of an answer cannot be found
/// among those of the wire: there it counts once nothing is on its way any more.
extension AcquirerConnection {
    /// How long a peer may take to close its side after the host has closed its own.
    static let lingerNanoseconds: UInt64 = 2_000_000_000
    /// Silence after which a peer that has everything is not waited for any longer.
    static let quietNanoseconds: UInt64 = 200_000_000

    func abandon(_ reason: AbandonReason) {
        loop.metrics.abandoned[reason, default: 0] += 1
        logger.warning("connection closed", metadata: ["reason": "\(reason.rawValue)"])
        close()
    }

    /// Answers of this turn of the loop go out first.
    func closeAfterAnswers() {
        loop.services.eventLoop.execute { [self] in
            flush()
            linger()
        }
    }

    /// Nothing is read any more but to throw it away; closes once the peer has everything, or its time is
    /// over.
    func linger() {
        guard let context, state.linger(now: loop.clock()) else { return }
        // The rest of what the peer sends is read, lest the close becomes a reset.
        context.read()
        // A peer that closes its side behind the end of the stream has read up to there. What closed it before may have hung up:
        // its stream ends once its machine has everything, and a machine that wants nothing more says so by then.
        if !isTLS, !state.inputHasEnded {
            state.outputHasEnded = true
            context.close(mode: .output, promise: nil)
        }
        lingerOn(now: loop.clock())
    }

    func lingerOn(now: UInt64) {
        guard let since = state.lingeringSince else { return }
        let unacknowledged = bytesOnTheirWay() ?? 0
        // The end of the stream counts as a byte.
        let hasAll = unacknowledged <= (state.outputHasEnded ? 1 : 0)
        let isQuiet = state.inputHasEnded || now >= max(state.heardAt, since) &+ Self.quietNanoseconds
        guard (hasAll && isQuiet) || now >= since &+ Self.lingerNanoseconds else { return }
        close()
    }

    /// The connection is gone: what is still under way was told to nobody.
    func noteLost() {
        if state.outputHasEnded, state.inputHasEnded { underWay.approvals.removeAll() }
        let lost = underWay.approvals
        underWay.approvals.removeAll()
        guard !lost.isEmpty else { return }
        for (_, request) in lost {
            loop.metrics.untold += 1
            loop.services.note(request, .untold)
        }
        logger.warning("approvals not told", metadata: ["count": "\(lost.count)"])
    }

    /// The sender takes it for undecided.
    func noteToldOtherwise(_ approved: AuthorisationRequest) {
        loop.metrics.untold += 1
        loop.services.note(approved, .toldOtherwise)
    }
}

extension AnswersUnderWay {
    /// Forgets those that are there.
    mutating func arrived(upTo place: UInt64) {
        while let first = approvals.first, first.end <= place { _ = approvals.popFirst() }
    }
}

extension AcquirerConnection {
    /// Asks what has arrived. Ten times a second, with many connections once a second (`ArrivalTurns`), and before a close.
    func noteArrived() {
        guard !underWay.approvals.isEmpty, let onTheirWay = bytesOnTheirWay() else { return }
        if isTLS {
            if onTheirWay == 0 { underWay.arrived(upTo: underWay.passed) }
        } else {
            let answers = onTheirWay - (state.outputHasEnded ? min(onTheirWay, 1) : 0)
            underWay.arrived(upTo: underWay.passed &- min(underWay.passed, answers))
        }
    }

    /// Bytes that wait in the channel or that the peer's machine has not acknowledged; nil where that cannot
    /// be known.
    func bytesOnTheirWay() -> UInt64? {
        guard let context,
            let waiting = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        else { return nil }
        let queued = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { descriptor in
            var bytes: CInt = 0
            return ioctl(descriptor, UInt(TIOCOUTQ), &bytes) == 0 ? bytes : nil
        }
        guard let sent = queued ?? nil else { return nil }
        return UInt64(max(0, waiting)) + UInt64(max(0, sent))
    }
}
