internal import Authorisation
internal import Redis

/// A library of Redis Functions that this version of the host speaks to.
struct FunctionLibrary: Sendable {
    /// Says which version the server has.
    let versionFunction: String
    /// Equals VERSION in the source; rises with every change of what a function takes or does.
    let version: Int64
    let source: String

    /// What records are replaced with.
    static let records = FunctionLibrary(
        versionFunction: "cardrecords_version", version: 11,
        source: String(decoding: PackageResources.records_lua, as: UTF8.self))

    /// Makes accounts of records of the layout before, under the name of its library: hosts of then stop.
    static let migration = FunctionLibrary(
        versionFunction: "cardstate_version", version: 1_000,
        source: String(decoding: PackageResources.migration_lua, as: UTF8.self))

    /// Loads the library where it is missing or older, and refuses a newer one: another version of the host
    /// is at work, and its answers would not be understood.
    func ensure(on connection: RedisConnection) async throws {
        switch await present(on: connection) {
        case .success(let found?) where found > version:
            throw FunctionLibraryError(found: found, expected: version)
        case .success(version): return
        case .success:
            let (replies, _) = await connection.sendTogether([
                RedisCommand("FUNCTION", "LOAD", "REPLACE", source), RedisCommand("INFO", "memory"),
            ])
            guard case .error(let error) = try replies[0].get() else { return }
            guard error.code == "OOM" else { throw RedisError.refused(error) }
            throw StateUnavailable(
                "the store is full (\(StoreMemory(try replies[1].get().text ?? "").words)): the functions of this release "
                    + "cannot be loaded; raise maxmemory, or export and trim the journal with the release before"
            )
        case .failure(let error): throw error
        }
    }

    private func present(on connection: RedisConnection) async -> Result<Int64?, RedisError> {
        do {
            let reply = try await connection.sendFromAnywhere(
                RedisCommand("FCALL_RO", versionFunction, "0"))
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
package struct FunctionLibraryError: Error, Sendable, CustomStringConvertible {
    /// What the server has.
    package let found: Int64
    /// What this host speaks.
    package let expected: Int64

    /// One line for people.
    package var description: String {
        "the server has function library version \(found), this host speaks version \(expected)"
    }
}
