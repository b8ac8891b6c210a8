internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// The terminal as a page, on loopback only: it holds test keys and needs no password.
package struct WebServer: Sendable {
    /// Where it listens.
    package let port: Int
    private let channel: any Channel

    /// Starts to serve.
    /// - Parameters:
    ///   - port: 0 for any free one.
    ///   - scenarios: files and folders of scenarios that the page can run; empty for none.
    ///   - version: of this program, for reports.
    ///   - desk: changes cards for scenarios; nil where nobody here can.
    ///   - timeout: for a connection or an answer.
    package init(
        _ till: Till, port: Int, scenarios: [String] = [], version: String = "",
        desk: IssuerDesk? = nil, timeout: Duration = .seconds(5)
    ) throws {
        let runs =
            scenarios.isEmpty
            ? nil
            : WebScenarios(
                scenarios, bench: till.bench, version: version, desk: desk, timeout: timeout)
        let terminal = WebTerminal(till, scenarios: runs)
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(WebHandler(terminal))
                }
            }
        do { channel = try bootstrap.bind(host: "127.0.0.1", port: port).wait() } catch {
            let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
            throw ConfigurationError.refused(
                "127.0.0.1:\(port) cannot be listened on: \(reason); --port names another one, 0 any free one"
            )
        }
        self.port = channel.localAddress?.port ?? port
    }

    /// Until `close`.
    package func wait() throws { try channel.closeFuture.wait() }

    /// Stops to listen.
    package func close() throws { try channel.close().wait() }
}

/// Threads of the page. A host may take seconds: whoever asks one waits on a thread of a pool of its own, so that what needs
/// none is answered meanwhile.
private enum WebThreads {
    /// More than browsers open connections to one page.
    private static let askingMax = 32
    static let asking = started(askingMax)
    static let quick = started(2)

    private static func started(_ count: Int) -> NIOThreadPool {
        let pool = NIOThreadPool(numberOfThreads: count)
        pool.start()
        return pool
    }
}

/// Collects a request, has it answered on a thread that may block, and closes: one page asks rarely.
private final class WebHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// An order has a few hundred bytes, with edited elements some thousand.
    private static let bodyBytesMax = 65_536
    private let terminal: WebTerminal
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ terminal: WebTerminal) { self.terminal = terminal }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let buffer):
            guard body.count + buffer.readableBytes <= WebHandler.bodyBytesMax else {
                context.close(promise: nil)
                return
            }
            body += buffer.readableBytesView
        case .end:
            guard let head else { return }
            self.head = nil
            answer(head, context)
        }
    }

    /// Another site's page must reach neither the answers (its name in Host) nor the till (no such header).
    private static func isOwn(_ head: HTTPRequestHead) -> Bool {
        let host = head.headers.first(name: "host").map { $0.prefix { $0 != ":" } }
        guard host == "127.0.0.1" || host == "localhost" else { return false }
        return head.method == .GET || head.headers.first(name: "x-terminal") == "1"
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard WebHandler.isOwn(head) else {
            send(.init(status: 403, type: "text/plain", body: "this page only\n"), context)
            return
        }
        let (terminal, body) = (terminal, body)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let pool =
            WebTerminal.asksHost(method: head.method.rawValue, path: head.uri)
            ? WebThreads.asking : WebThreads.quick
        pool.runIfActive(eventLoop: context.eventLoop) {
            terminal.reply(method: head.method.rawValue, path: head.uri, body: body)
        }.whenSuccess { reply in
            let (handler, context) = bound.value
            handler.send(reply, context)
        }
    }

    private func send(_ reply: WebTerminal.Reply, _ context: ChannelHandlerContext) {
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: reply.type)
        headers.add(name: "content-length", value: "\(reply.body.utf8.count)")
        if let name = reply.fileName {
            headers.add(name: "content-disposition", value: "attachment; filename=\"\(name)\"")
        }
        headers.add(name: "cache-control", value: "no-store")
        headers.add(name: "connection", value: "close")
        headers.add(
            name: "content-security-policy",
            value:
                "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:")
        let status = HTTPResponseStatus(statusCode: reply.status)
        context.write(
            wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))), promise: nil)
        context.write(
            wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: reply.body)))), promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            bound.value.close(promise: nil)
        }
    }
}
