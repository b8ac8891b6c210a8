import ByteCoding
import CardReaders
import EMV
import Foundation
import Glibc
import Testing
import VirtualCard

/// A batch brought into a rack that pulls cards, by a program that is killed, and read back as a terminal reads.
/// `RACK_CARDS=500` for a campaign.
@Suite("Personalisation into a rack that fails", .serialized, .timeLimit(.minutes(10)))
struct RackCampaignTests {
    private static let count = ProcessInfo.processInfo.environment["RACK_CARDS"].flatMap(Int.init) ?? 30
    private static let identifier: [UInt8] = [0xA0, 0, 0, 0, 0x03, 0x10, 0x10]

    @Test("Kills and pulls lose no card and make none twice; the report is what the cards say")
    func killsAndPulls() throws {
        let desk = try PersonalisationDesk()
        let (list, out, count) = (desk.path("batch.json"), desk.path("report.json"), Self.count)
        let cards = CardList(count)
        try cards.write(to: list)
        // Spoiled chips are used again, so that some to spare are enough.
        let rack = try desk.rack(cards: count + 4, ["--faults", "11", "--fault-every", "60"])
        let command = desk.command(list, to: rack.place, out: out)
        for round in 1...3 {
            let run = try desk.started("issuer-keys", command, output: FileHandle.nullDevice)
            while run.isRunning, try Self.done(out) < round * count / 5 { usleep(5_000) }
            kill(run.processIdentifier, SIGKILL)
            run.waitUntilExit()
        }
        var last = (status: Int32(-1), output: "")
        var runs = 0
        while last.status != 0, runs < 12 {
            last = try DemoEnvironment.run("issuer-keys", command)
            runs += 1
        }
        try #require(last.status == 0, "\(last.output.suffix(400))")
        let report = try desk.report(out)
        #expect(report.cards.map(\.card) == Array(1...count))
        let serials = report.cards.flatMap(\.serialNumbers)
        #expect(Set(serials).count == count && report.cards.allSatisfy { $0.checkValues.count == 3 })
        let found = try Self.readBack(rack.place, expected: count)
        let expected = Dictionary(
            report.cards.map { (String($0.chip.suffix(12)), cards.pans[$0.card - 1]) },
            uniquingKeysWith: { one, _ in one })
        let isSame = found == expected && expected.count == count
        #expect(isSame, "\(found.count) cards found, \(expected.count) expected")
        print(
            "rack: \(count) cards after 3 kills in \(runs) more runs, \(report.spoiledChips.count) chips spoiled"
        )
        // Nothing is made a second time, and the trail knows every certificate.
        let again = try DemoEnvironment.run("issuer-keys", command)
        #expect(again.status != 0 && again.output.contains("is there already"))
        let trail = try String(contentsOfFile: desk.path("audit.log"), encoding: .utf8)
        #expect(serials.allSatisfy { trail.contains($0) })
    }

    /// Cards that the ledger of a batch calls done.
    private static func done(_ report: String) throws -> Int {
        guard let data = FileManager.default.contents(atPath: report + ".batch") else { return 0 }
        return String(decoding: data, as: UTF8.self).ranges(of: "\"done\"").count
    }

    /// PANs by the last six bytes of the chips' serial numbers, from every card of the rack.
    private static func readBack(_ place: String, expected: Int) throws -> [String: String] {
        let rack = try #require(CardPlace(place))
        var found: [String: String] = [:]
        var held: [any CardReader] = []
        defer { held.forEach { $0.close() } }
        // The rack goes on pulling cards: only many misses in a row say that none is left.
        var misses = 0
        while misses < 100 {
            guard let reader = try? rack.open() else {
                misses += 1
                continue
            }
            do {
                let (chip, pan) = try read(Carried(reader))
                held.append(reader)
                if let pan { found[chip] = pan }
                misses = 0
            } catch {
                reader.close()
                misses += 1
                usleep(2_000)
            }
        }
        return found
    }

    private struct Unread: Error {}

    private static func read(_ reader: Carried) throws -> (chip: String, pan: String?) {
        let data = try reader.reader.transmit([0x80, 0xCA, 0x9F, 0x7F, 0x00])
        guard data.count == 47, data.starts(with: [0x9F, 0x7F]) else { throw Unread() }
        let chip = Hex.encode(data[15..<21])
        let select = try reader.reader.transmit([0x00, 0xA4, 0x04, 0x00, 0x07] + identifier + [0x00])
        guard select.count > 2 else { throw Unread() }
        let options = try reader.reader.transmit([0x80, 0xA8, 0, 0, 2, 0x83, 0, 0])
        // A fresh card is no card yet.
        if options == [0x69, 0x85] { return (chip, nil) }
        guard
            let identity = try RemoteChip(transmit: { try reader.reader.transmit($0) }).identity(identifier)
        else { throw Unread() }
        return (chip, (0..<identity.pan.digitCount).map { String(identity.pan.digit(at: $0)) }.joined())
    }

    private struct Carried: @unchecked Sendable {
        // Used by one thread.
        let reader: any CardReader
        init(_ reader: any CardReader) { self.reader = reader }
    }
}
