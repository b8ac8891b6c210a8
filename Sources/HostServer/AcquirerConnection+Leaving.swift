internal import Authorisation
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

    /// Nothing is read any more but to throw it away; closes once the peer has everything, or its time is
    /// over.
    func linger() {
        guard let context, state.linger(now: loop.clock()) else { return }
        // The rest of what the peer sends is read, lest the close becomes a reset.
        context.read()
        if !isTLS { context.close(mode: .output, promise: nil) }
        lingerOn(now: loop.clock())
    }

    func lingerOn(now: UInt64) {
        guard let since = state.lingeringSince else { return }
        let unacknowledged = bytesOnTheirWay() ?? 0
        // The end of the stream counts as a byte.
        let hasAll = unacknowledged <= (isTLS ? 0 : 1)
        let isQuiet = state.inputHasEnded || now >= max(state.heardAt, since) &+ Self.quietNanoseconds
        guard (hasAll && isQuiet) || now >= since &+ Self.lingerNanoseconds else { return }
        close()
    }

    /// The connection is gone: what is still under way was told to nobody.
    func noteLost() {
        // A peer that closed its side after the host's end of the stream has read up to there.
        if state.lingeringSince != nil, state.inputHasEnded, !isTLS { underWay.approvals.removeAll() }
        let lost = underWay.approvals
        underWay.approvals.removeAll()
        guard !lost.isEmpty else { return }
        for (_, request) in lost {
            loop.metrics.untold += 1
            loop.services.note(request, .untold)
        }
        logger.warning("approvals not told", metadata: ["count": "\(lost.count)"])
    }
}
