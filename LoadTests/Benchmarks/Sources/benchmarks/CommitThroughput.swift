import Authorisation
import CardStateStore
import EMV
import Foundation
import Glibc
import HostServer
import NIOCore
import NIOPosix
import Redis

/// The commit alone, through the host's own port and connection, against `redis-benchmark` calling the same function
/// with arguments of the same shape. Both on one connection, one after the other, on a server that begins empty.
struct CommitThroughput {
    /// Cards; ATCs of the same number, all within the window, so that few are seen twice.
    private static let population = 2_000
    private static let highestATC: UInt16 = 2_047
    private static let depths: [(inFlight: Int, commits: [String: Int])] = [
        (1, ["everysec": 20_000, "always": 5_000]), (16, ["everysec": 100_000, "always": 50_000]),
        (128, ["everysec": 200_000, "always": 100_000]),
    ]

    /// One measurement: commits a second, and how many were approved.
    private struct Measured {
        var host: [Double] = []
        var raw: [Double] = []
        var hostApproved = 1.0
        var rawApproved = 1.0
        var ratios: [Double] { zip(host, raw).map { $0 / $1 } }
    }

    let runs: Int

    func run() async throws {
        print(
            "| appendfsync | in flight | host's commits/s | redis-benchmark's | ratio in one run | approved |"
        )
        print("|---|---|---|---|---|---|")
        for fsync in ["everysec", "always"] {
            for depth in Self.depths {
                var measured = Measured()
                for number in 0..<runs {
                    try await oneRun(fsync, depth.inFlight, depth.commits[fsync] ?? 0, number, &measured)
                }
                print(row(fsync, depth.inFlight, measured))
                fflush(nil)
            }
        }
    }

    private func row(_ fsync: String, _ depth: Int, _ measured: Measured) -> String {
        func text(_ values: [Double], _ format: String) -> String {
            let sorted = values.sorted()
            return String(
                format: "\(format) (\(format)–\(format))", sorted[sorted.count / 2], sorted[0],
                sorted[sorted.count - 1])
        }
        let approved = String(
            format: "%.1f %%, %.1f %%", measured.hostApproved * 100, measured.rawApproved * 100)
        return "| \(fsync) | \(depth) | \(text(measured.host, "%.0f")) | \(text(measured.raw, "%.0f")) "
            + "| \(text(measured.ratios, "%.2f")) | \(approved) |"
    }

    // MARK: - One run

    private func oneRun(
        _ fsync: String, _ depth: Int, _ commits: Int, _ number: Int, _ measured: inout Measured
    ) async throws {
        let server = try PrivateRedis(fsync: fsync)
        defer { server.stop() }
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let store = StateStore(to: .server(.fixed(server.address)), on: loop)
        try await store.waitUntilReady(timeout: .seconds(10))
        let connection = RedisConnection(to: server.address, on: loop)
        try await connection.waitUntilReady(timeout: .seconds(10))
        let bench = HostCommits(store)
        try await bench.prepare(Self.population, Self.highestATC)
        try await prepareRaw(connection)
        // Who goes first alternates: the file grows, and the machine's mood changes.
        for isHost in number % 2 == 0 ? [true, false] : [false, true] {
            if isHost {
                let result = try await bench.measure(commits, depth, UInt64(number))
                measured.host.append(result.perSecond)
                measured.hostApproved = min(measured.hostApproved, result.approved)
            } else {
                let before = try await count(connection)
                measured.raw.append(try rawRate(server, depth, commits))
                // A few of its random numbers come twice for one card: repeats, which the journal does not have.
                guard try await count(connection) - before > commits * 99 / 100 else {
                    throw BenchmarkError("redis-benchmark's calls did not all reach the journal")
                }
                measured.rawApproved = min(measured.rawApproved, try await approvedShare(connection))
            }
        }
        await store.close()
        await connection.close()
    }

    private func count(_ connection: RedisConnection) async throws -> Int {
        guard
            case .integer(let count) = try await connection.sendFromAnywhere(
                RedisCommand("XLEN", "{b00}:journal"))
        else { throw BenchmarkError("no journal") }
        return Int(count)
    }

    private func approvedShare(_ connection: RedisConnection) async throws -> Double {
        let entries =
            try await connection.sendFromAnywhere(
                RedisCommand("XREVRANGE", "{b00}:journal", "+", "-", "COUNT", "2000")
            ).elements ?? []
        let approved = entries.filter { $0.elements?.last?.elements?[3].text?.hasPrefix("0;") == true }
        return Double(approved.count) / Double(max(1, entries.count))
    }

    // MARK: - redis-benchmark

    /// Cards as an import leaves them, under keys that redis-benchmark can make up: twelve digits.
    private func prepareRaw(_ connection: RedisConnection) async throws {
        let script = """
            for n = 0, tonumber(ARGV[1]) - 1 do
              redis.call('HSET', string.format('{b00}:card:%012d', n), 'st', 'active', 'ex', '2912', 'pr', '1', 'pm', 3,
                'pu', 0, 'av', '900000000000', 'cu', 752, 'pf', 'visa-cvn18', 'li', '', 'ah', ARGV[2])
            end
            """
        _ = try await connection.sendFromAnywhere(
            RedisCommand("EVAL", script, "0", "\(Self.population)", "\(Self.highestATC)"))
    }

    private func rawRate(_ server: PrivateRedis, _ depth: Int, _ commits: Int) throws -> Double {
        var entry: [UInt8] = []
        HostCommits.entry(1, atc: 1).appendEncoded(into: &entry)
        let random = "__rand_int__"
        // Transmission (16), fingerprint (8), no reason to decline, ATC, right PIN, amount, currency, code, jump limit,
        // late ones accepted, entry, token (32), no limits, kind with flags, day, amount and cash (16).
        let arguments = [
            random + "ACQR", "abcdefgh", "0", random, "1", "4250", "752", "123456", "1000", "1",
            String(decoding: entry, as: UTF8.self), String(repeating: "a", count: 20) + random, "",
            "A" + String(repeating: "1", count: 15),
        ]
        let keys = ["{b00}:card:\(random)", "{b00}:atc:\(random)", "{b00}:journal"]
        let output = try command(
            "redis-benchmark",
            [
                "-s", server.socket, "-c", "1", "-P", "\(depth)", "-n", "\(commits)", "-r",
                "\(Self.population)",
            ]
                + ["--csv", "-e", "FCALL", "cardstate_commit", "3"] + keys + arguments)
        // "test","rps",…
        let last = output.split(separator: "\n").last.map { $0.split(separator: "\",\"") } ?? []
        guard last.count > 1, let rate = last.compactMap({ Double($0) }).first else {
            throw BenchmarkError("redis-benchmark: \(output.suffix(300))")
        }
        return rate
    }
}

/// What the host does: the `CardState` port on one connection.
private struct HostCommits {
    private static let currency = CurrencyCode(rawValue: 752)!
    private static let amount = Amount(minorUnits: 4_250, currency: currency)!
    private let state: RedisCardState
    private let executor: EventLoopExecutor

    init(_ store: StateStore) {
        var settings = CardStateSettings()
        // All in one slot, as redis-benchmark's.
        settings.bucketCount = 1
        state = RedisCardState(store, settings: settings)
        executor = EventLoopExecutor(store.eventLoop)
    }

    func prepare(_ population: Int, _ highestATC: UInt16) async throws {
        let state = state
        let card = CardRecord(
            status: .active, expiry: ExpiryDate(ascii: Array("2912".utf8))!,
            pinReference: EncipheredPINBlock(rawValue: 1), pinTriesMax: 3, pinTriesUsed: 0, highestATC: nil,
            availableMinorUnits: 900_000_000_000, currency: Self.currency, profile: "visa-cvn18")
        try await Task(executorPreference: executor) {
            for number in 0..<UInt64(population) {
                try await state.importCard(card, token: Self.token(number))
                _ = try await state.commit(Self.commit(number, number, highestATC))
            }
        }.value
    }

    func measure(
        _ commits: Int, _ depth: Int, _ seed: UInt64
    ) async throws -> (perSecond: Double, approved: Double) {
        let state = state
        let first = (seed + 1) << 40
        let begun = seconds(CLOCK_MONOTONIC)
        let approved = try await run(Array(first..<first + UInt64(commits)), depth, executor) { number in
            var random = SplitMix(seed: number)
            let (card, atc) = (random.below(2_000), UInt16(random.below(2_000)))
            return try await state.commit(Self.commit(card, number, atc)).declined == nil ? 1 : 0
        }
        return (Double(commits) / (seconds(CLOCK_MONOTONIC) - begun), Double(approved) / Double(commits))
    }

    private static func token(_ number: UInt64) -> CardToken { CardToken(high: number, low: 7) }

    private static func commit(_ card: UInt64, _ number: UInt64, _ atc: UInt16) -> AuthorisationCommit {
        AuthorisationCommit(
            token: token(card),
            retransmission: RetransmissionKey(
                moment: number, acquirer: 123_456, reference: UInt32(truncatingIfNeeded: number),
                fingerprint: number),
            declined: nil, verifiedATC: ApplicationTransactionCounter(rawValue: atc), pin: .right,
            amount: amount, approvalCode: Array("123456".utf8), entry: entry(number, atc: atc),
            deadline: Deadline(nanoseconds: .max))
    }

    static func entry(_ number: UInt64, atc: UInt16) -> JournalEntry {
        benchmarkEntry(number, amount, atc, approvalTrace)
    }
}

/// SplitMix64.
private struct SplitMix {
    var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: UInt64) -> UInt64 { (next() >> 1) % bound }
}

/// A server with the reference configuration, in a folder of its own.
private final class PrivateRedis {
    let socket: String
    var address: RedisAddress { .unix(path: socket) }
    private let folder: String
    private let process = Process()

    init(fsync: String) throws {
        folder =
            FileManager.default.temporaryDirectory
            .appending(path: "issuer-commit-\(UInt32.random(in: .min ... .max))").path
        socket = folder + "/redis.sock"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let root = URL(filePath: #filePath).appending(path: "../../../../..").standardized.path
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "redis-server", root + "/Config/redis.conf", "--port", "0", "--unixsocket", socket, "--dir",
            folder,
            "--appendfsync", fsync,
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    func stop() {
        // Not with a signal that it may have inherited blocked.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: folder)
    }
}

struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What a command prints.
private func command(_ name: String, _ arguments: [String]) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [name] + arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return text
}
