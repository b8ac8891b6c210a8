import Foundation
import Glibc
import ISO8583
import Testing

/// Backup and restore as docs/operating.md says: two hosts serve, the append-only file is copied meanwhile, the store is
/// lost and comes back as it was then.
@Suite struct RestoreTests {
    @Test("What the backup lacked is refused by both hosts until each has accepted it, and then is 25")
    func backupAndRestore() throws {
        let scene = try Scene()
        defer { scene.stop() }
        let (folder, copy) = (scene.folder("appendonlydir"), scene.folder("backup"))
        let before = try scene.purchase(500)
        #expect(try scene.code(.first, before) == "00")
        try FileManager.default.copyItem(at: folder, to: copy)
        let opening = try scene.balance()
        // The second that decides what belongs to the time that is lost.
        usleep(1_100_000)
        let lacked = [try scene.purchase(700), try scene.purchase(300)]
        #expect(try scene.code(.first, lacked[0]) == "00")
        #expect(try scene.code(.second, lacked[1]) == "00")
        // Longer than the hosts take to keep what they saw.
        usleep(1_000_000)
        try scene.environment.killStore()
        try FileManager.default.removeItem(at: folder)
        try FileManager.default.copyItem(at: copy, to: folder)
        let store = try scene.environment.startStore()
        defer {
            kill(store.processIdentifier, SIGTERM)
            store.waitUntilExit()
        }

        for (host, path) in zip([Scene.Host.first, .second], scene.configurations) {
            let status = try scene.store(["status"], path)
            #expect(status.status == 1 && status.output.contains("lack the last entry"), "\(status)")
            #expect(try scene.codeOnceServed(host, try scene.purchase(1), seconds: 3) == "91")
            let accepted = try scene.store(["accept", "--reason", "backup"], path)
            #expect(accepted.status == 0, "\(accepted.output)")
            #expect(try scene.codeOnceServed(host, try scene.purchase(1), seconds: 20) == "00")
        }
        // One 1 was approved by each host.
        #expect(try scene.balance() == opening - 2)
        for (host, message) in zip([Scene.Host.second, .first], lacked) {
            #expect(try scene.code(host, scene.reversal(of: message, nil)) == "25")
        }
        #expect(try scene.code(.second, scene.reversal(of: before, nil)) == "00")
        #expect(try scene.balance() == opening - 2 + 500)
        let journal = try DemoEnvironment.run(
            "issuer-host",
            ["journal", "export", "--since", "2020-01-01T00:00:00Z", "--config", scene.configurations[0]]
        ).output
        #expect(journal.components(separatedBy: "\"operation\":\"original-lost\"").count == 3)
        #expect(journal.components(separatedBy: "\"operation\":\"store-accept\"").count == 3)
    }
}

extension Scene {
    fileprivate func folder(_ name: String) -> URL { environment.directory.appendingPathComponent(name) }

    fileprivate func code(_ host: Host, _ message: Message) throws -> String? {
        try ask(host, message).text(.responseCode)
    }

    /// Asked again until it is decided or time is up.
    fileprivate func codeOnceServed(_ host: Host, _ message: Message, seconds: Int) throws -> String? {
        let end = Date().addingTimeInterval(TimeInterval(seconds))
        var code = try code(host, message)
        while code == "91", Date() < end {
            usleep(200_000)
            code = try self.code(host, message)
        }
        return code
    }

    fileprivate func store(_ arguments: [String], _ configuration: String) throws -> (
        status: Int32, output: String
    ) {
        try DemoEnvironment.run("issuer-host", ["store"] + arguments + ["--config", configuration])
    }
}
