internal import Redis

/// The library of Redis Functions that this version of the host speaks to.
enum FunctionLibrary {
    /// Equals VERSION in `cardstate.lua`; rises with every change of what a function takes or does.
    static let version: Int64 = 7

    /// One library in four files: the head with what a decision moves, reversals, what operators do, issuer scripts.
    static var source: String {
        [
            PackageResources.cardstate_lua, PackageResources.reversals_lua, PackageResources.operators_lua,
            PackageResources.scripts_lua,
        ].map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
    }

    /// Loads the library where it is missing or older, and refuses a newer one: another version of the host
    /// is at work, and its answers would not be understood.
    static func ensure(on connection: RedisConnection) async throws {
        switch await present(on: connection) {
        case .success(let found?) where found > version:
            throw FunctionLibraryError(found: found, expected: version)
        case .success(version): return
        case .success:
            _ = try await connection.sendFromAnywhere(RedisCommand("FUNCTION", "LOAD", "REPLACE", source))
        case .failure(let error): throw error
        }
    }

    private static func present(on connection: RedisConnection) async -> Result<Int64?, RedisError> {
        do {
            let reply = try await connection.sendFromAnywhere(
                RedisCommand("FCALL_RO", "cardstate_version", "0"))
            guard case .integer(let version) = reply else { return .success(nil) }
            return .success(version)
        } catch .refused(let error) where error.description.contains("Function not found") {
            return .success(nil)
        } catch {
            return .failure(error)
        }
    }
}

/// The server holds a newer function library than this host knows.
public struct FunctionLibraryError: Error, Sendable, CustomStringConvertible {
    /// What the server has.
    public let found: Int64
    /// What this host speaks.
    public let expected: Int64

    /// One line for people.
    public var description: String {
        "the server has function library version \(found), this host speaks version \(expected)"
    }
}
