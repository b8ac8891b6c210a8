package import Redis

/// One line about the state store.
package struct StoreCheckLine: Sendable {
    /// What was looked at.
    package let subject: String
    /// Whether it is as it has to be.
    package let passed: Bool
    /// Whether the host refuses to serve without it, or only says so.
    package let required: Bool
    /// What was found.
    package let detail: String
}

/// What has to be true of the server before a host may rely on it.
package enum StoreCheck {
    /// Looks at version, role, durability and eviction.
    /// - Throws: `RedisError` where the server does not answer.
    package static func lines(on connection: RedisConnection) async throws(RedisError) -> [StoreCheckLine] {
        let info = try await text(connection, RedisCommand("INFO", "server"))
        let replication = try await text(connection, RedisCommand("INFO", "replication"))
        return lines(
            version: value("redis_version", info) ?? "?", role: value("role", replication) ?? "?",
            appendOnly: try await setting(connection, "appendonly"),
            fsync: try await setting(connection, "appendfsync"),
            policy: try await setting(connection, "maxmemory-policy"))
    }

    /// What the server's own words mean.
    static func lines(
        version: String, role: String, appendOnly: String, fsync: String, policy: String
    ) -> [StoreCheckLine] {
        let major = Int(version.prefix { $0 != "." }) ?? 0
        return [
            line("Redis version", major >= 7, required: true, detail: "\(version), 7 or later has functions"),
            line("Redis role", role == "master", required: true, detail: role),
            line("Redis appendonly", appendOnly == "yes", required: false, detail: appendOnly),
            line("Redis appendfsync", fsync == "always", required: false, detail: fsync),
            line("Redis maxmemory-policy", policy == "noeviction", required: true, detail: policy),
        ]
    }

    private static func line(
        _ subject: String, _ passed: Bool, required: Bool, detail: String
    ) -> StoreCheckLine {
        StoreCheckLine(subject: subject, passed: passed, required: required, detail: detail)
    }

    private static func text(
        _ connection: RedisConnection, _ command: RedisCommand
    ) async throws(RedisError) -> String {
        try await connection.sendFromAnywhere(command).text ?? ""
    }

    private static func setting(
        _ connection: RedisConnection, _ name: String
    ) async throws(RedisError) -> String {
        let reply = try await connection.sendFromAnywhere(RedisCommand("CONFIG", "GET", name))
        return reply.elements?.last?.text ?? "?"
    }

    static func value(_ name: String, _ info: String) -> String? {
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix(name + ":") {
            return String(line.dropFirst(name.count + 1))
        }
        return nil
    }
}

/// How full a server is.
package struct StoreMemory: Sendable {
    /// Bytes that are used.
    package let used: UInt64
    /// `maxmemory`; 0: no bound but the machine's.
    package let bound: UInt64

    init(used: UInt64, bound: UInt64) { (self.used, self.bound) = (used, bound) }

    init(of connection: RedisConnection) async throws(RedisError) {
        let info = try await connection.sendFromAnywhere(RedisCommand("INFO", "memory")).text ?? ""
        self.init(info)
    }

    init(_ info: String) {
        used = StoreCheck.value("used_memory", info).flatMap { UInt64($0) } ?? 0
        bound = StoreCheck.value("maxmemory", info).flatMap { UInt64($0) } ?? 0
    }

    /// False where writes fail.
    package var hasRoom: Bool { bound == 0 || used < bound }

    /// For people.
    package var words: String {
        bound == 0
            ? "\(used) bytes used, no maxmemory" : "\(used) of \(bound) bytes used, \(used * 100 / bound) %"
    }
}
