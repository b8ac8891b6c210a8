import Foundation
import Testing

/// The ceremony as its people drive it: the real program at a pseudo-terminal, answers typed at the prompts.
@Suite("Ceremony at a terminal", .serialized)
struct CeremonyTerminalTests {
    /// A token store with a configuration, and a folder for the ceremony.
    private final class Room {
        let environment: DemoEnvironment
        let folder: String

        init(token: String = "nss") throws {
            environment = try DemoEnvironment(command: ["prepare"], variables: ["DEMO_TOKEN": token])
            let (status, output) = environment.finish()
            guard status == 0 else { throw DemoEnvironment.Failure(description: output) }
            folder = environment.directory.appendingPathComponent("ceremony").path
        }

        func sit(_ arguments: [String]) throws -> Pseudoterminal {
            try Pseudoterminal(
                "issuer-keys",
                ["ceremony"] + arguments + ["--config", environment.configuration, "--folder", folder])
        }

        func file(_ custodian: Int) -> String { "\(folder)/custodian-\(custodian).json" }

        /// Enciphered parts of a file's components, by number, and the file's text.
        func components(_ custodian: Int) throws -> (sealed: [Int: String], text: String) {
            let data = try Data(contentsOf: URL(filePath: file(custodian)))
            let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
            let list = object?["components"] as? [[String: Any]] ?? []
            let pairs = list.compactMap { component -> (Int, String)? in
                guard let number = component["number"] as? Int, let sealed = component["sealed"] as? String
                else { return nil }
                return (number, sealed)
            }
            return (Dictionary(uniqueKeysWithValues: pairs), String(decoding: data, as: UTF8.self))
        }

        deinit { environment.stop() }
    }

    private static let label = "imk-ac-990000"

    private static func passphrase(_ custodian: Int) -> String { "passphrase of number \(custodian)" }

    private func enrol(_ custodians: ClosedRange<Int>, _ terminal: Pseudoterminal) throws {
        for custodian in custodians {
            try terminal.answer("Your name:", "Custodian \(custodian)")
            try terminal.answer("Your file", "")
            try terminal.answer("Your passphrase", Self.passphrase(custodian))
            try terminal.answer("The same again:", Self.passphrase(custodian))
        }
    }

    /// The six digits on the screen, typed back.
    private func confirm(_ terminal: Pseudoterminal) throws -> String {
        try terminal.expect("Key check value: ")
        try terminal.expect("to confirm it:")
        let shown = terminal.screen.components(separatedBy: "Key check value: ").last.map {
            String($0.prefix(6))
        }
        let checkValue = try #require(shown)
        try terminal.type(checkValue)
        return checkValue
    }

    /// Three of five, broken off after two custodians and gone on with.
    private func generate(_ room: Room) throws -> String {
        let first = try room.sit(["generate", Self.label])
        try first.answer("Name of the witness:", "Wanda")
        try enrol(1...2, first)
        try first.answer("Your name:", "Wanda")
        try first.expect("each part needs a person of its own")
        try first.answer("Your name:", "Custodian 3")
        try first.answer("Your file", "")
        try first.answer("Your passphrase", "short")
        try first.expect("too short")
        try first.expect("Your passphrase")
        try first.interrupt()
        #expect(first.finish() != 0)
        #expect(first.screen.contains("broken off"))

        let second = try room.sit(["generate", Self.label])
        try second.expect("2 of 5 custodians have their files")
        try enrol(3...5, second)
        try second.answer("type GENERATE", "GENERATE")
        for component in 1...10 { try second.expect("component \(component)  KCV ") }
        let checkValue = try confirm(second)
        try second.expect("sealed with key audit")
        #expect(second.finish() == 0)
        for screen in [first.screen, second.screen] {
            #expect(!screen.contains("passphrase of number"))
        }
        return checkValue
    }

    private func load(
        _ room: Room, _ custodians: [Int], passphrases: [Int: String] = [:]
    ) throws -> Pseudoterminal {
        let terminal = try room.sit(["load"])
        try terminal.answer("Name of the witness:", "Wanda")
        for custodian in custodians {
            try terminal.answer("File of the next custodian", room.file(custodian))
            try terminal.answer(
                "Passphrase of custodian \(custodian)", passphrases[custodian] ?? Self.passphrase(custodian))
        }
        return terminal
    }

    private func keys(_ room: Room) throws -> String {
        try DemoEnvironment.run("issuer-keys", ["list", "--config", room.environment.configuration]).output
    }

    private func destroy(_ room: Room) throws {
        let (status, output) = try DemoEnvironment.run(
            "issuer-keys",
            ["retire", Self.label, "--without-cards", "--yes", "--config", room.environment.configuration])
        #expect(status == 0, "\(output)")
    }

    @Test(
        "A whole ceremony with everything that goes wrong, on a strict token too",
        arguments: ["nss", "nss-fips"])
    func wholeCeremony(token: String) throws {
        let room = try Room(token: token)
        let checkValue = try generate(room)
        let listed = try keys(room)
        let line = try #require(listed.split(separator: "\n").first { $0.hasPrefix(Self.label) })
        #expect(line.contains(checkValue) && line.contains("ceremony") && line.contains("IMK-AC"))
        let minutes = try #require(
            FileManager.default.contentsOfDirectory(atPath: room.folder).first { $0.hasPrefix("minutes-") })
        let verified = try DemoEnvironment.run(
            "issuer-keys",
            ["ceremony", "minutes", "\(room.folder)/\(minutes)", "--config", room.environment.configuration])
        #expect(verified.status == 0 && verified.output.contains("witness Wanda"))
        #expect(verified.output.contains("The seal is right."))

        try destroy(room)
        #expect(try !keys(room).contains(Self.label))
        try failures(room)
        #expect(try !keys(room).contains(Self.label), "nothing may have been loaded")

        let terminal = try load(room, [5, 2, 4])
        #expect(try confirm(terminal) == checkValue)
        #expect(terminal.finish() == 0)
        #expect(try keys(room).contains(Self.label))
        #expect(!terminal.screen.contains("passphrase of number"))
    }

    private func failures(_ room: Room) throws {
        // A wrong passphrase, then the right one; then broken off: nothing stays behind.
        let resumed = try load(room, [1], passphrases: [1: "not the passphrase"])
        try resumed.expect("wrong passphrase for the file of custodian 1, Custodian 1")
        try resumed.answer("Passphrase of custodian 1", Self.passphrase(1))
        try resumed.expect("Custodian 1, Custodian 1: 6 components are right.")
        try resumed.answer("File of the next custodian", room.file(2))
        try resumed.expect("Passphrase of custodian 2")
        try resumed.interrupt()
        #expect(resumed.finish() != 0)

        // One custodian short.
        let short = try load(room, [1, 4])
        try short.answer("File of the next custodian", "")
        try short.expect("2 of 3 custodians: component 3 is missing; nothing was loaded")
        #expect(short.finish() != 0)

        // One component altered, then two swapped within a file.
        let whole = try room.components(1)
        let numbers = whole.sealed.keys.sorted()
        let (one, other) = (try #require(whole.sealed[numbers[0]]), try #require(whole.sealed[numbers[1]]))
        let altered = (one.hasPrefix("0") ? "1" : "0") + one.dropFirst()
        let changes = [
            whole.text.replacingOccurrences(of: one, with: altered),
            whole.text.replacingOccurrences(of: one, with: "ONE").replacingOccurrences(of: other, with: one)
                .replacingOccurrences(of: "ONE", with: other),
        ]
        for change in changes {
            try change.write(toFile: room.file(1), atomically: true, encoding: .utf8)
            let terminal = try load(room, [1])
            try terminal.expect(
                "component \(numbers[0]) in the file of custodian 1, Custodian 1, was altered")
            #expect(terminal.finish() != 0)
        }
        try whole.text.write(toFile: room.file(1), atomically: true, encoding: .utf8)
    }
}
