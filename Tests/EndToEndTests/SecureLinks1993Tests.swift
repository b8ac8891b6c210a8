import Foundation
import SocketSupport
import Testing

/// Links of ISO 8583:1993 as banks have them: certificates on both sides, and a MAC on each message.
@Suite(.timeLimit(.minutes(5))) struct SecureLinks1993Tests {
    private static let dialects = [
        "ascii93-hexbitmap-bin", "ascii93-binbitmap", "jpos-iso93a", "jpos-iso93b", "jpos-iso93-ebcdic",
        "cardutil-1993",
    ]

    /// A dialect that says where a payment without a card names its kind, and the first one of its series.
    private static let named = """
        {"extends": "ascii93-binbitmap", "indicators": {"rows": [
          {"at": {"element": 60, "offset": 0}, "value": "C1", "says": "first-storedCredential"},
          {"at": {"element": 60, "offset": 0}, "value": "M1", "says": "storedCredential"},
          {"at": {"element": 60, "offset": 0}, "value": "C2", "says": "first-recurring"},
          {"at": {"element": 60, "offset": 0}, "value": "M2", "says": "recurring"},
          {"at": {"element": 60, "offset": 0}, "value": "V1", "says": "accountVerification"}],
          "ownReference": {"element": 37}, "firstReference": {"element": 62}}}
        """

    /// The demo's configuration with these links, on a host beside its own.
    private func withHost(
        _ links: (DemoEnvironment) throws -> String, _ body: (DemoEnvironment, String) throws -> Void
    ) throws {
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_1993": "1"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        var (text, _) = try environment.configurationBeside()
        for port in [environment.portC, environment.portD] {
            text = text.replacingOccurrences(of: "port: \(port)", with: "port: \(try freePort())")
        }
        // Dialects of the test's own lie beside the shipped ones.
        let shipped = DemoEnvironment.root.appendingPathComponent("Config/iso8583").path
        let own = environment.directory.appendingPathComponent("dialects").path
        try FileManager.default.copyItem(atPath: shipped, toPath: own)
        text = text.replacingOccurrences(of: shipped, with: own)
        text = text.replacingOccurrences(of: "\nlinks:\n", with: "\nlinks:\n" + (try links(environment)))
        let path = environment.directory.appendingPathComponent("links.yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let host = try HostProcess(configuration: path)
        defer { host.stop() }
        try body(environment, path)
    }

    private func run(_ scenarios: String, _ environment: DemoEnvironment, _ configuration: String) throws {
        let file = environment.directory.appendingPathComponent("scenarios.yaml").path
        try scenarios.write(toFile: file, atomically: true, encoding: .utf8)
        let ran = try DemoEnvironment.run(
            "terminal-simulator", ["run", file, "--config", configuration])
        #expect(ran.status == 0, "\(ran.output.suffix(4_000))")
    }

    @Test("Each dialect over TLS with MACs in DE64, and in DE128 where there are elements behind 64")
    func sealed() throws {
        try withHost { environment in
            func file(_ name: String) -> String {
                environment.directory.appendingPathComponent("tls/\(name)").path
            }
            return try Self.dialects.map { dialect in
                """
                  sealed-\(dialect):
                    port: \(try freePort())
                    dialect: \(dialect)
                    zonePINKey: zpk-acquirer-b
                    mac: {key: zak-acquirer-b, algorithm: iso9797-3, padding: 1}
                    tls: {certificateFile: \(file("host.pem")), privateKeyFile: \(file("host.key")), trustedFile: \(file("ca.pem")), peerNames: [terminal.example]}

                """
            }.joined()
        } _: { environment, configuration in
            try run(
                """
                name: Sealed
                vars:
                  links: [\(Self.dialects.map { "sealed-\($0)" }.joined(separator: ", "))]
                scenarios:
                  - name: paid and taken back on ${link}
                    for: {link: "${links}"}
                    steps:
                      - purchase: {card: mchip-14h, link: "${link}", amount: 4.00, pin: right}
                        expect: {de39: "000", arpc: approves, fields: {64: present}}
                      - reversal: {advice: true}
                        expect: {de39: "400", fields: {64: present}}
                      - name: with an element behind 64
                        purchase: {amount: 4.00, pin: right, fields: {102: "1234567890"}}
                        expect: {de39: "000", arpc: approves, fields: {64: present}}
                      - purchase: {amount: 4.00, pin: right, fields: {102: "1234567890"}, fault: {mac: wrong}}
                        expect: {de39: "916", arpc: absent}
                      - purchase: {amount: 4.00, pin: right, fields: {102: "1234567890"}, fault: {mac: missing}}
                        expect: {de39: "916", arpc: absent}
                      - purchase: {amount: 4.00, pin: right, fault: {mac: wrong}}
                        expect: {de39: "916", arpc: absent}
                      - purchase: {amount: 4.00, pin: right}
                        expect: {de39: "000", arpc: approves}
                """, environment, configuration)
        }
    }

    @Test("Stored credentials, series and account verification, as a dialect of 1993 names them")
    func withoutCVV2() throws {
        try withHost { environment in
            try Self.named.write(
                toFile: environment.directory.appendingPathComponent("dialects/named93.json").path,
                atomically: true, encoding: .utf8)
            return """
                  named:
                    port: \(try freePort())
                    dialect: named93
                    zonePINKey: zpk-acquirer-a
                    cvv2Element: 126

                """
        } _: { environment, configuration in
            try run(
                """
                name: Without CVV2
                scenarios:
                  - name: kinds by name, ${card}
                    for: {card: [visa-cvn10, visa-cvn18]}
                    steps:
                      - name: a later one whose first is not known
                        purchase: {card: "${card}", link: named, amount: 10.00, entry: e-commerce, cvv2: none, fields: {60: M1, 62: "000000222222"}}
                        expect: {de39: "119"}
                      - name: the first one without CVV2
                        purchase: {amount: 10.00, entry: e-commerce, cvv2: none, fields: {37: "000000222222", 60: C1}}
                        expect: {de39: "122"}
                      - purchase: {amount: 10.00, entry: e-commerce, fields: {37: "000000222222", 60: C1}}
                        expect: {de39: "000"}
                      - purchase: {amount: 200.00, entry: e-commerce, cvv2: none, fields: {60: M1, 62: "000000222222"}}
                        expect: {de39: "000", fields: {38: present}}
                      - name: over the bound of its kind
                        purchase: {amount: 200.01, entry: e-commerce, cvv2: none, fields: {60: M1, 62: "000000222222"}}
                        expect: {de39: "121"}
                      - purchase: {amount: 10.00, entry: e-commerce, fields: {37: "000000333333", 60: C2}}
                        expect: {de39: "000"}
                      - purchase: {amount: 500.00, entry: e-commerce, cvv2: none, fields: {60: M2, 62: "000000333333"}}
                        expect: {de39: "000"}
                      - purchase: {amount: 0.00, entry: e-commerce, cvv2: none, fields: {60: V1}}
                        expect: {de39: "000"}
                      - name: no kind is named
                        purchase: {amount: 10.00, entry: e-commerce, cvv2: none}
                        expect: {de39: "122"}
                """, environment, configuration)
        }
    }
}
