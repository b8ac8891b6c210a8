import EMV
import Foundation
import Testing
import VirtualCard

/// Issuer keys, a test CA and certified cards by the commands of `issuer-keys`, all of it in real tokens.
@Suite("Certificates by command", .serialized)
struct CertificateCommandTests {
    private struct Bureau: Decodable {
        struct Card: Decodable {
            let pan: String
            let application: PersonalisedApplication?
        }
        let cards: [Card]
    }

    private struct Report: Decodable {
        struct Card: Decodable {
            let pan: String
            let serialNumbers: [String]
        }
        let cards: [Card]
    }

    private func report(_ path: String) throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(filePath: path)))
    }

    private func bureau(_ path: String) throws -> Bureau {
        try JSONDecoder().decode(Bureau.self, from: Data(contentsOf: URL(filePath: path)))
    }

    @Test func theDemoShowsHowCardsAreAuthenticatedAndItsCertificatesCanBeUsed() throws {
        let environment = try DemoEnvironment(command: ["demo"])
        defer { environment.stop() }
        let (status, output) = environment.finish()
        #expect(status == 0, "\(output)")
        #expect(output.contains("DDA ✓") && output.contains("DDA ✗ unknown-ca-key"))
        #expect(output.contains("11 of 11 cards are personalised"))
        #expect(output.contains("11 cards are in readers"))
        let folder = environment.directory.path
        func keys(_ arguments: String...) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run("issuer-keys", arguments + ["--config", environment.configuration])
        }
        let listed = try keys("certificate", "list")
        #expect(listed.status == 0, "\(listed.output)")
        for prefix in ["476173", "541333", "639999"] {
            #expect(
                listed.output.split(separator: "\n").contains {
                    $0.hasPrefix("range-\(prefix)") && $0.contains("good")
                })
        }
        let check = try DemoEnvironment.run("issuer-host", ["check", "--config", environment.configuration])
        #expect(
            check.output.contains("certificate range-476173")
                && check.output.contains("good to the end of 2049-12"))

        // A key that is there, a certificate of another key, and one that was changed.
        let again = try keys(
            "certificate", "request", "range-476173", "--identifier", "476173", "--expires", "2040-01",
            "--out",
            "\(folder)/again.request")
        #expect(again.status != 0 && again.output.contains("is in the token already"))
        let other = try keys("certificate", "import", "\(folder)/541333.certificate", "--as", "range-476173")
        #expect(other.status != 0 && other.output.contains("of another key"))
        var changed = try Data(contentsOf: URL(filePath: "\(folder)/476173.certificate"))
        changed[40] ^= 1
        try changed.write(to: URL(filePath: "\(folder)/changed.certificate"))
        let refused = try keys(
            "certificate", "import", "\(folder)/changed.certificate", "--as", "range-476173")
        #expect(refused.status != 0 && refused.output.contains("trailer") || refused.output.contains("hash"))
        try personalisation(
            environment,
            keys: { try DemoEnvironment.run("issuer-keys", $0 + ["--config", environment.configuration]) })
    }

    /// A batch goes on where it was broken off, never gives a serial number twice, and notes each one.
    private func personalisation(
        _ environment: DemoEnvironment, keys: ([String]) throws -> (status: Int32, output: String)
    ) throws {
        let folder = environment.directory.path
        let root = DemoEnvironment.root.path
        let out = "\(folder)/second.json"
        let command = [
            "personalise", "\(root)/Config/demo/demo-issuer.json", "--under", "kbpk-bureau", "--dek",
            "dek-bureau",
            "--application", "\(root)/Config/demo/application.json", "--out", out,
        ]
        let first = try keys(command)
        #expect(first.status == 0, "\(first.output)")
        let made = try bureau(out)
        let serials = made.cards.flatMap { card in
            (card.application?.serialNumbers ?? []).map { "\(card.pan.prefix(6)) \($0)" }
        }
        #expect(Set(serials).count == made.cards.count)
        // What the demo's own cards got in their readers.
        let earlier = try report("\(folder)/personalised.json").cards.flatMap { card in
            card.serialNumbers.map { "\(card.pan.prefix(6)) \($0)" }
        }
        #expect(earlier.count == 11)
        #expect(Set(serials).isDisjoint(with: earlier))
        let leftOver = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            $0.contains(".part.")
        }
        #expect(leftOver.isEmpty)
        let trail = try String(contentsOfFile: "\(folder)/audit.log", encoding: .utf8)
        #expect(trail.contains("card-certified") && trail.contains("certificate-imported"))

        // Plain integers of another language, which share no code with the product.
        let recovered = try python(out, "\(folder)/ca-keys.json")
        #expect(
            recovered.status == 0 && recovered.output.contains("11 cards recovered"), "\(recovered.output)")
        let audit = try keys(["audit"])
        // RSA keys are explained by the trail, both halves.
        #expect(audit.status == 0, "\(audit.output)")

        // The rest of a line that a dying run left is made anew; what another command left is refused.
        let third = "\(folder)/third.json"
        let part = "\(third).part.range-639999"
        try "{\"card\":0,\"finger".write(toFile: part, atomically: true, encoding: .utf8)
        var resumed = command
        resumed[resumed.count - 1] = third
        let done = try keys(resumed)
        #expect(done.status == 0, "\(done.output)")
        resumed[resumed.count - 1] = "\(folder)/fourth.json"
        try "{}\n".write(toFile: "\(folder)/fourth.json.part.range-639999", atomically: true, encoding: .utf8)
        let foreign = try keys(resumed)
        #expect(foreign.status != 0 && foreign.output.contains("is of another batch"))
        try decoding(made, folder)
    }

    private func python(_ arguments: String...) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["python3", "\(DemoEnvironment.root.path)/Tests/Interoperability/certificates.py"] + arguments
        return try DemoEnvironment.result(of: process)
    }

    /// Certificates in records are opened, their PANs masked.
    private func decoding(_ bureau: Bureau, _ folder: String) throws {
        let card = try #require(bureau.cards.first)
        let records = try #require(card.application).records.map(\.data).joined()
        let decoded = try DemoEnvironment.run(
            "issuer-host",
            [
                "decode", "--records", "--ca-keys", "\(folder)/ca-keys.json", "--aid", "A0000000031010",
                records,
            ])
        #expect(decoded.status == 0, "\(decoded.output)")
        #expect(decoded.output.contains("issuer certificate: PANs 476173, until 2049-12"))
        #expect(decoded.output.contains("ICC certificate: PAN 476173"))
        let showsAccount = decoded.output.contains(card.pan)
        #expect(!showsAccount)
        let unknown = try DemoEnvironment.run(
            "issuer-host",
            [
                "decode", "--records", "--ca-keys", "\(folder)/ca-keys.json", "--aid", "A0000001234567",
                records,
            ])
        #expect(unknown.output.contains("unknown-ca-key"))
    }
}
