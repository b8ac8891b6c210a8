internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// The admin port: `/live`, `/ready`, `/metrics` over HTTP/1.1. Not for acquirers.
enum AdminServer {
    static func listen(
        _ address: HostServer.AdminAddress, group: any EventLoopGroup,
        metrics: @escaping @Sendable () async -> String
    ) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(AdminHandler(metrics))
                }
            }
            .bind(host: address.host, port: address.port).get()
    }
}

private final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let metrics: @Sendable () async -> String
    private var path = ""

    init(_ metrics: @escaping @Sendable () async -> String) { self.metrics = metrics }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): path = head.uri
        case .body: break
        case .end: answer(context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        switch path {
        case "/live", "/ready": AdminHandler.send(.ok, "ok\n", context.channel)
        case "/metrics":
            let channel = context.channel
            Task { [metrics] in AdminHandler.send(.ok, await metrics(), channel) }
        default: AdminHandler.send(.notFound, "not here\n", context.channel)
        }
    }

    private static func send(_ status: HTTPResponseStatus, _ text: String, _ channel: any Channel) {
        var head = HTTPResponseHead(version: .http1_1, status: status)
        head.headers.add(name: "content-type", value: "text/plain; version=0.0.4; charset=utf-8")
        head.headers.add(name: "content-length", value: "\(text.utf8.count)")
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: text))), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
    }
}
