internal import Glibc
internal import NIOCore

/// Lets a listener rest where the process has no file descriptor or memory for another connection. The connection waits in
/// the port's queue meanwhile; without a rest the event loop would be told of it again and again, and serve nobody else.
final class ListenerRest: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let rest = TimeAmount.milliseconds(100)
    private let tell: (String) -> Void

    /// - Parameter tell: why it rests; called on the listener's loop, each time.
    init(tell: @escaping (String) -> Void = { _ in }) { self.tell = tell }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.errnoCode)
        else {
            return context.fireErrorCaught(error)
        }
        tell(String(cString: strerror(error.errnoCode)))
        // Options of a channel that is open are set at once on its own loop; one that has closed needs none.
        let options = context.channel.syncOptions
        try? options?.setOption(.autoRead, value: false)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.rest) {
            try? options?.setOption(.autoRead, value: true)
        }
    }
}
