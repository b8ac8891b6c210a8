internal import NIOCore
internal import NIOPosix

/// The host's counters at one moment, from its `/metrics`.
struct HostMetrics: Sendable {
    /// By name with labels, as they stand in the text.
    let values: [String: Double]

    init(text: String) {
        var values: [String: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...])
            else { continue }
            values[String(line[..<space])] = value
        }
        self.values = values
    }

    /// Sum over all labels of a name.
    func total(_ name: String) -> Double {
        values.reduce(0) { $1.key == name || $1.key.hasPrefix("\(name){") ? $0 + $1.value : $0 }
    }

    /// Nil for a host that does not say.
    var holdings: LoadResult.Holdings? {
        guard let descriptors = values["process_open_fds"],
            let objects = values["issuer_token_session_objects"]
        else { return nil }
        return LoadResult.Holdings(descriptors: Int(descriptors), tokenObjects: Int(objects))
    }

    /// The histogram of answer times: upper bounds in microseconds (nil for infinity) and counts below them.
    var answerBuckets: [(bound: Double?, count: Double)] { buckets("issuer_answer_seconds") }

    /// The buckets of a histogram in seconds, with bounds in microseconds; those of one stage where it has stages.
    func buckets(_ name: String, stage: String? = nil) -> [(bound: Double?, count: Double)] {
        let label = stage.map { "stage=\"\($0)\"," } ?? ""
        let prefix = "\(name)_bucket{\(label)le=\""
        return values.compactMap { name, count -> (Double?, Double)? in
            guard name.hasPrefix(prefix) else { return nil }
            return (
                Double(name.dropFirst(prefix.count).dropLast(2)).flatMap {
                    $0.isFinite ? $0 * 1_000_000 : nil
                }, count
            )
        }.sorted { ($0.0 ?? .infinity) < ($1.0 ?? .infinity) }
    }

    /// The names of the stages that the host measures, in alphabetical order.
    var stages: [String] {
        let prefix = "issuer_stage_seconds_count{stage=\""
        return values.keys.filter { $0.hasPrefix(prefix) }.map {
            String($0.dropFirst(prefix.count).dropLast(2))
        }
        .sorted()
    }

    /// Asks the host's admin port.
    /// - Returns: nil if it does not answer within two seconds.
    static func read(host: String, port: Int, on eventLoop: any EventLoop) async -> HostMetrics? {
        await ask("/metrics", host: host, port: port, on: eventLoop).map { HostMetrics(text: $0) }
    }

    /// Asks the host's admin port whether it is ready.
    /// - Returns: what it lacks; nil if it is ready, or does not say within two seconds.
    static func unreadiness(host: String, port: Int, on eventLoop: any EventLoop) async -> String? {
        guard let text = await ask("/ready", host: host, port: port, on: eventLoop),
            text.hasPrefix("not ready")
        else { return nil }
        let failed = text.split(separator: "\n").filter { $0.hasPrefix("FAILED ") }.map { $0.dropFirst(7) }
        return failed.joined(separator: "; ")
    }

    private static func ask(
        _ path: String, host: String, port: Int, on eventLoop: any EventLoop
    ) async -> String? {
        let text = eventLoop.makePromise(of: String.self)
        let request = "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n"
        let connecting = ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(MetricsReader(text))
                }
            }
            .connect(host: host, port: port)
        connecting.whenFailure { text.fail($0) }
        connecting.whenSuccess { $0.writeAndFlush(ByteBuffer(string: request), promise: nil) }
        let limit = eventLoop.scheduleTask(in: .seconds(2)) {
            text.fail(ChannelError.connectTimeout(.seconds(2)))
        }
        let answer = try? await text.futureResult.get()
        limit.cancel()
        if let channel = try? await connecting.get() { channel.close(promise: nil) }
        return answer
    }
}

/// Collects the body of one HTTP/1.1 answer whose length is given.
private final class MetricsReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<String>
    private var text = ""

    init(_ promise: EventLoopPromise<String>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
        guard let end = text.range(ofEmptyLine: ()) else { return }
        let length = text[..<end.lowerBound].split(separator: "\r\n").lazy
            .filter { $0.lowercased().hasPrefix("content-length:") }
            .compactMap { Int($0.dropFirst(15).trimmed) }.first
        guard let length, text[end.upperBound...].utf8.count >= length else { return }
        promise.succeed(String(text[end.upperBound...]))
    }

    func channelInactive(context: ChannelHandlerContext) { promise.fail(ChannelError.eof) }
}

extension StringProtocol {
    fileprivate var trimmed: String { String(drop { $0 == " " }) }
}

extension String {
    /// The empty line between head and body.
    fileprivate func range(ofEmptyLine: Void) -> Range<Index>? {
        let bytes = Array(utf8)
        guard
            let place = bytes.indices.dropLast(3).first(where: {
                bytes[$0] == 13 && bytes[$0 + 1] == 10 && bytes[$0 + 2] == 13 && bytes[$0 + 3] == 10
            })
        else { return nil }
        return utf8.index(startIndex, offsetBy: place)..<utf8.index(startIndex, offsetBy: place + 4)
    }
}
