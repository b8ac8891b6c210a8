import Foundation
import SocketSupport
import Testing

/// Old and new cards of one range side by side, each verified with the key version that its IAD names.
@Suite("Key versions", .serialized)
struct KeyVersionTests {
    private typealias JSON = [String: Any]

    @Test("Cards of both versions are served by one host, on both tokens", arguments: ["nss", "softhsm2"])
    func sideBySide(token: String) throws {
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_TOKEN": token])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let files = try write(environment)
        // SoftHSM2's library finds its store by this variable, which the script set for its own children.
        let variables = ["SOFTHSM2_CONF": environment.directory.appendingPathComponent("softhsm2.conf").path]
        let loaded = try DemoEnvironment.run(
            "issuer-keys", ["load-test-keys", files.newKey, "--config", files.old], variables: variables)
        #expect(loaded.status == 0, "\(loaded.output)")

        let host = Process()
        let output = Pipe()
        host.executableURL = URL(fileURLWithPath: DemoEnvironment.executable("issuer-host"))
        host.arguments = ["serve", "--config", files.old]
        host.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        host.standardOutput = output
        host.standardError = output
        try DemoEnvironment.start(host)
        defer {
            host.terminate()
            host.waitUntilExit()
        }
        var text = ""
        while !text.contains("ready:") {
            let data = output.fileHandleForReading.availableData
            try #require(!data.isEmpty, "the host did not start: \(text)")
            text += String(decoding: data, as: UTF8.self)
        }
        for (configuration, version) in [(files.old, "2021"), (files.new, "2026"), (files.old, "2021")] {
            let answer = try DemoEnvironment.run(
                "terminal-simulator",
                [
                    "purchase", "--card", "visa-cvn10", "--amount", "1.00", "--config", configuration,
                ])
            #expect(answer.output.contains("00 approved"), "\(version): \(answer.output)")
            let rrn = try #require(answer.output.firstMatch(of: /DE37 .*?(\d{12})/)?.output.1)
            let explained = try DemoEnvironment.run(
                "issuer-host", ["explain", String(rrn), "--config", files.old], variables: variables)
            #expect(explained.output.contains("key version \(version)"), "\(explained.output)")
        }
    }

    @Test("A key that only contactless stripes need is not retired")
    func stripeKey() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let path = environment.directory.appendingPathComponent("stripe.yaml").path
        try String(contentsOfFile: environment.configuration, encoding: .utf8)
            .replacingOccurrences(
                of: "contactlessStripe: dcvv",
                with: "contactlessStripe: dcvv\n      contactlessStripeKey: imk-ac-700001"
            )
            .write(toFile: path, atomically: true, encoding: .utf8)
        func keys(_ arguments: String...) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run("issuer-keys", arguments + ["--config", path])
        }
        #expect(try keys("generate", "imk-ac-700001").status == 0)
        let retired = try keys("retire", "imk-ac-700001", "--without-cards", "--yes")
        #expect(retired.status == 1 && retired.output.contains("contactlessStripeKey"), "\(retired.output)")
    }

    /// Two configurations of one host, for terminals with old cards and with new ones, and the new key.
    private func write(_ environment: DemoEnvironment) throws -> (old: String, new: String, newKey: String) {
        func place(_ name: String) -> String { environment.directory.appendingPathComponent(name).path }
        let demo = DemoEnvironment.root.appendingPathComponent("Config/demo/demo-issuer.json")
        var issuer = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: demo)) as? JSON)
        var keys = try #require(issuer["keys"] as? [String: JSON])
        let second = try #require(keys["imk-ac-541333"])
        try JSONSerialization.data(withJSONObject: ["keys": ["imk-ac-476173-v2": second]])
            .write(to: URL(fileURLWithPath: place("new-key.json")))
        keys["imk-ac-476173"] = second
        issuer["keys"] = keys
        issuer["cards"] = try #require(issuer["cards"] as? [JSON]).map { card in
            var card = card
            if let iad = card["issuerApplicationData"] as? String, iad.hasPrefix("0601") {
                card["issuerApplicationData"] = "0602" + iad.dropFirst(4)
            }
            return card
        }
        try JSONSerialization.data(withJSONObject: issuer)
            .write(to: URL(fileURLWithPath: place("new-issuer.json")))
        let text = try String(contentsOfFile: environment.configuration, encoding: .utf8)
            .replacing(
                try Regex(#"    issuerMasterKey: imk-ac-476173\n(    secureMessaging[^\n]*\n|\n)*"#),
                with: """
                        keyVersions:
                          "2021": {derivationKeyIndices: ["01"], issuerMasterKey: imk-ac-476173}
                          "2026": {derivationKeyIndices: ["02"], issuerMasterKey: imk-ac-476173-v2}

                    """
            )
            // With keys of two ages, the key of stripes without contact has to be named.
            .replacingOccurrences(
                of: "contactlessStripe: dcvv",
                with: "contactlessStripe: dcvv\n      contactlessStripeKey: imk-ac-476173"
            )
            .replacingOccurrences(of: "port: \(environment.portA)", with: "port: \(try freePort())")
            .replacingOccurrences(of: "port: \(environment.portB)", with: "port: \(try freePort())")
            .replacingOccurrences(of: "port: \(environment.adminPort)", with: "port: \(try freePort())")
        try text.write(toFile: place("old.yaml"), atomically: true, encoding: .utf8)
        try text.replacingOccurrences(of: demo.path, with: place("new-issuer.json"))
            .write(toFile: place("new.yaml"), atomically: true, encoding: .utf8)
        return (place("old.yaml"), place("new.yaml"), place("new-key.json"))
    }
}
