import Foundation
import ISO8583
import TerminalSimulator
import Testing

@Suite("Simulator configuration")
struct ConfigurationTests {
    private func reason(_ text: String) -> String {
        do {
            _ = try TestData.configuration(text)
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    @Test("A terminal reads what the host reads, links sorted")
    func reading() throws {
        let found = try TestData.configuration(portA: 8583, portB: 8584, state: "/state")
        #expect(found.issuerPath.hasSuffix("/Config/demo/demo-issuer.json"))
        #expect(found.cardStatePath == "/state")
        #expect(found.links.map(\.name) == ["acquirer-a", "acquirer-b"])
        #expect(found.links[0].endpoint == Endpoint(host: "127.0.0.1", port: 8583))
        #expect(found.links[1].framing == "2be")
        let bench = try Bench(found)
        #expect(try bench.link(found.links[1]).form.codec.dialect.name == "bcd87-rightF")
    }

    @Test("Errors are the host's: file, line and key")
    func errors() {
        let good = TestData.file(links: "  a: {port: 1, dialect: ascii87-binbitmap}", state: "s")
        #expect(reason(good) == "accepted")
        for (written, wrong, words) in [
            ("port: 1", "prot: 1", ":8: unknown key links.a.prot; did you mean port?"),
            ("port: 1, ", "", "links.a.port is missing"),
            ("port: 1", "port: 70000", "links.a.port has to be a whole number from 1 to 65535"),
            ("demo: {", "demo: {tls: {serverName: x}} #", "demo.issuer is missing"),
            ("token:", "tokens:", "unknown key tokens"),
        ] {
            let found = reason(good.replacingOccurrences(of: written, with: wrong))
            #expect(found.contains(words), "\(wrong): \(found)")
        }
        #expect(throws: ConfigurationError.refused("/nowhere/x.yaml: cannot be read")) {
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
        #expect(words { _ = try bench.link(link) }.contains("2be, 2be-incl, 4ascii, 4ascii-incl"))
        link = found.links[0]
        link.zonePINKey = "zpk-c"
        #expect(words { _ = try bench.link(link) }.contains("zpk-acquirer-a, zpk-acquirer-b"))
    }

    @Test("Framings by name")
    func framings() {
        #expect(Framing(name: "2be") == .twoByteBigEndian)
        #expect(Framing(name: "4ascii-incl") == Framing(.fourASCII, includesItself: true))
        #expect(Framing(name: "2be", tpduLength: 5) == Framing(.twoByteBigEndian, tpduLength: 5))
        #expect(Framing.names.allSatisfy { Framing(name: $0) != nil })
        #expect(["", "-incl", "2be-", "3be", "2BE"].allSatisfy { Framing(name: $0) == nil })
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
