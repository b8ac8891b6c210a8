internal import Glibc
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// A connection goes over to another event loop, which the peer does not see. It stops reading, waits until what is under way is
/// answered, and takes its socket with it: another channel on the other loop has the same one. Nothing is sent or
/// lost between them; what comes meanwhile waits in the socket.
///
/// TLS stays where it is, since its state cannot leave its channel; so does what the host dialled itself.
extension AcquirerConnection {
    private static let looksEvery = TimeAmount.milliseconds(1)

    /// Of all connections of its kind, whatever happens on it now.
    var isMovable: Bool { tls == nil && link.role == .server }

    var mayMove: Bool { isMovable && context != nil && state.mayMove && !state.isMoving }

    /// Begins; on the loop that it is on.
    /// - Parameter nanoseconds: one that has not become idle by then stays.
    func move(to other: LoopContext, within nanoseconds: UInt64) {
        guard mayMove, other !== loop else { return }
        state.isMoving = true
        goOnceIdle(to: other, latest: loop.clock() &+ nanoseconds)
    }

    private func goOnceIdle(to other: LoopContext, latest: UInt64) {
        guard context != nil, state.mayMove, loop.clock() < latest else { return stay() }
        let isIdle = state.inFlight == 0 && tasks == 0 && bytesToBeWritten == 0
        guard isIdle, writing.outbound.readableBytes == 0 else {
            loop.eventLoop.scheduleTask(in: Self.looksEvery) { [self] in
                goOnceIdle(to: other, latest: latest)
            }
            return
        }
        go(to: other)
    }

    private var bytesToBeWritten: Int {
        (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    private func stay() {
        state.isMoving = false
        if !state.readingStopped { resumeReading() }
    }

    private func go(to other: LoopContext) {
        let descriptor = try? context?.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { fcntl($0, F_DUPFD_CLOEXEC, 0) }
        guard let context, let descriptor = descriptor ?? nil, descriptor >= 0 else { return stay() }
        // Where it is lost on the way, the other loop cannot ask any more.
        noteArrived()
        served.leaves(context.channel)
        loop.closed(self)
        other.arriving.wrappingAdd(1, ordering: .relaxed)
        state.isInTransit = true
        context.close(promise: nil)
        self.context = nil
        loop = other
        // From here on everything is the other loop's.
        other.eventLoop.execute { [self] in
            ClientBootstrap(group: other.eventLoop)
                .channelInitializer { [self] channel in
                    channel.eventLoop.makeCompletedFuture {
                        served.discount(channel)
                        try AcquirerConnection.set(channel)
                        try channel.pipeline.syncOperations.addHandler(self)
                    }
                }
                .withConnectedSocket(descriptor)
                .whenFailure { [self] error in lostOnTheWay(error) }
        }
    }

    private func lostOnTheWay(_ error: any Error) {
        loop.arriving.wrappingSubtract(1, ordering: .relaxed)
        logger.error("connection lost between loops", metadata: ["reason": "\(error)"])
        state.closed()
        noteLost()
        context = nil
    }

    /// The new channel has the socket. A reload may have passed meanwhile.
    func arrived() {
        (state.isInTransit, state.isMoving) = (false, false)
        loop.opened(self)
        loop.arriving.wrappingSubtract(1, ordering: .relaxed)
        loop.metrics.connectionsMoved += 1
        adopt(served.settings)
        if served.endpoint == nil { drain() }
        resumeReading()
    }
}
