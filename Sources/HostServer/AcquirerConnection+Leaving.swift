internal import Authorisation
internal import Glibc
internal import Logging
internal import NIOCore

/// The end of a connection: without a reset that would throw away what was answered, and with a note for each
/// approval that
/// was thrown away all the same.
///
/// What the peer's machine has acknowledged counts as told. On a link with TLS the bytes of an answer cannot
/// be found among
/// those of the wire: there it counts once nothing is on its way any more.
extension AcquirerConnection {
    /// Nothing is read any more but to throw it away; closes once the peer has everything, or its time is
    /// over.
    func linger() {
        guard let context, state.linger(now: loop.clock()) else { return }
        // The rest of what the peer sends is read, lest the close becomes a reset.
        context.read()
        lingerOn(now: loop.clock())
    }

    func lingerOn(now: UInt64) {
        guard state.lingeringSince != nil else { return }
        endStream()
        if state.hasLingered(unacknowledged: bytesOnTheirWay() ?? 0, now: now) { close() }
    }

    /// The host's side of the connection ends once all of it is with the system. Behind the channel's back: it would close the
    /// socket together with the peer's side, and nobody could say any more what has arrived.
    private func endStream() {
        guard !isTLS, !state.streamHasEnded, let context,
            (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) == 0
        else { return }
        state.streamHasEnded = true
        try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            _ = shutdown($0, Int32(SHUT_WR))
        }
    }

    /// The connection is gone: what is still under way was told to nobody.
    func noteLost() {
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
