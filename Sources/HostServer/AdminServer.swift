internal import EventLoops
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// One thing that `/ready` depends on.
package struct HealthLine: Sendable {
    /// What was looked at.
    package let subject: String
    /// Whether requests can be served with it.
    package let passed: Bool
    /// What was found.
    package let detail: String

    package init(_ subject: String, passed: Bool, detail: String) {
        self.subject = subject
        self.passed = passed
        self.detail = detail
    }
}

/// What the admin port says to one request.
struct AdminAnswer: Sendable {
    let status: HTTPResponseStatus
    let contentType: String
    let body: String

    static func text(_ body: String) -> AdminAnswer {
        AdminAnswer(status: .ok, contentType: "text/plain; version=0.0.4; charset=utf-8", body: body)
    }

    static func json(_ body: String) -> AdminAnswer {
        AdminAnswer(status: .ok, contentType: "application/json", body: body)
    }

    static func unavailable(_ body: String) -> AdminAnswer {
        AdminAnswer(status: .serviceUnavailable, contentType: "text/plain; charset=utf-8", body: body)
    }

    static let methodNotAllowed = AdminAnswer(
        status: .methodNotAllowed, contentType: "text/plain; charset=utf-8", body: "GET only\n")

    static let notFound = AdminAnswer(
        status: .notFound, contentType: "text/plain; charset=utf-8",
        body: "one of /live, /ready, /links, /metrics\n")
}

/// The admin port, HTTP/1.1. Not for acquirers.
enum AdminServer {
    static func listen(
        _ address: HostServer.AdminAddress, group: any EventLoopGroup,
        answer: @escaping @Sendable (String) async -> AdminAnswer
    ) async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ListenerRest())
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(AdminHandler(answer))
                }
            }
        do { return try await bootstrap.bind(host: address.host, port: address.port).get() } catch {
            throw EndpointError(
                description: "admin: cannot listen on \(address.host):\(address.port): \(error)")
        }
    }
}

private final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: @Sendable (String) async -> AdminAnswer
    private var path = ""
    private var isRead = true
    private var isLast = false

    init(_ answer: @escaping @Sendable (String) async -> AdminAnswer) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            path = String(head.uri.prefix { $0 != "?" })
            isRead = head.method == .GET
            isLast = !head.isKeepAlive
        case .body: break
        case .end:
            let channel = context.channel
            guard isRead else { return AdminHandler.send(.methodNotAllowed, channel, isLast: true) }
            // On the loop: who asks how the host is must not wait for whoever holds up the shared threads.
            Task(executorPreference: EventLoopExecutor(channel.eventLoop)) { [answer, path, isLast] in
                AdminHandler.send(await answer(path), channel, isLast: isLast)
            }
        }
    }

    private static func send(_ answer: AdminAnswer, _ channel: any Channel, isLast: Bool) {
        var head = HTTPResponseHead(version: .http1_1, status: answer.status)
        head.headers.add(name: "content-type", value: answer.contentType)
        head.headers.add(name: "content-length", value: "\(answer.body.utf8.count)")
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(
            HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: answer.body))), promise: nil)
        let written = channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        if isLast { written.whenComplete { _ in channel.close(promise: nil) } }
    }
}
