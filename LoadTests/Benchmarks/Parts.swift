import Authorisation
import ByteCoding
import CardStateStore
import EMV
import Foundation
import Glibc
import HSM
import HostServer
import ISO8583
import IssuerMessages
import NIOCore
import PKCS11
import Redis
import VirtualCard

/// Everything that the benchmarks run on.
final class Parts: Sendable {
    let root: String
    let issuer: DemoIssuer
    let location: TokenLocation
    let redisAddress: RedisAddress
    private let folder: String
    private let redis: Process

    init() throws {
        root = URL(filePath: #filePath).appending(path: "../../..").standardized.path
        issuer = try DemoIssuer(contentsOf: root + "/Config/demo/demo-issuer.json")
        folder = FileManager.default.temporaryDirectory.appending(path: "issuer-bench-\(getpid())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        location = try Parts.token(folder, root)
        redisAddress = .unix(path: folder + "/redis.sock")
        redis = try Parts.run(
            "redis-server",
            [
                root + "/Config/redis.conf", "--port", "0", "--unixsocket", folder + "/redis.sock", "--dir",
                folder,
                "--appendfsync", "everysec",
            ])
    }

    func stop() {
        redis.terminate()
        redis.waitUntilExit()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// CPU seconds that the Redis server has used.
    var redisSeconds: Double {
        var clock = clockid_t()
        return clock_getcpuclockid(redis.processIdentifier, &clock) == 0 ? seconds(clock) : .nan
    }

    private static func token(_ folder: String, _ root: String) throws -> TokenLocation {
        try "12345678".write(toFile: folder + "/pin", atomically: true, encoding: .utf8)
        try run("certutil", ["-N", "-d", "sql:" + folder, "-f", folder + "/pin"]).waitUntilExit()
        let library = ["x86_64-linux-gnu/", "aarch64-linux-gnu/", ""].flatMap { triplet in
            ["/usr/lib/\(triplet)libsoftokn3.so", "/usr/lib/\(triplet)nss/libsoftokn3.so"]
        }.first { FileManager.default.fileExists(atPath: $0) }
        let module = try Module(
            path: library ?? "libsoftokn3.so",
            initArguments: "configdir='sql:\(folder)' certPrefix='' keyPrefix='' secmod='' flags=")
        let location = TokenLocation(module: module, uri: "pkcs11:token=NSS%20Certificate%20DB") {
            SecretBytes(copying: Array("12345678".utf8))
        }
        struct KeyFile: Decodable {
            struct Key: Decodable {
                let value: String
                let kcv: String
            }
            let keys: [String: Key]
            let hmacKeys: [String: Key]
        }
        let data = try Data(contentsOf: URL(filePath: root + "/Config/demo/demo-issuer.json"))
        let file = try JSONDecoder().decode(KeyFile.self, from: data)
        for (name, key) in file.hmacKeys {
            _ = try KeyLoading.loadHMACTestKey(
                label: name, purpose: .authenticationHMACKey,
                value: SecretBytes(copying: Hex.decode(key.value)),
                expectedCheckValue: key.kcv, at: location)
        }
        for (name, key) in file.keys {
            guard let purpose = KeyPurpose.named(name) else { continue }
            _ = try KeyLoading.loadTestKey(
                label: name, purpose: purpose, value: SecretBytes(copying: Hex.decode(key.value)),
                expectedCheckValue: key.kcv, at: location)
        }
        _ = try KeyLoading.generatePANHashKey(label: "pan-hash", at: location)
        return location
    }

    @discardableResult
    private static func run(_ command: String, _ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [command] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    func hsm(workers: Int) throws -> HSM {
        try HSM(
            HSMConfiguration(
                panHashKey: KeyName("pan-hash"), pinVerificationKey: KeyName("pvk"),
                zonePINKeys: [KeyName("zpk-acquirer-a")], issuerMasterKeys: [KeyName("imk-ac-476173")],
                workers: workers), at: location)
    }

    func codec(_ dialect: String) throws -> MessageCodec {
        MessageCodec(dialect: try Dialect(contentsOf: root + "/Config/iso8583/\(dialect).json"))
    }

    static let ranges = IssuerRangeTable([
        IssuerRange(
            name: "visa", prefix: PANPrefix("476173")!, issuerMasterKey: KeyName("imk-ac-476173"),
            masterKeyOption: .a, profiles: [.visaCVN10, .visaCVN18, .visaCVN22])
    ])
}

/// A 0100 of twenty elements with a DE55 of 129 bytes, as a terminal sends it. `number` makes it one of many.
func request(
    number: Int, chip: [UInt8], pan: String, expiry: String = "2912", pinBlock: [UInt8],
    minorUnits: Int = 4_250
) -> Message {
    func digits(_ value: Int, _ count: Int) -> String {
        String(repeating: "0", count: count - String(value).count) + String(value)
    }
    var message = Message(mti: .authorisationRequest)
    message.set(.pan, text: pan)
    message.set(.processingCode, text: "000000")
    message.set(.transactionAmount, text: digits(minorUnits, 12))
    message.set(.transmissionTime, text: "1123120000")
    message.set(.stan, text: digits(number % 1_000_000, 6))
    message.set(.localTime, text: "120000")
    message.set(.localDate, text: "1123")
    message.set(.expirationDate, text: expiry)
    message.set(.merchantType, text: "5411")
    message.set(.pointOfServiceEntryMode, text: "051")
    message.set(.panSequenceNumber, text: "001")
    message.set(.pointOfServiceConditionCode, text: "00")
    message.set(.acquirerIdentifier, text: "123456")
    message.set(.track2, text: "\(pan)=\(expiry)20100000000")
    message.set(.retrievalReferenceNumber, text: digits(number, 12))
    message.set(.terminalIdentifier, text: "TERM0001")
    message.set(.merchantIdentifier, text: "MERCHANT0000001")
    message.set(.currency, text: "752")
    message.set(.pinData, bytes: pinBlock)
    message.set(.iccData, bytes: chip)
    return message
}
