import ByteCoding
import Foundation
@testable import HSM
@testable import KeyManagement
import LibCrypto
import PKCS11
import Testing
import TokenSupport

@Suite("Ceremony", .serialized)
struct CeremonyTests {
    /// The least that scrypt can cost: the tests try hundreds of passphrases.
    static let cost = Scrypt.Cost(n: 16, r: 1, p: 1)

    /// A finished ceremony in a folder of its own; the key is taken out of the token again.
    struct Finished {
        let folder: String
        let record: KeyRecord
        let sharing: ReplicatedSharing

        init(_ label: String, _ threshold: Int, _ custodians: Int, algorithm: KeyAlgorithm? = nil) throws {
            folder = CeremonyTests.newFolder()
            sharing = try ReplicatedSharing(threshold: threshold, custodians: custodians)
            record = try CeremonyTests.ceremony(ScriptedConsole()).generate(
                try VersionedKeyName(label: label), algorithm: algorithm, threshold: threshold,
                custodians: custodians, in: folder)
            try CeremonyTests.destroy(label)
        }

        func file(_ custodian: Int) -> String { "\(folder)/custodian-\(custodian).json" }

        func load(_ custodians: [Int], _ console: ScriptedConsole = ScriptedConsole()) throws -> KeyRecord {
            try CeremonyTests.ceremony(console).load(custodians.map(file), minutesIn: folder)
        }

        /// Changes a custodian's file.
        func change(_ custodian: Int, _ body: (inout CustodianFile) -> Void) throws {
            var changed = try CustodianFile(readFrom: file(custodian))
            body(&changed)
            try changed.write(to: file(custodian))
        }
    }

    static func newFolder() -> String {
        FileManager.default.temporaryDirectory
            .appendingPathComponent("ceremony-\(UInt32.random(in: .min ... .max))").path
    }

    static func ceremony(
        _ console: ScriptedConsole, refusesTestKeys: Bool = false
    ) throws -> Ceremony {
        Ceremony(
            console: console, at: try TestTokens.nss.get(), auditKey: "audit-ceremony", cost: cost,
            refusesTestKeys: refusesTestKeys)
    }

    static func destroy(_ label: String) throws {
        var store = try KeyStore(at: try TestTokens.nss.get())
        try store.destroy(try VersionedKeyName(label: label))
    }

    static func isInToken(_ label: String) throws -> Bool {
        var store = try KeyStore(at: try TestTokens.nss.get())
        return try !store.session.findKeys(label: label).isEmpty
    }

    // MARK: - Sharing

    @Test(
        "Any M hold everything, any fewer lack something",
        arguments: [(2, 2), (2, 3), (3, 5), (4, 6), (2, 8)])
    func sharing(threshold: Int, custodians: Int) throws {
        let sharing = try ReplicatedSharing(threshold: threshold, custodians: custodians)
        for size in 0...custodians {
            for group in ReplicatedSharing.subsets(of: Array(1...custodians), count: size) {
                let held = Set(group.flatMap(sharing.components))
                let missing = sharing.missing(from: Set(group))
                #expect(held.count + missing.count == sharing.componentCount)
                #expect(missing.isEmpty == (size >= threshold))
            }
        }
        for component in 1...sharing.componentCount {
            for holder in sharing.holders(of: component) {
                #expect(sharing.components(of: holder).contains(component))
            }
        }
    }

    @Test("No control is no ceremony", arguments: [(1, 3), (0, 0), (4, 3), (2, 9)])
    func impossible(threshold: Int, custodians: Int) {
        #expect(throws: KeyManagementError.self) {
            try ReplicatedSharing(threshold: threshold, custodians: custodians)
        }
    }

    // MARK: - Quorum

    @Test(
        "Every group of M loads the same key, every smaller one nothing",
        arguments: [
            ("imk-ac-quorum", 3, 5, KeyAlgorithm.tdes128), ("kbpk-quorum", 2, 3, .aes256),
            ("audit-quorum", 2, 2, .hmac256),
        ])
    func quorum(label: String, threshold: Int, custodians: Int, algorithm: KeyAlgorithm) throws {
        let finished = try Finished(label, threshold, custodians, algorithm: algorithm)
        #expect(finished.record.provenance?.origin == .ceremony)
        #expect(finished.record.provenance?.checkValue == finished.record.checkValue)
        let everyone = Array(1...custodians)
        for group in ReplicatedSharing.subsets(of: everyone, count: threshold) {
            let record = try finished.load(group)
            #expect(
                record.checkValue == finished.record.checkValue && record.algorithm == algorithm, "\(group)")
            try Self.destroy(label)
        }
        for size in 1..<threshold {
            for group in ReplicatedSharing.subsets(of: everyone, count: size) {
                let error = #expect(throws: CeremonyError.self) { try finished.load(group) }
                let missing = finished.sharing.missing(from: Set(group)).map(String.init).joined(
                    separator: ", ")
                #expect(error?.description.contains("component \(missing) is missing") == true, "\(group)")
                #expect(try !Self.isInToken(label))
            }
        }
    }

    @Test func aKeyOfACeremonyHasTheLeastUsageOfItsPurpose() throws {
        let finished = try Finished("imk-smc-ceremony", 2, 3)
        _ = try finished.load([3, 1])
        var store = try KeyStore(at: try TestTokens.nss.get())
        let key = try store.key(labelled: "imk-smc-ceremony")
        for attribute in [.token, .alwaysSensitive, .neverExtractable, .local] + KeyDescription.noted {
            let on: Set<Attribute> = [.token, .isPrivate, .sensitive, .derive]
            #expect(
                try store.session.attribute(attribute, of: key) == on.contains(attribute), "\(attribute.name)"
            )
        }
        #expect(throws: PKCS11Error.self) { try store.session.probeEncryptInit(.tripleDESECB, key: key) }
    }

    // MARK: - What goes wrong is named

    @Test func aWrongPassphraseIsNamedAndNothingIsLoaded() throws {
        let finished = try Finished("pvk-passphrase", 2, 3)
        let console = ScriptedConsole()
        console.answer = { $0.contains("Passphrase of custodian 2") ? "another passphrase" : nil }
        let error = #expect(throws: CeremonyError.self) { try finished.load([1, 2], console) }
        #expect(error == .wrongPassphrase(custodian: 2, name: "Custodian 2"))
        #expect(try !Self.isInToken("pvk-passphrase"))
    }

    @Test func aChangedMovedMissingRepeatedOrForeignComponentIsNamed() throws {
        let finished = try Finished("cvk-changed", 2, 3)
        let whole = try CustodianFile(readFrom: finished.file(1))
        func expect(_ words: String, _ body: (inout CustodianFile) -> Void) throws {
            try finished.change(1, body)
            let error = #expect(throws: CeremonyError.self) { try finished.load([1, 2]) }
            #expect(error?.description.contains(words) == true, "\(words): \(error?.description ?? "")")
            #expect(try !Self.isInToken("cvk-changed"))
            try whole.write(to: finished.file(1))
        }
        // Custodian 1 holds components 2 and 3.
        let (one, other) = (whole.components[0], whole.components[1])
        try expect("component 2 in the file of custodian 1, Custodian 1, was altered") {
            let end = $0.components[0].sealed.suffix(1) == "0" ? "1" : "0"
            $0.components[0] = .init(
                number: one.number, checkValue: one.checkValue, sealed: one.sealed.dropLast() + end)
        }
        try expect("component 2 in the file of custodian 1, Custodian 1, was altered") {
            $0.components[0] = .init(number: 2, checkValue: one.checkValue, sealed: other.sealed)
            $0.components[1] = .init(number: 3, checkValue: other.checkValue, sealed: one.sealed)
        }
        try expect("component 3 in the file of custodian 1, Custodian 1, was altered") {
            $0.components[1] = .init(number: 3, checkValue: "000000", sealed: other.sealed)
        }
        try expect("component 2 is missing") { $0.components.removeFirst() }
        try expect("component 3 is repeated") { $0.components.append(other) }
        try expect("component 1 in the file of custodian 1, Custodian 1 is foreign") {
            $0.components.append(.init(number: 1, checkValue: one.checkValue, sealed: one.sealed))
        }
        try expect("disagrees") { $0.keyCheckValue = "000000" }
        #expect(try finished.load([1, 2]).checkValue == finished.record.checkValue)
        try Self.destroy("cvk-changed")
    }

    @Test func aRepeatedAndAForeignFileAreNamed() throws {
        let finished = try Finished("zpk-repeated", 2, 3)
        let error = #expect(throws: CeremonyError.self) { try finished.load([2, 2]) }
        #expect(error?.description.contains("repeated: custodian 2") == true)
        let other = try Finished("zpk-foreign", 2, 3)
        let foreign = #expect(throws: CeremonyError.self) {
            try Self.ceremony(ScriptedConsole()).load(
                [finished.file(1), other.file(2)], minutesIn: finished.folder)
        }
        #expect(foreign?.description.contains("foreign") == true)
    }

    // MARK: - Broken off and gone on with

    @Test func aCeremonyThatWasBrokenOffGoesOn() throws {
        let folder = Self.newFolder()
        let name = try VersionedKeyName(label: "imk-smi-resumed")
        let first = ScriptedConsole()
        var asked = 0
        first.answer = { prompt in
            asked += prompt.hasPrefix("Your passphrase") ? 1 : 0
            return prompt.contains("GENERATE") ? "not yet" : nil
        }
        #expect(throws: CeremonyError.interrupted) {
            try Self.ceremony(first).generate(name, threshold: 2, custodians: 3, in: folder)
        }
        #expect(asked == 3)
        #expect(throws: CeremonyError.self) {
            try Self.ceremony(ScriptedConsole()).generate(name, threshold: 2, custodians: 4, in: folder)
        }
        let second = ScriptedConsole()
        let record = try Self.ceremony(second).generate(name, threshold: 2, custodians: 3, in: folder)
        #expect(second.lines.first?.contains("3 of 3 custodians have their files") == true)
        #expect(record.checkValue?.count == 6)
        try Self.destroy(name.label)
    }

    // MARK: - Minutes and paper

    @Test func theMinutesAreSealedAndHoldNoValue() throws {
        let finished = try Finished("zak-minutes", 2, 2)
        let file = try #require(
            FileManager.default.contentsOfDirectory(atPath: finished.folder).first {
                $0.hasPrefix("minutes-")
            })
        var store = try KeyStore(at: try TestTokens.nss.get())
        let path = "\(finished.folder)/\(file)"
        let text = try Minutes.verified(path, &store)
        #expect(text.contains(finished.record.checkValue ?? "?") && text.contains("witness Wanda"))
        #expect(text.contains("custodian 2, Custodian 2, chose a passphrase"))
        try text.replacingOccurrences(of: "Wanda", with: "Wilma").appending(
            String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").last.map(String.init) ?? ""
        ).appending("\n").write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: CeremonyError.self) { try Minutes.verified(path, &store) }
    }

    @Test func componentsOnPaperAreHeldAgainstTheirCheckValues() throws {
        // Two components whose xor is the well-known key with check value 08D7B4.
        let one: [UInt8] = (0..<16).map { 0x3C &+ $0 &* 7 }
        let two = zip(one, KnownAnswers.issuerMasterKey).map { $0 ^ $1 }
        let console = ScriptedConsole()
        let components = [one, two]
        let checkValues = try components.map { Hex.encode(try LibCrypto.KeyCheckValue.tdes($0).prefix(3)) }
        var typed = 0
        console.answer = { prompt in
            if prompt.hasPrefix("Component ") {
                typed += 1
                // Once with a digit too few, once with the wrong check value, then right.
                return typed == 1 ? "3C43" : Hex.encode(components[typed <= 3 ? 0 : 1])
            }
            guard prompt.hasPrefix("Its check value") else { return nil }
            return typed == 2 ? "000000" : checkValues[typed <= 3 ? 0 : 1]
        }
        let folder = Self.newFolder()
        // Everybody has this key, whoever brings its components.
        #expect {
            try Self.ceremony(console, refusesTestKeys: true).enter(
                VersionedKeyName(label: "zmk-paper"), components: 2, minutesIn: folder)
        } throws: { "\($0)".contains("public test key") }
        typed = 0
        let record = try Self.ceremony(console).enter(
            VersionedKeyName(label: "zmk-paper"), components: 2, minutesIn: folder)
        #expect(record.checkValue == "08D7B4" && typed == 4)
        #expect(console.lines.contains { $0.contains("typed wrongly") })
        try Self.destroy("zmk-paper")
    }

    @Test func aTokenThatCannotPutComponentsTogetherIsRefusedInWords() throws {
        let ceremony = Ceremony(
            console: ScriptedConsole(), at: try TestTokens.softHSM.get(), auditKey: "audit", cost: Self.cost)
        let error = #expect(throws: KeyManagementError.self) {
            try ceremony.generate(
                VersionedKeyName(label: "imk-ac-soft"), threshold: 2, custodians: 3, in: Self.newFolder())
        }
        #expect(error?.description.contains("inside") == true)
    }
}
