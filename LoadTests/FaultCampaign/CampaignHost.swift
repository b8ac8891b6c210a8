internal import FaultProxy
internal import Foundation
internal import Glibc
internal import NIOCore

/// A host whose token stands behind the faulty module, and the proxy that its terminals come through. All hosts of a campaign
/// have one token store.
final class CampaignHost: @unchecked Sendable {
    // Sendable because the campaign alone touches it, one step after the other.
    let configurationPath: String
    let proxy: FaultProxy
    /// Of the link itself, past the proxy.
    let port: Int
    private let adminPort: Int
    private let folder: String
    private let name: String
    private let binaries: String
    private let tokenEnvironment: [String: String]
    private let control: FileHandle
    private let clock: FileHandle
    private var process: ChildProcess
    /// Starts that failed because something that the host needs was away; a supervisor tries again.
    private(set) var failedStarts = 0

    /// Makes token, keys and configuration.
    /// - Parameters:
    ///   - root: the folder of the project.
    ///   - binaries: the folder of its executables.
    init(
        _ number: Int, root: String, binaries: String, folder: String, store: any StoreUnderTest,
        setUp: SetUp, seed: UInt64, on eventLoop: any EventLoop
    ) async throws {
        (self.folder, self.binaries, name) = (folder, binaries, "host-\(number)")
        (port, adminPort) = (try freePort(), try freePort())
        proxy = try await FaultProxy(
            to: .tcp(host: "127.0.0.1", port: port), seed: seed &+ 7 &+ UInt64(number), on: eventLoop)
        configurationPath = "\(folder)/\(name).yaml"
        let token = folder + "/token"
        control = try CampaignHost.file("\(folder)/\(name).control", Data("o".utf8))
        clock = try CampaignHost.file("\(folder)/\(name).clock", Data(count: 8))
        tokenEnvironment = [
            "FAULTY_TOKEN_MODULE": try softoken(), "FAULTY_TOKEN_CONTROL": "\(folder)/\(name).control",
        ]
        try CampaignConfiguration.text(
            root: root, folder: folder, binaries: binaries, ports: (port, adminPort), store: store,
            setUp: setUp
        ).write(toFile: configurationPath, atomically: true, encoding: .utf8)
        var environment = tokenEnvironment
        if setUp == .clocks {
            environment["LD_PRELOAD"] = "\(binaries)/libSkewedClock.so"
            environment["SKEWED_CLOCK_FILE"] = "\(folder)/\(name).clock"
        }
        process = ChildProcess(
            ["\(binaries)/issuer-host", "serve", "--config", configurationPath],
            log: "\(folder)/\(name).log", environment: environment)
        guard number == 0 else { return }
        try FileManager.default.createDirectory(atPath: token, withIntermediateDirectories: true)
        try "fault-campaign".write(toFile: folder + "/token.pin", atomically: true, encoding: .utf8)
        chmod(folder + "/token.pin", 0o600)
        try run(["certutil", "-N", "-d", "sql:\(token)", "-f", folder + "/token.pin"])
        try run([
            "\(binaries)/issuer-keys", "load-test-keys", "\(root)/Config/demo/demo-issuer.json", "--config",
            configurationPath,
        ])
    }

    private static func file(_ path: String, _ content: Data) throws -> FileHandle {
        try content.write(to: URL(fileURLWithPath: path))
        guard let file = FileHandle(forWritingAtPath: path) else {
            throw CampaignError("cannot write \(path)")
        }
        return file
    }

    /// Sets its wall clock, by so much ahead of the machine's.
    func setClock(aheadMilliseconds: Int64) throws {
        try clock.seek(toOffset: 0)
        try clock.write(contentsOf: withUnsafeBytes(of: aheadMilliseconds.littleEndian) { Data($0) })
    }

    /// One number of its metrics; 0 where it does not say.
    func metric(_ name: String) -> Int {
        guard let text = AdminPage.get("/metrics", port: adminPort) else { return 0 }
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line.flatMap { Int($0.dropFirst(name.count + 1)) } ?? 0
    }

    /// Writes the cards into the store.
    func importCards(_ file: String) throws {
        try run(["\(binaries)/issuer-host", "cards", "import", file, "--config", configurationPath])
    }

    /// The whole journal, as an operator exports it.
    func exportJournal() throws -> String {
        let path = folder + "/journal.jsonl"
        try run([
            "\(binaries)/issuer-host", "journal", "export", "--since", "2000-01-01T00:00:00Z", "--out", path,
            "--config", configurationPath,
        ])
        return path
    }

    /// Starts it as a supervisor would: again until it serves.
    func start() throws {
        let end = Date().addingTimeInterval(60)
        while Date() < end {
            try process.start()
            while process.isRunning {
                if process.log.contains("ready:") { return }
                guard Date() < end else { break }
                usleep(10_000)
            }
            failedStarts += 1
        }
        throw CampaignError("the host did not start: \(process.log.suffix(500))")
    }

    func kill() { process.kill() }

    /// Ends it as an operator does. False if it had to be killed.
    func stop() -> Bool {
        process.signal(SIGTERM)
        let end = Date().addingTimeInterval(30)
        while process.isRunning, Date() < end { usleep(10_000) }
        let ended = !process.isRunning
        process.kill()
        return ended
    }

    /// What the token does from now on: `o` its work, `r` removed, `f` failing, `s` stalled.
    func setToken(_ letter: Character) throws {
        // In place: the module has mapped this very file.
        try control.seek(toOffset: 0)
        try control.write(contentsOf: Data(String(letter).utf8))
    }

    private func run(_ command: [String]) throws {
        let (status, text) = try ChildProcess.output(of: command, environment: tokenEnvironment)
        guard status == 0 else {
            throw CampaignError("\(command.prefix(3).joined(separator: " ")): \(text.suffix(500))")
        }
    }
}

private func softoken() throws -> String {
    let folders =
        ["x86_64-linux-gnu", "aarch64-linux-gnu"].map { "/usr/lib/\($0)" } + ["/usr/lib64", "/usr/lib"]
    for folder in folders {
        for name in ["libsoftokn3.so", "nss/libsoftokn3.so"]
        where FileManager.default.fileExists(atPath: "\(folder)/\(name)") {
            return "\(folder)/\(name)"
        }
    }
    throw CampaignError("libsoftokn3.so not found: install libnss3")
}

/// The host's configuration in a campaign.
enum CampaignConfiguration {
    /// Of each card, over thirty days, for the range whose cards reach it.
    static let rollingAmount: Int64 = 6_000
    static let rollingCount: Int64 = 60
    /// Milliseconds until a request is answered, whatever happens behind the host.
    static let answerTimeout = 1_500

    static func text(
        root: String, folder: String, binaries: String, ports: (link: Int, admin: Int),
        store: any StoreUnderTest, setUp: SetUp
    ) -> String {
        """
        profile: demo
        dialects: \(root)/Config/iso8583
        token:
          module: \(binaries)/libFaultyToken.so
          initArguments: "configdir='sql:\(folder)/token' certPrefix='' keyPrefix='' secmod='' flags="
          uri: "pkcs11:token=NSS%20Certificate%20DB"
          pinFile: token.pin
          workers: 2
        keys:
          panHash: pan-hash
          pinVerification: pvk
        redis:
        \(store.configuration)
          # What only the primary has would be gone with it: nobody is told of it.
          replicasMin: \(setUp.replicasMin)
          replicaTimeoutMilliseconds: 500
          buckets: 64
        policy:
          atcJumpMax: 1000
          pinTriesMax: 3
        issuers:
          visa-476173:
            prefix: "476173"
            issuerMasterKey: imk-ac-476173
            masterKeyOption: A
            profiles: [visa-cvn10, visa-cvn18, visa-cvn22]
          mastercard-541333:
            prefix: "541333"
            issuerMasterKey: imk-ac-541333
            masterKeyOption: A
            profiles: [mc-cvn10h, mc-cvn11h, mc-cvn14h, mc-cvn15h]
            limits:
              currency: "752"
              rollingDays: 30
              rollingAmount: \(rollingAmount)
              rollingCount: \(rollingCount)
          ccd-639999:
            prefix: "639999"
            issuerMasterKey: imk-ac-639999
            masterKeyOption: A
            profiles: [ccd]
        links:
          acquirer-a:
            host: 127.0.0.1
            port: \(ports.link)
            dialect: ascii87-binbitmap
            framing: 2be
            zonePINKey: zpk-acquirer-a
            answerTimeoutMilliseconds: \(answerTimeout)
        server:
          eventLoops: \(setUp.eventLoops)
        admin:
          port: \(ports.admin)
        log:
          level: error
        demo:
          issuer: \(root)/Config/demo/demo-issuer.json
        """
    }
}
