import Foundation
import Testing

/// The load generator on a link with TLS: both sides show certificates, and every answer is checked.
struct LoadOverTLSTests {
    @Test(
        "Load over a TLS link, with MACs too: every answer is the right one",
        arguments: [
            ("DEMO_TLS", "acquirer-a", "purchase: 8, wrongPIN: 1"),
            ("DEMO_SECURE", "acquirer-s", "purchaseWithoutPIN: 9"),
        ])
    func everyAnswerIsRight(variable: String, link: String, mix: String) throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-load-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let profile = folder.appendingPathComponent("tls.yaml").path
        try """
        name: tls
        cards: 50
        links: [\(link)]
        connections: 4
        reconnectSeconds: 1
        mix: { \(mix), wrongCryptogram: 1 }
        stages:
          - { name: load, role: saturation, seconds: 2, outstanding: 2 }
        """.write(toFile: profile, atomically: true, encoding: .utf8)
        let environment = try DemoEnvironment(command: ["load", profile], variables: [variable: "1"])
        let (status, output) = environment.finish()
        let configuration = try String(contentsOfFile: environment.configuration, encoding: .utf8)
        environment.stop()
        #expect(status == 0, "\(output.suffix(2_000))")
        #expect(configuration.contains("trustedFile: tls/ca.pem, peerNames: [terminal.example]"))
        let path = try #require(output.split(separator: "\n").last.map(String.init))
        defer {
            for form in [path, path.replacing(".json", with: ".html")] {
                try? FileManager.default.removeItem(atPath: form)
            }
        }
        let result = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
        let figures = try #require(result as? [String: Any])
        #expect(try #require(figures["answersChecked"] as? Int) > 20)
        #expect(figures["answersMismatched"] as? Int == 0)
    }
}
