import ByteCoding
import Foundation
import LibCrypto
import Testing

/// An issuer beside the demo's, whose ranges have master keys of AES and of triple DES with three parts.
struct OtherMasterKeys {
    private let desk: PersonalisationDesk
    /// Cards, keys and all, as the demo issuer's file has them.
    let issuer: String
    /// Of a host with these ranges.
    let configuration: String
    let cards: [String]

    private struct Range {
        let prefix: String
        let value: [UInt8]
        let isAES: Bool
        var name: String { (isAES ? "aes-" : "tdes-") + "\(value.count * 8)" }
        var profile: String { isAES ? "ccd-aes" : "ccd" }
    }

    private static let ranges = [
        Range(prefix: "639991", value: (0..<16).map { $0 &* 29 &+ 1 }, isAES: true),
        Range(prefix: "639992", value: (0..<32).map { $0 &* 41 &+ 3 }, isAES: true),
        Range(prefix: "639993", value: (0..<24).map { $0 &* 53 &+ 5 }, isAES: false),
    ]

    init(_ desk: PersonalisationDesk) throws {
        self.desk = desk
        // A terminal reads the CA keys beside this file too, and takes none twice.
        try FileManager.default.createDirectory(atPath: desk.path("other"), withIntermediateDirectories: true)
        issuer = desk.path("other/issuer.json")
        configuration = desk.path("other.yaml")
        cards = Self.ranges.map(\.name)
        try Self.file(desk).write(to: URL(filePath: issuer))
        var (text, _) = try desk.environment.configurationBeside()
        let rows = Self.ranges.map { range in
            """
              \(range.name):
                prefix: "\(range.prefix)"
                issuerMasterKey: imk-ac-\(range.prefix)
                masterKeyOption: \(range.isAES ? "C" : "A")
                profiles: [\(range.profile)]
            """
        }
        text = text.replacing(
            "issuers:\n", with: "issuers:\n" + rows.joined(separator: "\n") + "\n", maxReplacements: 1)
        text = text.replacing(/issuer: .*demo-issuer\.json/, with: "issuer: \(issuer)")
        try text.write(toFile: configuration, atomically: true, encoding: .utf8)
        try run("issuer-keys", ["load-test-keys", issuer])
        for range in Self.ranges { try certify(range.prefix, module: Self.module(text)) }
        try run("issuer-host", ["cards", "import", issuer])
    }

    @discardableResult
    private func run(_ name: String, _ arguments: [String]) throws -> String {
        let made = try DemoEnvironment.run(name, arguments + ["--config", configuration])
        #expect(made.status == 0, "\(arguments[0]): \(made.output.suffix(300))")
        return made.output
    }

    private static func module(_ text: String) -> String {
        text.firstMatch(of: /module: (.*)/).map { String($0.output.1) } ?? ""
    }

    private static func file(_ desk: PersonalisationDesk) throws -> Data {
        let data = try Data(
            contentsOf: URL(filePath: "\(PersonalisationDesk.root)/Config/demo/demo-issuer.json"))
        var file = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
        var (keys, aesKeys) = (
            file["keys"] as? [String: Any] ?? [:], file["aesKeys"] as? [String: Any] ?? [:]
        )
        var cards: [[String: Any]] = []
        for range in ranges {
            let checkValue =
                try range.isAES ? KeyCheckValue.aes(range.value) : KeyCheckValue.tdes(range.value)
            let key = ["value": Hex.encode(range.value), "kcv": Hex.encode(checkValue.prefix(3))]
            if range.isAES {
                aesKeys["imk-ac-\(range.prefix)"] = key
            } else {
                keys["imk-ac-\(range.prefix)"] = key
            }
            cards.append([
                "name": range.name, "pan": CardList.pan(range.prefix + "000000001"),
                "panSequenceNumber": "01",
                "expiry": "2912", "cryptogramProfile": range.profile, "pin": "1234",
                "issuerApplicationData":
                    "0FA\(range.isAES ? "6" : "5")01A00000000000000000000000000F000000000000000000000000000000",
                "status": "active", "availableMinorUnits": 100_000, "currency": "752",
            ])
        }
        for (name, factor) in [("kmc-bureau-256", UInt8(71)), ("imk-dek-256", 83)] {
            let value = (0..<32).map { UInt8($0) &* factor &+ 7 }
            aesKeys[name] = [
                "value": Hex.encode(value), "kcv": Hex.encode(try KeyCheckValue.aes(value).prefix(3)),
            ]
        }
        (file["keys"], file["aesKeys"], file["cards"]) = (keys, aesKeys, cards)
        return try JSONSerialization.data(withJSONObject: file)
    }

    /// The test CA of the environment signs the range's key.
    private func certify(_ prefix: String, module: String) throws {
        let authority = desk.path("authority")
        let (request, certificate) = (desk.path("\(prefix).request"), desk.path("\(prefix).certificate"))
        try run(
            "issuer-keys",
            [
                "certificate", "request", "range-\(prefix)", "--identifier", prefix, "--expires", "2049-12",
                "--out",
                request,
            ])
        let signed = try DemoEnvironment.run(
            "issuer-keys",
            [
                "test-ca", "sign", request, "--out", certificate, "--rid", "F000000001", "--module", module,
                "--init-arguments",
                "configdir='sql:\(authority)' certPrefix='' keyPrefix='' secmod='' flags=",
                "--function-list", "C_GetFunctionList", "--uri", "pkcs11:token=NSS%20Certificate%20DB",
                "--pin-file",
                "\(authority)/pin", "--ca-keys", desk.path("ca-keys.json"), "--audit-log",
                "\(authority)/audit.log",
            ])
        #expect(signed.status == 0, "\(signed.output.suffix(300))")
        try run("issuer-keys", ["certificate", "import", certificate, "--as", "range-\(prefix)"])
    }

    /// Chips of all three, over channels of AES-256, and a payment with each.
    func personaliseAndPay() throws {
        let host = try HostProcess(configuration: configuration)
        defer { host.stop() }
        let rack = try desk.rack(cards: cards.count, ["--master", "kmc-bureau-256"], issuer: issuer)
        let out = desk.path("other-report.json")
        let made = try DemoEnvironment.run(
            "issuer-keys",
            desk.command(
                issuer, to: rack.place, out: out, kmc: "kmc-bureau-256", newMaster: "imk-dek-256",
                configuration: configuration))
        #expect(made.status == 0, "\(made.output.suffix(300))")
        #expect(try desk.report(out).cards.map(\.checkValues.count) == [1, 1, 1])
        for card in cards {
            desk.expectPaid(try desk.pay(card, reader: rack.place, configuration: configuration), card)
        }
        desk.stop(rack.process)
    }
}
