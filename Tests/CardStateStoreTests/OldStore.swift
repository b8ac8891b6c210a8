import Authorisation
import EMV
import Foundation
import Redis
import RedisSupport

@testable import CardStateStore

/// A store as hosts of function library 7 left it: their own functions write it.
struct OldStore {
    let connection: RedisConnection

    /// The name that a card had: see `StateBench` for the numbers of cards.
    static func name(_ card: Int, _ number: UInt8) -> CardToken {
        CardToken(high: UInt64(card) &* 1_000_003 &+ UInt64(number), low: 9)
    }

    init(_ address: RedisAddress) async throws {
        connection = RedisConnection(to: address, on: StateBench.loop)
        try await connection.waitUntilReady(timeout: .seconds(30))
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Vectors/old-layout/cardstate-7.lua").standardized
        let source = try String(contentsOf: file, encoding: .utf8)
        _ = try await connection.sendFromAnywhere(RedisCommand("FUNCTION", "LOAD", source))
    }

    func importCard(_ card: Int, _ number: UInt8 = 0, available: Int64 = 100_000) async throws {
        let keys = OldStoreNames(Self.name(card, number), bucketCount: 64)
        _ = try await connection.sendFromAnywhere(
            RedisCommand(
                "FCALL", "cardstate_import", "2", keys.card, keys.window, "active", "3012", "4d", "3",
                "\(available)", "752", "visa-cvn18", "0", ""))
        _ = try await connection.sendFromAnywhere(
            RedisCommand("HSET", keys.register, keys.name, "imk-ac-1;3012"))
    }

    /// A chip purchase, approved.
    func purchase(_ card: Int, _ number: UInt8 = 0, atc: Int, stan: UInt64, minorUnits: Int64) async throws {
        let keys = OldStoreNames(Self.name(card, number), bucketCount: 64)
        var command = RedisCommand(argumentCount: 20)
        for argument in ["FCALL", "cardstate_commit", "3", keys.card, keys.window, keys.journal] {
            command.append(argument)
        }
        // Sent 18 November 11:06:40, acquirer 1, without DE37; a fingerprint.
        command.append(bigEndian: stan << 40 | 0x11_1811_0640, 1 << 32 | 0xD5EC_4ED2)
        command.append(bigEndian: 0x0102_0304_0506_0708)
        let entry = "000000000001;\(stan);1795000000;acquirer-a;visa;\(minorUnits);752;visa-cvn18;1;\(atc);9;"
        for argument in [
            "0", "\(atc)", "0", "\(minorUnits)", "752", "123456", "1000", "1", entry, keys.name, "",
        ] {
            command.append(argument)
        }
        command.append(bigEndian: 1 << 56 | UInt64(1_795_000_000 / 86_400) << 40 | UInt64(minorUnits), 0)
        guard try await connection.sendFromAnywhere(command).text?.hasPrefix("0;0;") == true else {
            throw StateUnavailable("the old functions declined")
        }
    }

    /// How many old records there are.
    func records() async throws -> Int {
        let reply = try await connection.sendFromAnywhere(
            RedisCommand("SCAN", "0", "COUNT", "1000000", "TYPE", "hash", "MATCH", "*:card:*"))
        return reply.elements?.last?.elements?.count ?? 0
    }
}
