import Foundation
import Testing

/// SIGHUP, once a range's rates are others.
@Suite(.timeLimit(.minutes(5))) struct RatesReloadTests {
    /// A host of its own whose range converts by a file that the test writes, and a purchase abroad on it.
    private struct Scene {
        let environment: DemoEnvironment
        let configuration: String
        let rates: String

        init() throws {
            environment = try DemoEnvironment(command: ["run"])
            try environment.waitUntilReady()
            let directory = environment.directory
            rates = directory.appendingPathComponent("own-rates.txt").path
            configuration = directory.appendingPathComponent("own.yaml").path
            let (text, _) = try environment.configurationBeside()
            let shipped = DemoEnvironment.root.appendingPathComponent("Config/demo/rates.txt").path
            try #require(text.contains("rates: \(shipped)") || text.contains("rates: \"\(shipped)\""))
            try text.replacingOccurrences(of: shipped, with: rates).write(
                toFile: configuration, atomically: true, encoding: .utf8)
        }

        func write(_ lines: String) throws {
            try lines.write(toFile: rates, atomically: true, encoding: .utf8)
        }

        /// Pays 25.00 EUR and says what is wrong with the answer's DE6; nil: it is this one.
        func fault(billed: String) throws -> String? {
            let scenario = environment.directory.appendingPathComponent("abroad.yaml").path
            try """
            name: Abroad
            scenarios:
              - name: the issuer's own rate
                steps:
                  - purchase: {card: mchip-14h, amount: 25.00, pin: right, terminal: {currency: 978, country: 276}}
                    expect: {de39: "00", arpc: approves, fields: {6: "\(billed)", 51: "752"}}
            """.write(toFile: scenario, atomically: true, encoding: .utf8)
            let paid = try DemoEnvironment.run(
                "terminal-simulator", ["run", scenario, "--config", configuration])
            return paid.status == 0 ? nil : String(paid.output.suffix(2_000))
        }

        /// The same until a reload has come to an end that the host does not tell apart from an earlier one.
        func faultInTime(billed: String) throws -> String? {
            for _ in 0..<50 {
                guard try fault(billed: billed) != nil else { return nil }
                usleep(20_000)
            }
            return try fault(billed: billed)
        }
    }

    @Test("New rates count from SIGHUP on; a file at fault is named by line, and the rates before it stay")
    func rates() throws {
        let scene = try Scene()
        defer { scene.environment.stop() }
        try scene.write("EUR SEK 11.2\n")
        let host = try HostProcess(configuration: scene.configuration)
        defer { host.stop() }
        #expect(try scene.fault(billed: "000000028000") == nil)
        // Nobody reads it before the signal.
        try scene.write("# dearer\nEUR SEK 12.25\nUSD SEK 10\n")
        #expect(try scene.fault(billed: "000000028000") == nil)
        host.reload()
        try host.waitUntil(says: "configuration reloaded")
        #expect(try scene.fault(billed: "000000030625") == nil)

        for (lines, words) in [
            ("EUR SEK 13\nEUR SEK twelve\n", "own-rates.txt:2: twelve is no decimal number"),
            ("EUR SEK 13\nEUR SEK 14\n", "own-rates.txt:2: a rate from EUR to SEK is there already"),
            ("\n\nEUR XXQ 13\n", "own-rates.txt:3: XXQ is no currency"),
            ("# none\n", "holds no rate"),
        ] {
            try scene.write(lines)
            host.reload()
            try host.waitUntil(says: words)
            #expect(try scene.fault(billed: "000000030625") == nil, "\(words)")
        }
        try FileManager.default.removeItem(atPath: scene.rates)
        host.reload()
        try host.waitUntil(says: "own-rates.txt cannot be read as text")
        #expect(try scene.fault(billed: "000000030625") == nil)
        #expect(host.text.contains("configuration not reloaded, the one before stays"))
        #expect(host.text.contains("issuers.mastercard-541333.abroad.rates"))

        try scene.write("978 752 10.5\n")
        host.reload()
        #expect(try scene.faultInTime(billed: "000000026250") == nil)
    }
}
