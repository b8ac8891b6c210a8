import NIOCore
import NIOPosix
import Redis
import RedisSupport
import Testing

@Suite("Redis connection")
struct RedisConnectionTests {
    private func connect(
        _ redis: TestRedis, _ change: (inout RedisConnectionSettings) -> Void = { _ in }
    ) async throws -> RedisConnection {
        var settings = RedisConnectionSettings()
        change(&settings)
        let connection = RedisConnection(
            to: redis.address, on: MultiThreadedEventLoopGroup.singleton.any(), settings: settings)
        try await connection.waitUntilReady(timeout: .seconds(60))
        return connection
    }

    private func reply(_ connection: RedisConnection, _ arguments: String...) async throws -> RedisReply {
        try await connection.sendFromAnywhere(RedisCommand(arguments))
    }

    /// Nil where the command was carried out.
    private func failure(_ connection: RedisConnection, _ arguments: String...) async -> RedisError? {
        do throws(RedisError) {
            _ = try await connection.sendFromAnywhere(RedisCommand(arguments))
            return nil
        } catch {
            return error
        }
    }

    @Test func commandsAreWrittenAsRESP() {
        var command = RedisCommand(argumentCount: 4)
        command.append("SET")
        command.append([0x0D, 0x0A, 0xFF])
        command.append(decimal: -120)
        #expect(!command.isComplete)
        command.append("")
        #expect(command.isComplete)
        let expected =
            Array("*4\r\n$3\r\nSET\r\n$3\r\n".utf8) + [0x0D, 0x0A, 0xFF]
            + Array("\r\n$4\r\n-120\r\n$0\r\n\r\n".utf8)
        #expect(command.bytes == expected)
        for number in [0, 7, 10, 999, 1_000, Int64.max] {
            var command = RedisCommand(argumentCount: 1)
            command.append(decimal: number)
            #expect(command.bytes == RedisCommand("\(number)").bytes)
        }
    }

    @Test func repliesOfEveryKind() async throws {
        let redis = try TestRedis()
        let connection = try await connect(redis)
        #expect(try await reply(connection, "PING") == .status("PONG"))
        #expect(try await reply(connection, "GET", "nothing") == .null)
        #expect(try await reply(connection, "INCR", "n") == .integer(1))
        #expect(try await reply(connection, "ECHO", "a\r\nb") == .string(Array("a\r\nb".utf8)))
        #expect(try await reply(connection, "RPUSH", "l", "a", "b") == .integer(2))
        #expect(try await reply(connection, "LRANGE", "l", "0", "-1").elements?.map(\.text) == ["a", "b"])
        do {
            _ = try await reply(connection, "INCR", "l")
            Issue.record("a wrong type was accepted")
        } catch RedisError.refused(let error) {
            #expect(error.code == "WRONGTYPE")
        }
        await connection.close()
    }

    @Test func thousandsInFlightComeBackInOrder() async throws {
        let redis = try TestRedis()
        let connection = try await connect(redis)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<5_000 {
                group.addTask {
                    try await connection.sendFromAnywhere(RedisCommand("ECHO", "\(number)")).text
                        == "\(number)"
                }
            }
            for try await right in group { #expect(right) }
        }
        #expect(connection.commandsSent == 5_000)
        await connection.close()
    }

    @Test func tooManyInFlightAreRefusedAndNotSent() async throws {
        let redis = try TestRedis()
        let connection = try await connect(redis) { $0.inFlightCommandsMax = 10 }
        let results = await withTaskGroup(of: RedisError?.self) { group in
            // Holds the server, so that the others pile up.
            group.addTask { await self.failure(connection, "DEBUG", "SLEEP", "0.2") }
            for _ in 0..<30 { group.addTask { await self.failure(connection, "INCR", "x") } }
            return await group.reduce(into: [RedisError]()) { errors, error in
                if let error { errors.append(error) }
            }
        }
        let overloaded = results.filter { $0 == .overloaded }.count
        let sent = try await reply(connection, "GET", "x").text.flatMap(Int.init) ?? 0
        let notSent = results.filter { $0 == .overloaded }.count
        #expect(overloaded > 0 && overloaded == notSent)
        // Debian's server may refuse DEBUG; then nothing piles up behind it but the commands themselves.
        #expect(sent + overloaded >= 29 && sent + overloaded <= 31)
        await connection.close()
    }

    @Test func aSilentServerTimesOutAndTheConnectionServesOn() async throws {
        let redis = try TestRedis()
        let connection = try await connect(redis) { $0.replyTimeout = .milliseconds(100) }
        await #expect(throws: RedisError.timedOut) {
            _ = try await self.reply(connection, "BLPOP", "nothing", "0.5")
        }
        try await Task.sleep(for: .milliseconds(600))
        // The late reply was read over; this one is its own.
        #expect(try await reply(connection, "ECHO", "after").text == "after")
        await connection.close()
    }

    @Test func aKilledServerFailsWhatIsInFlightAndIsFoundAgain() async throws {
        let redis = try TestRedis()
        let connection = try await connect(redis) { $0.replyTimeout = .seconds(60) }
        #expect(try await reply(connection, "SET", "kept", "yes") == .status("OK"))
        let blocked = Task { await failure(connection, "BLPOP", "nothing", "60") }
        let other = try await connect(redis)
        while try await reply(other, "INFO", "clients").text?.contains("blocked_clients:1") != true {
            try await Task.sleep(for: .milliseconds(5))
        }
        await other.close()
        redis.kill()
        #expect(await blocked.value == .connectionLost)
        do {
            _ = try await reply(connection, "PING")
            Issue.record("a dead server answered")
        } catch RedisError.notConnected {}
        try redis.start()
        try await connection.waitUntilReady(timeout: .seconds(60))
        #expect(try await reply(connection, "GET", "kept").text == "yes")
        await connection.close()
        await #expect(throws: RedisError.notConnected("stopped")) {
            _ = try await self.reply(connection, "PING")
        }
    }

    @Test func aConnectionThatCannotBePreparedIsNotUsed() async throws {
        struct Refused: Error, CustomStringConvertible { let description = "not this server" }
        let redis = try TestRedis()
        let connection = RedisConnection(to: redis.address, on: MultiThreadedEventLoopGroup.singleton.any()) {
            _ in
            throw Refused()
        }
        var reasons: Set<String> = []
        for _ in 0..<2_000 where !reasons.contains("not this server") {
            let reason = await connection.unavailability()
            reasons.insert(try #require(reason, "an unprepared connection was given out"))
            try await Task.sleep(for: .milliseconds(1))
        }
        #expect(reasons.contains("not this server"))
        await connection.close()
    }
}
