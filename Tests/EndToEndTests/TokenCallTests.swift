import Foundation
import Testing

/// How often the token is called for one authorisation, as somebody between host and token counts it: at the end of a wire
/// each call is a trip. OpenSC's spy stands between; a host that does not know what is behind a library uses workers.
@Suite("Calls of the token", .serialized)
struct TokenCallTests {
    /// An environment whose host calls its token through the spy.
    private final class Spied {
        let environment: DemoEnvironment
        private let log: String

        init() throws {
            log =
                FileManager.default.temporaryDirectory
                .appendingPathComponent("spy-\(UInt32.random(in: .min ... .max)).log").path
            let token = try Self.library("libsoftokn3.so", "nss/libsoftokn3.so", package: "libnss3")
            let spy = try Self.library("pkcs11-spy.so", package: "opensc-pkcs11")
            environment = try DemoEnvironment(
                command: ["run"],
                variables: [
                    "ISSUER_TOKEN_MODULE": spy, "PKCS11SPY": token, "PKCS11SPY_OUTPUT": log,
                    "ISSUER_TOKEN_WORKERS": "1",
                ])
            try environment.waitUntilReady()
            // Workers open their sessions on their own.
            var count = -1
            while try calls().count != count {
                count = try calls().count
                usleep(300_000)
            }
        }

        deinit {
            environment.stop()
            try? FileManager.default.removeItem(atPath: log)
        }

        private static func library(_ names: String..., package: String) throws -> String {
            let folders =
                ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu" } + ["/usr/lib64", "/usr/lib"]
            let paths = folders.flatMap { folder in names.map { "\(folder)/\($0)" } }
            guard let path = paths.first(where: FileManager.default.fileExists(atPath:)) else {
                throw DemoEnvironment.Failure(description: "\(names[0]) not found: install \(package)")
            }
            return path
        }

        /// Functions called so far, in order, but for those by which an idle host looks whether the token is there: a MAC over
        /// nobody's PAN, which is all zeros.
        func calls() throws -> [Substring] {
            let nobody = " 10 00 00 00 00 00 00 00 00 00 00 "
            var calls: [Substring] = []
            for line in try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n") {
                if let call = line.firstMatch(of: /^\d+: (C_\w+)$/) {
                    calls.append(call.output.1)
                } else if line.contains(nobody), calls.suffix(2) == ["C_SignInit", "C_Sign"] {
                    calls.removeLast(2)
                }
            }
            // The beginning of such a look.
            if calls.last == "C_SignInit" { calls.removeLast() }
            return calls
        }

        /// What one purchase calls.
        func purchase(_ card: String, pin: String, code: Int32 = 0) throws -> [Substring] {
            let before = try calls().count
            let paid = try DemoEnvironment.run(
                "terminal-simulator",
                [
                    "purchase", "--card", card, "--amount", "1.00", "--pin", pin, "--config",
                    environment.configuration,
                ])
            #expect(paid.status == code, "\(paid.output)")
            return Array(try calls().dropFirst(before))
        }

        /// What one payment in a web shop with 3-D Secure calls.
        func shop(_ card: String) throws -> [Substring] {
            let file = environment.directory.appendingPathComponent("shop.yaml")
            try """
            name: A web shop
            scenarios:
              - name: 3-D Secure
                steps:
                  - purchase: {card: \(card), amount: 3.00, entry: e-commerce 3-D Secure}
                    expect: {de39: "00", fields: {44: "2"}}
            """.write(to: file, atomically: true, encoding: .utf8)
            let before = try calls().count
            let paid = try DemoEnvironment.run(
                "terminal-simulator", ["run", file.path, "--config", environment.configuration])
            #expect(paid.status == 0, "\(paid.output.suffix(400))")
            return Array(try calls().dropFirst(before))
        }
    }

    @Test("An authorisation with a PIN takes a dozen, and nothing is made on first use")
    func counted() throws {
        let spied = try Spied()
        let most: [(card: String, pin: String, calls: Int)] = [
            ("visa-cvn10", "1234", 12), ("visa-cvn18", "4321", 12), ("visa-cvn22", "987654", 12),
            ("mchip-10h", "0000", 16), ("mchip-14h", "123456789012", 16), ("ccd-19-digits", "1357", 20),
        ]
        for (card, pin, most) in most {
            // The first one of a card also names it, by a MAC over its PAN, and derives its one or two ICC master keys.
            let first = try spied.purchase(card, pin: pin)
            let calls = try spied.purchase(card, pin: pin)
            #expect(calls.count <= most, "\(card): \(calls.joined(separator: " "))")
            #expect(first.count <= calls.count + 4, "\(card): \(first.joined(separator: " "))")
            #expect(!calls.contains { ["C_GenerateKey", "C_CreateObject", "C_Login"].contains($0) })
            print("calls of the token: \(card) \(first.count) at first, \(calls.count) then")
        }
        for (card, pin) in [("visa-cvn10", "1230"), ("visa-cvn18", "4320"), ("mchip-10h", "0001")] {
            let calls = try spied.purchase(card, pin: pin, code: 1)
            #expect(calls.count <= 18, "\(card), wrong PIN: \(calls.joined(separator: " "))")
            print("calls of the token: \(card) \(calls.count) for a wrong PIN")
        }
        // Nothing else of such a payment is the token's: by an HMAC, and by a CVV.
        for card in ["mchip-14h", "visa-cvn18"] {
            let first = try spied.shop(card)
            let calls = try spied.shop(card)
            #expect(calls.count == 2, "\(card), 3-D Secure: \(calls.joined(separator: " "))")
            #expect(first.count <= 4, "\(card), 3-D Secure at first: \(first.joined(separator: " "))")
            print("calls of the token: \(card) \(calls.count) for a web shop with 3-D Secure")
        }
        try bounded(spied)
    }

    /// What one job leaves behind ends with others, and is bounded.
    private func bounded(_ spied: Spied) throws {
        let before = try spied.calls().count
        let closed = try spied.calls().count { $0 == "C_CloseSession" }
        let paid = try DemoEnvironment.run(
            "terminal-simulator",
            [
                "run", DemoEnvironment.root.appendingPathComponent("Config/scenarios/10-purchases.yaml").path,
                "--config", spied.environment.configuration,
            ])
        #expect(paid.status == 0, "\(paid.output.suffix(400))")
        let calls = try spied.calls()
        #expect(calls.count { $0 == "C_CloseSession" } > closed)
        #expect(calls.count > before + 64)
    }
}
