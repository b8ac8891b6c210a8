internal import NIOCore

/// How the address of the server is found.
public enum RedisSource: Hashable, Sendable, CustomStringConvertible {
    /// It is known and never changes.
    case fixed(RedisAddress)
    /// The sentinels are asked for the master of this name, anew before every connection.
    case sentinels(master: String, [RedisAddress])

    /// For people.
    public var description: String {
        switch self {
        case .fixed(let address): "\(address)"
        case .sentinels(let master, let sentinels):
            "master \(master) of sentinels \(sentinels.map(\.description).joined(separator: ", "))"
        }
    }

    /// The address now. Sentinels are asked one after the other until one knows.
    func resolve(on eventLoop: any EventLoop) async throws(RedisError) -> RedisAddress {
        switch self {
        case .fixed(let address): return address
        case .sentinels(let master, let sentinels):
            var reasons: [String] = []
            for sentinel in sentinels {
                do { return try await RedisSource.ask(sentinel, for: master, on: eventLoop) } catch {
                    reasons.append("\(sentinel): \(error)")
                }
            }
            throw .notConnected("no sentinel knows \(master): \(reasons.joined(separator: "; "))")
        }
    }

    private static func ask(
        _ sentinel: RedisAddress, for master: String, on eventLoop: any EventLoop
    ) async throws(RedisError) -> RedisAddress {
        var settings = RedisConnectionSettings()
        settings.connectTimeout = .milliseconds(500)
        settings.replyTimeout = .milliseconds(500)
        let connection = RedisConnection(to: sentinel, on: eventLoop, settings: settings)
        let result: Result<RedisReply, RedisError>
        do {
            try await connection.waitUntilReady(timeout: .milliseconds(700))
            result = .success(
                try await connection.sendFromAnywhere(
                    RedisCommand("SENTINEL", "get-master-addr-by-name", master)))
        } catch {
            result = .failure(error as? RedisError ?? .notConnected("\(error)"))
        }
        await connection.close()
        guard let parts = try result.get().elements, parts.count == 2, let host = parts[0].text,
            let port = parts[1].text.flatMap({ Int($0) })
        else { throw .notConnected("does not know it") }
        return .tcp(host: host, port: port)
    }
}
