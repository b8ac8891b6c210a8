@testable import AuditTrail
import Foundation
import HSM
import PKCS11
import TokenSupport
import Testing

@Suite("Audit trail", .serialized)
struct AuditTrailTests {
    enum Token: String, CaseIterable {
        case nss, softHSM

        var location: TokenLocation {
            get throws { try (self == .nss ? TestTokens.nss : TestTokens.softHSM).get() }
        }
    }

    /// A log of its own, with a key of its own.
    private func trail(_ token: Token) throws -> AuditTrail {
        let number = UInt32.random(in: .min ... .max)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("trail-\(number).log").path
        return AuditTrail(
            path: path, keyLabel: "audit-\(number)", at: try token.location, process: "test",
            now: { Date(timeIntervalSince1970: 1_795_000_000) })
    }

    private func write(_ count: Int, to trail: AuditTrail) throws {
        for number in 1...count {
            let event = AuditEvent(
                .keyGenerated, key: "imk-ac-\(number)", details: ["kcv": "08D7B4", "by": "A \"B\" \\ \n é"])
            #expect(try trail.append(event) == nil)
        }
    }

    private func lines(_ trail: AuditTrail) throws -> [String] {
        try String(contentsOfFile: trail.path, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    private func put(_ lines: [String], in trail: AuditTrail) throws {
        try lines.map { $0 + "\n" }.joined().write(toFile: trail.path, atomically: false, encoding: .utf8)
    }

    @Test("What was written is read and whole", arguments: Token.allCases)
    func whole(token: Token) throws {
        let trail = try trail(token)
        try write(3, to: trail)
        let verification = try trail.verify()
        #expect(verification.faults.isEmpty, "\(verification.faults)")
        #expect(verification.counted == 4 && verification.lines.map(\.sequence) == [1, 2, 3, 4])
        #expect(verification.lines[0].event.kind == .trailBegun)
        #expect(verification.lines[3].event.details["by"] == "A \"B\" \\ \n é")
        #expect(
            verification.lines[3].time == "2026-11-18T13:46:40Z" || verification.lines[3].time.count == 20)
    }

    private typealias Change = @Sendable (inout [String]) -> Void

    /// Line 1 is that of the key; 2 to 7 are events.
    private static let changes: [(String, Change, [String])] = [
        (
            "a value changed", { $0[2] = $0[2].replacingOccurrences(of: "08D7B4", with: "08D7B5") },
            ["line 3: changed, claims to be number 3"]
        ),
        (
            "a number changed",
            { $0[2] = $0[2].replacingOccurrences(of: "\"sequence\":3", with: "\"sequence\":9") },
            ["line 3: changed, claims to be number 9", "line 4: number 3 dropped before it"]
        ),
        ("made illegible", { $0[3] = "nothing" }, ["line 4: changed"]),
        ("a seal cut short", { $0[3] = String($0[3].dropLast(9)) }, ["line 4: changed"]),
        ("one dropped", { $0.remove(at: 3) }, ["line 4: number 4 dropped before it"]),
        ("three dropped", { $0.removeSubrange(1...3) }, ["line 2: numbers 2 to 4 dropped before it"]),
        ("the first dropped", { $0.removeFirst() }, ["line 1: number 1 dropped before it"]),
        ("two swapped", { $0.swapAt(3, 4) }, ["line 5: number 4 stands after a higher number"]),
        ("one repeated", { $0.insert($0[2], at: 5) }, ["line 6: number 3 stands here a second time"]),
        ("the last cut off", { $0.removeLast() }, ["the end: number 7 cut off"]),
        ("the end cut off", { $0.removeLast(4) }, ["the end: numbers 4 to 7 cut off"]),
        ("all gone", { $0 = [] }, ["the end: numbers 1 to 7 cut off"]),
        (
            "dropped and cut off", { $0 = [$0[0], $0[2], $0[3]] },
            ["line 2: number 2 dropped before it", "the end: numbers 5 to 7 cut off"]
        ),
    ]

    @Test("Each line at fault is named", arguments: Token.allCases)
    func faults(token: Token) throws {
        let trail = try trail(token)
        try write(6, to: trail)
        let good = try lines(trail)
        #expect(good.count == 7)
        for (name, change, expected) in Self.changes {
            var changed = good
            change(&changed)
            try put(changed, in: trail)
            #expect(try trail.verify().faults.map(\.description) == expected, "\(name)")
        }
        try put(good, in: trail)
        #expect(try trail.verify().faults.isEmpty)
    }

    @Test("A line that the key sealed but nobody wrote there is found by its neighbour and by the count")
    func replaced() throws {
        let trail = try trail(.nss)
        try write(3, to: trail)
        let good = try lines(trail)
        for index in [1, 3] {
            let line = try #require(AuditLine(Array(good[index].utf8)[...]))
            let unsealed = AuditLine.unsealed(
                sequence: line.sequence, time: line.time, process: "forger", processIdentifier: 1, user: "x",
                event: line.event, previous: line.previous)
            var opened = try AuditSeal.open(keyLabel: trail.keyLabel, makesKey: false, at: trail.location)
            let forged = AuditLine.line(unsealed, seal: try opened!.seal(unsealed))
            opened = nil
            var changed = good
            changed[index] = String(decoding: forged, as: UTF8.self)
            try put(changed, in: trail)
            #expect(
                try trail.verify().faults.map(\.description)
                    == ["line \(index + 1): number \(index + 1) is not the line that was written there"])
        }
    }

    @Test("A cut log goes on with the next number, warns, and stays found", arguments: Token.allCases)
    func goesOn(token: Token) throws {
        let trail = try trail(token)
        try write(3, to: trail)
        try put(Array(try lines(trail).dropLast(2)), in: trail)
        let warning = try trail.append(AuditEvent(.hostStarted))
        #expect(warning?.contains("does not end with line 4") == true)
        #expect(try trail.append(AuditEvent(.hostStopped)) == nil)
        let faults = try trail.verify().faults
        #expect(faults.map(\.description) == ["line 3: numbers 3 to 4 dropped before it"])
        try FileManager.default.removeItem(atPath: trail.path)
        #expect(try trail.verify().faults.map(\.description) == ["the end: numbers 1 to 6 cut off"])
    }

    @Test("A process that ended between line and count, or within a line, costs nothing but its line")
    func crashes() throws {
        let trail = try trail(.nss)
        try write(2, to: trail)
        var opened = try AuditSeal.open(keyLabel: trail.keyLabel, makesKey: true, at: trail.location)
        let head = try opened!.head()
        try write(1, to: trail)
        try opened!.setHead(head)
        opened = nil
        #expect(try trail.verify().faults.isEmpty, "a sealed line that is not counted yet is no fault")
        try write(1, to: trail)
        #expect(try trail.verify().faults.isEmpty)
        let file = try #require(FileHandle(forWritingAtPath: trail.path))
        try file.seekToEnd()
        try file.write(contentsOf: Data("{\"sequence\":6,\"ti".utf8))
        try file.close()
        #expect(try trail.append(AuditEvent(.hostStarted)) != nil)
        #expect(try trail.verify().faults.map(\.description) == ["line 6: changed"])
        #expect(try trail.verify().counted == 6)
    }

    @Test(
        "Of lines that were written together those that are whole count, where the process ended before the count"
    )
    func crashesAmongMany() throws {
        let trail = try trail(.nss)
        try write(2, to: trail)
        var opened = try AuditSeal.open(keyLabel: trail.keyLabel, makesKey: true, at: trail.location)
        let head = try opened!.head()
        let events = (0..<4).map { AuditEvent(.audited, details: ["n": "\($0)"]) }
        #expect(try trail.append(events) == nil)
        #expect(try trail.verify().counted == 7)
        try opened!.setHead(head)
        opened = nil
        // Two lines and a half of the four.
        let whole = try lines(trail)
        let torn = whole.dropLast(1).joined(separator: "\n").dropLast(40)
        try torn.write(toFile: trail.path, atomically: false, encoding: .utf8)
        #expect(try trail.append(AuditEvent(.hostStarted))?.contains("ends within a line") == true)
        #expect(try trail.verify().faults.map(\.description) == ["line 6: changed"])
        #expect(try trail.verify().counted == 6)
        #expect(try trail.append(events) == nil)
        // A line that only lost its line feed is whole.
        try lines(trail).joined(separator: "\n").write(
            toFile: trail.path, atomically: false, encoding: .utf8)
        #expect(try trail.append(events) == nil)
        #expect(try trail.verify().faults.map(\.description) == ["line 6: changed"])
    }

    @Test("Many may append at once, and no line is lost", arguments: Token.allCases)
    func together(token: Token) async throws {
        let trail = try trail(token)
        try write(1, to: trail)
        // As in every host: NSS logs the process out when its last session ends, also the session begun meanwhile.
        let owner = try token.location.openSession()
        defer { withExtendedLifetime(owner) {} }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for number in 0..<5 {
                        let event = AuditEvent(.audited, details: ["writer": "\(writer)", "n": "\(number)"])
                        let warning = try trail.append(event)
                        #expect(warning == nil)
                    }
                }
            }
            try await group.waitForAll()
        }
        let verification = try trail.verify()
        #expect(verification.faults.isEmpty && verification.lines.count == 22)
        for writer in 0..<4 {
            let own = verification.lines.filter { $0.event.details["writer"] == "\(writer)" }
            #expect(own.map { $0.event.details["n"] } == ["0", "1", "2", "3", "4"])
        }
    }

    @Test("A clock that was set back is named, steps of a time server are not")
    func clock() throws {
        let trail = try trail(.nss)
        for (offset, isFault) in [(0, false), (60, false), (57, false), (-3_600, true), (-3_590, false)] {
            let then = AuditTrail(
                path: trail.path, keyLabel: trail.keyLabel, at: trail.location, process: "test",
                now: { Date(timeIntervalSince1970: 1_795_000_000 + TimeInterval(offset)) })
            let before = try trail.verify().faults.count { $0.kind == .clockSetBack }
            try then.append(AuditEvent(.audited))
            let after = try trail.verify().faults.count { $0.kind == .clockSetBack }
            #expect(after - before == (isFault ? 1 : 0), "\(offset)")
        }
        #expect(
            try trail.verify().faults.map(\.description).contains {
                $0.hasPrefix("line 5: number 5 is earlier")
            })
    }

    @Test("A checkpoint finds log and token rolled back together", arguments: Token.allCases)
    func checkpoint(token: Token) throws {
        let trail = try trail(token)
        try write(3, to: trail)
        var opened = try AuditSeal.open(keyLabel: trail.keyLabel, makesKey: true, at: trail.location)
        let (head, before) = (try opened!.head(), try lines(trail))
        try write(2, to: trail)
        let text = try trail.checkpoint()
        let checkpoint = try #require(AuditCheckpoint(text))
        #expect(checkpoint.sequence == 6)
        let aloud = try #require(text.split(separator: "\n").first { $0.hasPrefix("aloud ") }?.dropFirst(6))
        #expect(aloud.count <= 40, "short enough to be read out")
        let heard = try #require(AuditCheckpoint(String(aloud).lowercased()))
        func faults(_ checkpoint: AuditCheckpoint) throws -> [AuditFault.Kind] {
            try trail.faults(against: checkpoint, trail.verify()).map(\.kind)
        }
        try write(1, to: trail)
        #expect(try faults(checkpoint).isEmpty && faults(heard).isEmpty)
        let changed = try #require(AuditCheckpoint(text.replacingOccurrences(of: "line 6", with: "line 5")))
        #expect(try faults(changed) == [.checkpointForeign, .rolledBack])
        try put(before, in: trail)
        try opened!.setHead(head)
        #expect(try trail.verify().faults.isEmpty, "nothing on the machine shows it")
        #expect(try faults(checkpoint) == [.rolledBack] && faults(heard) == [.rolledBack])
        // Gone on with: other lines under the same numbers.
        opened = nil
        let other = AuditTrail(
            path: trail.path, keyLabel: trail.keyLabel, at: trail.location, process: "other",
            now: { Date(timeIntervalSince1970: 1_795_000_001) })
        for _ in 1...4 { try other.append(AuditEvent(.audited)) }
        #expect(try faults(checkpoint) == [.rolledBack] && faults(heard) == [.rolledBack])
        for nonsense in ["", "12", "12 ABCD", "issuer-keys checkpoint 1\nline 3\n"] {
            #expect(AuditCheckpoint(nonsense) == nil)
        }
    }

    @Test("A log begun anew with its count is named")
    func begunAnew() throws {
        let trail = try trail(.nss)
        try write(3, to: trail)
        var opened = try AuditSeal.open(keyLabel: trail.keyLabel, makesKey: true, at: trail.location)
        try opened!.setHead(.none)
        opened = nil
        try put([], in: trail)
        #expect(try trail.verify().faults.map(\.kind) == [.beginningMissing])
        try trail.append(AuditEvent(.hostStarted))
        #expect(try trail.verify().faults.map(\.kind) == [.beginningMissing])
    }

    @Test func anotherKeyOpensNothing() throws {
        let trail = try trail(.nss)
        try write(1, to: trail)
        let stranger = AuditTrail(
            path: trail.path, keyLabel: "audit-none", at: trail.location, process: "test")
        #expect(try stranger.verify().faults.map(\.kind) == [.keyMissing])
        let nowhere = AuditTrail(
            path: "/nowhere/at/all.log", keyLabel: "audit-x", at: trail.location, process: "test")
        #expect(throws: AuditTrailError.self) { try nowhere.append(AuditEvent(.hostStarted)) }
    }
}
