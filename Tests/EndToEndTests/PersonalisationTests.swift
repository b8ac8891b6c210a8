import Foundation
import Glibc
import Testing

/// From key to card and to payment: chips in readers get their keys and data by APDUs, and pay.
@Suite("Personalisation into readers", .serialized, .timeLimit(.minutes(5)))
struct PersonalisationTests {
    @Test("By PC/SC, SCP02, AES and triple-length keys, and until Ctrl-C: chips get their keys and pay")
    func chips() throws {
        let desk = try PersonalisationDesk()
        try realReader(desk)
        try emptyReader(desk)
        try sameVersion(desk)
        for parameter in ["15", "55"] { try tripleDESChannel(desk, parameter) }
        for parameter in ["00", "10", "20", "30", "60", "61", "71"] { try aesChannel(desk, parameter) }
        try OtherMasterKeys(desk).personaliseAndPay()
        try interrupted(desk)
    }

    /// One real reader by pcscd: a card, another one in its place, and a purchase with that.
    private func realReader(_ desk: PersonalisationDesk) throws {
        let reader = try VirtualReader(desk.environment.directory.path)
        let (list, out) = (
            try desk.list(["visa-cvn10", "visa-cvn18"], as: "reader.json"), desk.path("reader-report.json")
        )
        let said = desk.path("reader.log")
        try Data().write(to: URL(filePath: said))
        let log = try #require(FileHandle(forWritingAtPath: said))
        let first = try reader.card(desk)
        let run = try desk.started(
            "issuer-keys", desk.command(list, to: "pcsc:\(VirtualReader.name)", out: out),
            variables: reader.variables, output: log, errors: log)
        let asked = "\(VirtualReader.name): take the card out and put the next one in"
        for _ in 0..<600 where run.isRunning {
            if try String(contentsOfFile: said, encoding: .utf8).contains(asked) { break }
            usleep(50_000)
        }
        desk.stop(first)
        // pcscd looks some times a second. A card that comes before it has looked was never away, and is waited for in vain.
        usleep(2_000_000)
        let second = try reader.card(desk)
        run.waitUntilExit()
        let text = try String(contentsOfFile: said, encoding: .utf8)
        #expect(run.terminationStatus == 0, "\(text)")
        let report = try desk.report(out)
        #expect(
            report.cards.map(\.channel) == ["scp03", "scp03"] && report.cards.map(\.keyVersion) == [1, 1])
        #expect(Set(report.cards.map(\.chip)).count == 2 && report.spoiledChips.isEmpty)
        desk.expectPaid(
            try desk.pay("visa-cvn18", reader: VirtualReader.name, variables: reader.variables), "PC/SC")
        let unknown = try desk.pay("visa-cvn18", reader: "no such reader", variables: reader.variables)
        #expect(
            unknown.status == 1 && unknown.output.contains("no reader no such reader: there are Virtual PCD"))
        // Another issuer's card, and then none.
        let other = try desk.pay("mchip-14h", reader: "Virtual PCD 00 00", variables: reader.variables)
        #expect(other.status == 1 && other.output.contains("no card there"), "\(other.output)")
        desk.stop(second)
    }

    /// Ctrl-C while a reader waits for its card.
    private func emptyReader(_ desk: PersonalisationDesk) throws {
        let reader = try VirtualReader(desk.environment.directory.path)
        let first = try reader.card(desk)
        desk.stop(first)
        let out = desk.path("empty-report.json")
        let lines = try desk.startedCommands()
        let said = Pipe()
        let run = try desk.started(
            "issuer-keys",
            desk.command(
                try desk.list(["visa-cvn10"], as: "empty.json"), to: "pcsc:\(VirtualReader.name)", out: out),
            variables: reader.variables, output: said, errors: said)
        for _ in 0..<2_000 where run.isRunning {
            if try desk.startedCommands() > lines { break }
            usleep(10_000)
        }
        kill(run.processIdentifier, SIGINT)
        let output = String(decoding: said.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        run.waitUntilExit()
        #expect(
            run.terminationReason == .exit && run.terminationStatus == 1
                && output.contains("interrupted; the same command goes on"), "\(output)")
    }

    /// Transport keys with the version that the new keys get, of the right cipher and of another.
    private func sameVersion(_ desk: PersonalisationDesk) throws {
        let rack = try desk.rack(cards: 2, ["--key-version", "1"])
        let list = try desk.list(["visa-cvn18", "mchip-14h"], as: "same-version.json")
        let wrong = try DemoEnvironment.run(
            "issuer-keys",
            desk.command(
                list, to: rack.place, out: desk.path("wrong-cipher.json"), newMaster: "kmc-bureau-des")
        )
        #expect(
            wrong.status == 1
                && wrong.output.contains("kmc-bureau-des: cards of SCP03 take AES keys by PUT KEY"),
            "\(wrong.output)")
        let out = desk.path("same-version-report.json")
        let made = try DemoEnvironment.run("issuer-keys", desk.command(list, to: rack.place, out: out))
        #expect(made.status == 0, "\(made.output)")
        let report = try desk.report(out)
        #expect(
            report.cards.map(\.keyVersion) == [1, 1]
                && report.cards.allSatisfy { $0.channelCheckValues.count == 3 })
        desk.expectPaid(try desk.pay("visa-cvn18", reader: rack.place), "a new key set of the same version")
        desk.stop(rack.process)
    }

    /// SCP02, with keys that PUT KEY replaces.
    private func tripleDESChannel(_ desk: PersonalisationDesk, _ parameter: String) throws {
        let rack = try desk.rack(cards: 2, ["--channel", "scp02", "--parameter", parameter])
        let list = try desk.list(["mchip-14h", "ccd-19-digits"], as: "scp02-\(parameter).json")
        let out = desk.path("scp02-\(parameter)-report.json")
        let command = desk.command(
            list, to: rack.place, out: out, kmc: "kmc-bureau-des", newMaster: "kmc-bureau-des")
        let made = try DemoEnvironment.run("issuer-keys", command)
        #expect(made.status == 0, "\(made.output)")
        let report = try desk.report(out)
        #expect(
            report.cards.map(\.channel) == ["scp02", "scp02"] && report.cards.map(\.keyVersion) == [1, 1])
        #expect(report.cards.allSatisfy { $0.channelCheckValues.count == 3 && $0.checkValues.count == 3 })
        for card in ["mchip-14h", "ccd-19-digits"] {
            desk.expectPaid(try desk.pay(card, reader: rack.place), "SCP02 i=\(parameter), \(card)")
        }
        // An AES master opens no such channel, and says so.
        let fresh = try desk.rack(cards: 1, ["--channel", "scp02", "--parameter", parameter])
        let wrong = try DemoEnvironment.run(
            "issuer-keys",
            desk.command(try desk.list(["visa-cvn10"], as: "one.json"), to: fresh.place, out: out + ".no"))
        #expect(wrong.status != 0 && wrong.output.contains("an AES key opens no SCP02"), "\(wrong.output)")
        try? FileManager.default.removeItem(atPath: out + ".no.batch")
        desk.stop(rack.process)
        desk.stop(fresh.process)
    }

    /// SCP03 as the card reports it (Amendment D 5.1): random challenge or not (10), R-MAC (20) and R-ENC (40), S16 (01).
    private func aesChannel(_ desk: PersonalisationDesk, _ parameter: String) throws {
        let rack = try desk.rack(cards: 1, ["--parameter", parameter])
        let out = desk.path("scp03-\(parameter)-report.json")
        let list = try desk.list(["visa-cvn18"], as: "scp03-\(parameter).json")
        let made = try DemoEnvironment.run("issuer-keys", desk.command(list, to: rack.place, out: out))
        #expect(made.status == 0, "i=\(parameter): \(made.output)")
        let report = try desk.report(out)
        #expect(report.cards.map(\.channel) == ["scp03"] && report.cards.map(\.keyVersion) == [1])
        desk.expectPaid(try desk.pay("visa-cvn18", reader: rack.place), "SCP03 i=\(parameter)")
        desk.stop(rack.process)
    }

    /// Ctrl-C ends a batch after the cards in hand; the same command goes on.
    private func interrupted(_ desk: PersonalisationDesk) throws {
        let count = 60
        let (list, out) = (desk.path("many.json"), desk.path("many-report.json"))
        try CardList(count).write(to: list)
        let rack = try desk.rack(cards: count)
        let command = desk.command(list, to: rack.place, out: out) + ["--readers", "4"]
        let said = Pipe()
        let run = try desk.started("issuer-keys", command, output: said, errors: said)
        let ledger = out + ".batch"
        for _ in 0..<2_000 where run.isRunning {
            let text = (try? String(contentsOfFile: ledger, encoding: .utf8)) ?? ""
            if text.contains("\"done\"") { break }
            usleep(10_000)
        }
        kill(run.processIdentifier, SIGINT)
        let output = String(decoding: said.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        run.waitUntilExit()
        #expect(run.terminationReason == .exit && run.terminationStatus != 0)
        #expect(output.contains("interrupted; the same command goes on"), "\(output.suffix(300))")
        let words = output.firstMatch(of: /(\d+) of 60 cards are personalised/)?.output.1
        let done = try #require(words.flatMap { Int($0) })
        #expect((1..<count).contains(done), "\(done) cards before the end")
        #expect(!output.contains("in doubt") && !output.contains("hold parts"))
        let rest = try DemoEnvironment.run("issuer-keys", command)
        #expect(
            rest.status == 0
                && rest.output.contains("60 of 60 cards are personalised, \(count - done) of them now"))
        let report = try desk.report(out)
        #expect(Set(report.cards.map(\.chip)).count == count && report.spoiledChips.isEmpty)
        desk.stop(rack.process)
    }
}

/// Cards that nobody has yet, in the demo's Visa range.
struct CardList {
    let pans: [String]

    init(_ count: Int) {
        pans = (0..<count).map { CardList.pan("476173900" + String(format: "%06d", 200_000 + $0)) }
    }

    /// With its check digit (ISO/IEC 7812-1, annex B).
    static func pan(_ body: String) -> String {
        var sum = 0
        for (index, digit) in body.reversed().compactMap(\.wholeNumberValue).enumerated() {
            let doubled = index.isMultiple(of: 2) ? digit * 2 : digit
            sum += doubled > 9 ? doubled - 9 : doubled
        }
        return body + "\((10 - sum % 10) % 10)"
    }

    func write(to path: String) throws {
        let cards = pans.map { pan in
            """
            {"pan": "\(pan)", "panSequenceNumber": "01", "expiry": "2912", "issuerApplicationData": "06011203A0B800"}
            """
        }
        try "{\"cards\": [\(cards.joined(separator: ",\n"))]}".write(
            toFile: path, atomically: true, encoding: .utf8)
    }
}
