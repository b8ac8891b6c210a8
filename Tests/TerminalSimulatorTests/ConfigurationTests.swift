import Foundation
import ISO8583
import TerminalSimulator
import Testing

@Suite("Simulator configuration")
struct ConfigurationTests {
    private func configuration(_ yaml: String) throws(ConfigurationError) -> SimulatorConfiguration {
        try SimulatorConfiguration(yaml: yaml, path: "host.yaml", folder: "/env")
    }

    private func reason(_ yaml: String) -> String {
        do throws(ConfigurationError) {
            _ = try configuration(yaml)
            return "accepted"
        } catch {
            return error.description
        }
    }

    @Test("Paths count from the file's folder, links are sorted, the host's own keys are left alone")
    func reading() throws {
        let found = try TestData.configuration(portA: 8583, portB: 8584, state: "/state")
        #expect(found.issuerPath == TestData.root.path() + "/Config/demo/demo-issuer.json")
        #expect(found.cardStatePath == "/state")
        #expect(found.links.map(\.name) == ["acquirer-a", "acquirer-b"])
        #expect(found.links[0].endpoint == Endpoint(host: "127.0.0.1", port: 8583))
        #expect(found.links[1].framing == "2be")
        let bench = try Bench(found)
        #expect(try bench.link(found.links[1]).form.codec.dialect.name == "bcd87-rightF")
    }

    @Test("Errors name the file and the key")
    func errors() {
        let head = "demo: {issuer: i.json, cardState: s}\ndialects: d\n"
        #expect(reason("dialects: d\nlinks: {}") == "host.yaml: key demo is missing")
        #expect(reason(head + "links: {a: {port: 1}}") == "host.yaml: key links.a.dialect is missing")
        #expect(reason(head + "links: {a: {port: 70000, dialect: x}}").contains("links.a.port"))
        #expect(reason("a: [").hasPrefix("host.yaml: "))
        #expect(throws: ConfigurationError.unreadable(path: "/nowhere/x.yaml")) {
            _ = try SimulatorConfiguration(contentsOf: "/nowhere/x.yaml")
        }
    }

    @Test("Unknown names are answered with the valid ones")
    func unknownNames() throws {
        let found = try TestData.configuration(portA: 1, portB: 2, state: TestData.temporaryFolder())
        let bench = try Bench(found)
        func words(_ body: () throws -> Void) -> String {
            do { try body() } catch { return "\(error)" }
            return "accepted"
        }
        #expect(
            words { _ = try found.link("c") }
                == "there is no link c; choose one of: acquirer-a, acquirer-b")
        #expect(words { _ = try bench.card("gold") }.contains("no card gold; choose one of: visa-cvn10,"))
        var link = found.links[0]
        link.dialect = "latin"
        #expect(words { _ = try bench.link(link) }.contains("no dialect latin; choose one of: ascii87-"))
        link = found.links[0]
        link.framing = "3be"
        #expect(words { _ = try bench.link(link) }.contains("2be, 4ascii, 2be-incl, 4ascii-incl"))
        link = found.links[0]
        link.zonePINKey = "zpk-c"
        #expect(words { _ = try bench.link(link) }.contains("zpk-acquirer-a, zpk-acquirer-b"))
    }

    @Test("Framings by name")
    func framings() throws {
        #expect(try FramingName.framing("2be") == .twoByteBigEndian)
        #expect(try FramingName.framing("4ascii-incl") == Framing(.fourASCII, includesItself: true))
        #expect(try FramingName.framing("2be", tpduBytes: 5) == Framing(.twoByteBigEndian, tpduLength: 5))
        for name in FramingName.all { _ = try FramingName.framing(name) }
    }

    @Test(
        "Endpoints",
        arguments: [
            ("127.0.0.1:8583", "127.0.0.1:8583"), ("host.example:1", "host.example:1"),
            ("[::1]:8583", "[::1]:8583"),
            ("host", nil), ("host:", nil), ("host:0", nil), ("host:65536", nil), (":1", nil),
            ("::1:8583", nil),
        ] as [(String, String?)])
    func endpoints(text: String, expected: String?) {
        #expect(Endpoint(text)?.description == expected)
    }
}
