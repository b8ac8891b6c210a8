@testable import AuditTrail
import ByteCoding
import Foundation
import HSM
@testable import KeyManagement
import LibCrypto
import Testing
import TokenSupport

/// People whose signatures stand outside the token.
@Suite("Operators", .serialized)
struct OperatorTests {
    private struct Person {
        let name: String
        let privateKey: [UInt8]
        let publicKey: [UInt8]

        init(_ name: String) throws {
            self.name = name
            (privateKey, publicKey) = try Signature.keyPair()
        }

        var signer: AuditSigner {
            let key = privateKey
            return AuditSigner(name: name) { try Signature.sign($0, privateKey: key) }
        }

        var entry: String { "\(name) \(Hex.encode(publicKey))" }
    }

    private func trail() throws -> AuditTrail {
        let number = UInt32.random(in: .min ... .max)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("signed-\(number).log").path
        return AuditTrail(
            path: path, keyLabel: "audit-signed-\(number)", at: try TestTokens.nss.get(), process: "test")
    }

    private static let made = AuditEvent(
        .keyGenerated, key: "imk-ac-1", details: ["kcv": "08D7B4", "exportable": "false"])

    @Test("What the PIN alone writes lacks signatures; so does one person where two are needed")
    func lacking() throws {
        let (ann, bob, eve) = (try Person("Ann A."), try Person("Bob"), try Person("Eve"))
        let register = try OperatorRegister(parsing: [ann.entry, bob.entry], dualControl: true)
        let trail = try trail()
        let zone = AuditEvent(.keyGenerated, key: "zpk-1", details: ["exportable": "false"])
        try trail.append([Self.made], signers: [ann.signer, bob.signer])
        try trail.append(Self.made)
        try trail.append([Self.made], signers: [ann.signer])
        try trail.append([Self.made], signers: [ann.signer, ann.signer])
        try trail.append([Self.made], signers: [ann.signer, eve.signer])
        try trail.append([zone], signers: [bob.signer])
        try trail.append(AuditEvent(.hostStarted))
        let verification = try trail.verify()
        // One person twice: no line that this product writes, so it says nothing.
        #expect(verification.faults.map(\.line) == [5])
        #expect(register.lacking(verification.sealed).keys.sorted() == [3, 4, 6])
        #expect(register.signers(of: verification.sealed[1]) == ["Ann A.", "Bob"])
        let alone = try OperatorRegister(parsing: [ann.entry], dualControl: false)
        #expect(alone.lacking(verification.sealed).keys.sorted() == [3, 7])
        #expect(try OperatorRegister(parsing: [], dualControl: false).lacking(verification.sealed).isEmpty)
        // People who looked at all of it end that.
        try trail.append([AuditEvent(.trailVouched)], signers: [ann.signer, bob.signer])
        #expect(register.lacking(try trail.verify().sealed).isEmpty)
    }

    @Test("Each card's certificate needs the signatures of those who approved its list")
    func cards() throws {
        let (ann, bob) = (try Person("Ann"), try Person("Bob"))
        let register = try OperatorRegister(parsing: [ann.entry, bob.entry], dualControl: true)
        let trail = try trail()
        func note(_ kind: AuditEvent.Kind, _ details: [String: String], _ people: [Person]) throws {
            try trail.append(
                [AuditEvent(kind, key: "kbpk-a", details: details.merging(["list": "AB"]) { one, _ in one })],
                signers: people.map(\.signer))
        }
        try note(.commandStarted, ["command": "personalise", "cards": "3"], [ann, bob])
        try note(.cardCertified, ["card": "1"], [ann, bob])
        try note(.cardCertified, ["card": "2"], [])
        try note(.cardCertified, ["card": "3"], [ann])
        let sealed = try trail.verify().sealed
        // The first line is that of the trail's own key.
        #expect(register.lacking(sealed).keys.sorted() == [4, 5])
        #expect(register.needed(for: AuditEvent(.commandStarted)) == 0)
        let open = UnfinishedBatches(sealed, operators: register).words
        #expect(
            open.count == 1 && open[0].contains("approved by Ann, Bob; 3 cards were certified"), "\(open)")
        // What is left of a batch into chips keeps it open; its whole ends it, another list's does not.
        try note(.cardsPersonalised, ["left": "1", "in-doubt": "0"], [ann, bob])
        try note(.cardsPersonalised, ["list": "CD"], [ann, bob])
        #expect(UnfinishedBatches(try trail.verify().sealed, operators: nil).words.count == 1)
        try note(.cardsPersonalised, ["left": "0", "in-doubt": "0"], [ann, bob])
        #expect(UnfinishedBatches(try trail.verify().sealed, operators: nil).words.isEmpty)
    }

    @Test("A signature belongs to its line and to the lines before it")
    func moved() throws {
        let (ann, bob) = (try Person("Ann"), try Person("Bob"))
        let register = try OperatorRegister(parsing: [ann.entry, bob.entry], dualControl: true)
        let trail = try trail()
        try trail.append([Self.made], signers: [ann.signer, bob.signer])
        let line = try trail.verify().sealed[1]
        // The PIN's holder seals the same event again, with the signatures that he has seen.
        var opened = try AuditSeal.open(keyLabel: trail.keyLabel, makesKey: true, at: trail.location)
        let head = try opened!.head()
        let unsealed = AuditLine.unsealed(
            sequence: head.sequence + 1, time: line.time, process: line.process,
            processIdentifier: line.processIdentifier, user: line.user, event: line.event,
            previous: head.hash)
        let signed = AuditLine.signed(
            unsealed, line.signatures.map { (name: $0.key, value: $0.value) })
        let forged = AuditLine.line(signed, seal: try opened!.seal(signed))
        try opened!.setHead(AuditSeal.Head(sequence: head.sequence + 1, hash: try opened!.hash(forged)))
        opened = nil
        let file = try #require(FileHandle(forWritingAtPath: trail.path))
        try file.seekToEnd()
        try file.write(contentsOf: Data(forged + [0x0A]))
        try file.close()
        let verification = try trail.verify()
        #expect(verification.faults.isEmpty, "the seal is right: that is what the PIN can do")
        #expect(register.lacking(verification.sealed).keys.sorted() == [3])
    }

    @Test(
        "Nothing counts that stands behind what people signed",
        arguments: [#","key":"imk-ac-2""#, #","user":"me""#])
    func behind(addition: String) throws {
        let (ann, bob) = (try Person("Ann"), try Person("Bob"))
        let trail = try trail()
        try trail.append([Self.made], signers: [ann.signer, bob.signer])
        let line = try trail.verify().sealed[1]
        // The last line needs no other line changed: the PIN's holder seals and counts it anew.
        var opened = try AuditSeal.open(keyLabel: trail.keyLabel, makesKey: true, at: trail.location)
        let forged = line.sealed + Array(addition.utf8)
        let bytes = AuditLine.line(forged, seal: try opened!.seal(forged))
        try opened!.setHead(AuditSeal.Head(sequence: line.sequence, hash: try opened!.hash(bytes)))
        opened = nil
        let before = try String(contentsOfFile: trail.path, encoding: .utf8).split(separator: "\n")
        try Data("\(before[0])\n".utf8 + bytes + [0x0A]).write(to: URL(filePath: trail.path))
        let verification = try trail.verify()
        #expect(!verification.faults.isEmpty && verification.sealed.count == 1)
    }

    @Test("Who is asked for, and who is refused")
    func asked() throws {
        let folder = CeremonyTests.newFolder()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let console = ScriptedConsole()
        let entries = try ["Ann", "Bob"].map {
            try OperatorRegister.enrol($0, to: "\(folder)/\($0)", console: console, cost: CeremonyTests.cost)
        }
        _ = try OperatorRegister.enrol("Eve", to: "\(folder)/Eve", console: console, cost: CeremonyTests.cost)
        let register = try OperatorRegister(parsing: entries, dualControl: true)
        func people(_ names: [String], passphrase: String? = nil) throws -> [String] {
            let console = ScriptedConsole()
            console.answer = { $0.hasPrefix("Passphrase") ? passphrase : nil }
            return try register.signers(2, from: names.map { "\(folder)/\($0)" }, for: "It") { console }
                .map(\.name)
        }
        #expect(try people(["Ann", "Bob"]) == ["Ann", "Bob"])
        for (names, words) in [
            (["Ann", "Ann"], "has signed already"), (["Ann", "Eve"], "not in keys.operators"),
            (["Ann", "none"], "cannot be read"),
        ] {
            let error = #expect(throws: CeremonyError.self) { try people(names) }
            #expect(error?.description.contains(words) == true, "\(names)")
        }
        #expect(throws: CeremonyError.interrupted) { try people(["Ann"]) }
        let wrong = #expect(throws: CeremonyError.self) { try people(["Ann", "Bob"], passphrase: "wrong") }
        #expect(wrong?.description.contains("wrong passphrase for the file of Ann") == true)
        for bad in [
            ["Ann"], ["Ann 00"], [entries[0], entries[0]], ["Ann \(entries[1].suffix(64))", entries[1]],
        ] {
            #expect(throws: CeremonyError.self) { try OperatorRegister(parsing: bad, dualControl: true) }
        }
        let nobody = try OperatorRegister(parsing: [], dualControl: true)
        #expect(nobody.needed(for: Self.made) == 2)
        #expect(throws: CeremonyError.self) {
            try nobody.signers(2, from: [], for: "It") { ScriptedConsole() }
        }
    }
}
