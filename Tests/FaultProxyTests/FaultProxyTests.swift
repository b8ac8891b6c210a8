import FaultProxy
import NIOCore
import NIOPosix
import Testing

/// Sends back what it gets, and closes its side when the peer has closed its own.
private final class Echo: ChannelInboundHandler, @unchecked Sendable {
    // Sendable because each channel has one of its own.
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var last: EventLoopFuture<Void>?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        last = context.writeAndFlush(wrapOutboundOut(unwrapInboundIn(data)))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed? = event as? ChannelEvent else { return }
        let channel = context.channel
        (last ?? context.eventLoop.makeSucceededVoidFuture()).whenComplete { _ in channel.close(promise: nil)
        }
    }
}

/// An echo server, a proxy before it and a client that counts on answers within ten seconds.
private struct Line {
    let proxy: FaultProxy
    let group: MultiThreadedEventLoopGroup
    let server: any Channel

    static func with(_ body: (Line) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Echo())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let proxy = try await FaultProxy(
            to: .tcp(host: "127.0.0.1", port: server.localAddress?.port ?? 0), on: group.next())
        do {
            try await body(Line(proxy: proxy, group: group, server: server))
        } catch {
            try await proxy.stop()
            try await group.shutdownGracefully()
            throw error
        }
        try await proxy.stop()
        try await group.shutdownGracefully()
    }

    func connect() async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try await ClientBootstrap(group: group).channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: proxy.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
    }
}

private func text(_ count: Int) -> ByteBuffer { ByteBuffer(repeating: 0x61, count: count) }

@Suite("Fault proxy", .timeLimit(.minutes(1)))
struct FaultProxyTests {
    @Test func passesEverythingAndTheEndOfIt() async throws {
        try await Line.with { line in
            try await line.connect().executeThenClose { inbound, outbound in
                // More than any buffer on the way: nobody may give up reading for good.
                let count = 8 << 20
                async let writing: Void = {
                    try await outbound.write(text(count))
                    outbound.finish()
                }()
                var received = 0
                for try await bytes in inbound { received += bytes.readableBytes }
                try await writing
                #expect(received == count)
            }
            let counts = try await line.proxy.counts()
            #expect(counts.connections == 1 && counts.cuts == 0)
            #expect(counts.bytesToTarget == 8 << 20 && counts.bytesToClient == 8 << 20)
        }
    }

    @Test func heldAnswersComeLaterAndWhole() async throws {
        try await Line.with { line in
            try await line.connect().executeThenClose { inbound, outbound in
                var answers = inbound.makeAsyncIterator()
                var held = Behaviour()
                held.isHeld = true
                try await line.proxy.set(held, .toClient)
                let start = ContinuousClock.now
                let releasing = Task {
                    try await Task.sleep(for: .milliseconds(300))
                    try await line.proxy.set(Behaviour(), .toClient)
                }
                try await outbound.write(text(100))
                #expect(try await answers.next()?.readableBytes == 100)
                #expect(ContinuousClock.now - start >= .milliseconds(300))
                try await releasing.value
            }
        }
    }

    @Test func delayIsAtLeastWhatWasAskedForAndKeepsTheOrder() async throws {
        try await Line.with { line in
            var late = Behaviour()
            late.delay = .milliseconds(50)
            late.jitter = .milliseconds(40)
            try await line.proxy.set(late, .toTarget)
            try await line.connect().executeThenClose { inbound, outbound in
                let start = ContinuousClock.now
                for number in 0..<20 as Range<UInt8> {
                    try await outbound.write(ByteBuffer(bytes: [number]))
                    try await Task.sleep(for: .milliseconds(3))
                }
                var received: [UInt8] = []
                for try await bytes in inbound {
                    if received.isEmpty { #expect(ContinuousClock.now - start >= .milliseconds(50)) }
                    received += Array(bytes.readableBytesView)
                    if received.count == 20 { break }
                }
                #expect(received == Array(0..<20))
            }
        }
    }

    @Test func cutConnectionsEnd() async throws {
        try await Line.with { line in
            var cutting = Behaviour()
            cutting.cutsPerMillion = 1_000_000
            try await line.proxy.set(cutting, .toClient)
            let connection = try await line.connect()
            try await connection.executeThenClose { inbound, outbound in
                try await outbound.write(text(100))
                var received = 0
                // The end may come as an error: it is a reset.
                do { for try await bytes in inbound { received += bytes.readableBytes } } catch {}
                #expect(received <= 50)
            }
            #expect(try await line.proxy.counts().cuts == 1)
        }
    }

    @Test("What arrives before a cut is how the stream began, however late it is")
    func cutKeepsOrder() async throws {
        try await Line.with { line in
            var bad = Behaviour()
            bad.delay = .seconds(60)
            try await line.proxy.set(bad, .toClient)
            let connection = try await line.connect()
            try await connection.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(bytes: [1, 2, 3, 4]))
                // Its echo is kept back.
                while try await line.proxy.keptBytes(.toClient) < 4 {
                    try await Task.sleep(for: .milliseconds(1))
                }
                bad.cutsPerMillion = 1_000_000
                try await line.proxy.set(bad, .toClient)
                try await outbound.write(ByteBuffer(bytes: [5, 6, 7, 8]))
                var received: [UInt8] = []
                do { for try await bytes in inbound { received += bytes.readableBytesView } } catch {}
                #expect(received == [1, 2])
            }
        }
    }

    @Test func aTargetThatIsNotThereClosesTheConnection() async throws {
        try await Line.with { line in
            try await line.server.close()
            try await line.connect().executeThenClose { inbound, _ in
                do { for try await _ in inbound { Issue.record("nothing can come") } } catch {}
            }
            #expect(try await line.proxy.counts().unreachable == 1)
        }
    }

    @Test func theSameSeedCutsTheSame() async throws {
        var found: [[Int]] = []
        for _ in 0..<2 {
            var lengths: [Int] = []
            try await Line.with { line in
                var cutting = Behaviour()
                cutting.cutsPerMillion = 300_000
                try await line.proxy.set(cutting, .toTarget)
                for _ in 0..<5 {
                    var echoed = 0
                    let connection = try await line.connect()
                    try await connection.executeThenClose { inbound, outbound in
                        var answers = inbound.makeAsyncIterator()
                        do {
                            while echoed < 50 {
                                try await outbound.write(ByteBuffer(bytes: [1]))
                                guard try await answers.next() != nil else { break }
                                echoed += 1
                            }
                        } catch {}
                    }
                    lengths.append(echoed)
                }
            }
            found.append(lengths)
        }
        #expect(found[0] == found[1] && Set(found[0]).count > 1)
    }
}
