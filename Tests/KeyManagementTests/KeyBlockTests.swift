import ByteCoding
@testable import HSM
@testable import KeyManagement
import PKCS11
import Testing
import TokenSupport

@Suite("Key blocks and keys by purpose", .serialized)
struct KeyBlockTests {
    /// A store of the NSS token with one KBPK of each cipher.
    static func store() throws -> KeyStore {
        var store = try KeyStore(at: try TestTokens.nss.get())
        for (label, algorithm) in [("kbpk-t", KeyAlgorithm.tdes128), ("kbpk-a", .aes256)] {
            let name = try VersionedKeyName(label: label)
            if try store.session.findKeys(label: label).isEmpty {
                try store.generate(name, algorithm: algorithm)
            }
        }
        return store
    }

    @Test(
        "What leaves in a block comes back as the same key with its least usage",
        arguments: [
            ("kbpk-t", KeyBlockVersion.a), ("kbpk-t", .b), ("kbpk-t", .c), ("kbpk-a", .d),
        ])
    func roundTrip(protection: String, version: KeyBlockVersion) throws {
        var store = try Self.store()
        let sent = try VersionedKeyName(label: "imk-ac-sent-\(version.rawValue)")
        let received = try VersionedKeyName(label: "imk-ac-received-\(version.rawValue)")
        let made = try store.generateExportable(sent)
        let block = try store.exportBlock(
            sent, under: protection, version: version, optionalBlocks: [OptionalBlock("LB", "imk")])
        #expect(block.hasPrefix("\(version.rawValue)") && block.contains("E0TX01N"))
        let record = try store.importBlock(
            block, as: received, under: protection, expectedCheckValue: made.checkValue)
        #expect(record.checkValue == made.checkValue && record.checkValue != nil)
        #expect(record.provenance?.origin == .imported && made.provenance?.origin == .generated)
        for attribute in [.token, .alwaysSensitive, .neverExtractable, .local] + KeyDescription.noted {
            let on: Set<Attribute> = [.token, .isPrivate, .sensitive, .derive]
            let key = try store.key(labelled: received.label)
            #expect(
                try store.session.attribute(attribute, of: key) == on.contains(attribute), "\(attribute.name)"
            )
        }
        // It said N: it may come in, and never leave again.
        let again = try VersionedKeyName(label: "imk-ac-again-\(version.rawValue)")
        let error = #expect(throws: KeyBlockError.self) {
            try store.importBlock(block, as: again, under: protection, exportable: true)
        }
        #expect(error?.field == "exportability")
    }

    @Test("Every character of a block is authenticated", arguments: [KeyBlockVersion.a, .b, .c, .d])
    func tampering(version: KeyBlockVersion) throws {
        var store = try Self.store()
        let name = try VersionedKeyName(label: "zpk-tampered-\(version.rawValue)")
        let protection = version == .d ? "kbpk-a" : "kbpk-t"
        try store.generateExportable(name)
        let block = Array(
            try store.exportBlock(name, under: protection, exportability: "E", version: version))
        let target = try VersionedKeyName(label: "zpk-target-\(version.rawValue)")
        for index in block.indices {
            var changed = block
            changed[index] = changed[index] == "0" ? "1" : "0"
            guard changed != block else { continue }
            #expect(throws: KeyBlockError.self, "character \(index)") {
                try store.importBlock(String(changed), as: target, under: protection)
            }
        }
        #expect(try store.session.findKeys(label: target.label).isEmpty)
    }

    @Test(
        "A block's header decides what its key may become",
        arguments: [
            ("E0", "N", "mode of use"), ("E0", "E", "mode of use"), ("E1", "X", "key usage"),
            ("P0", "X", "key usage"), ("K1", "X", "key usage"),
        ])
    func usage(usage: String, mode: Character, field: String) throws {
        let header = KeyBlockHeader(
            version: .b, usage: usage, algorithm: "T", mode: mode, exportability: "N")
        let error = #expect(throws: KeyBlockError.self) { try header.requireUse(as: .issuerMasterKeyAC) }
        #expect(error?.field == field)
    }

    @Test func aKeyThatWasNotMadeToLeaveStays() throws {
        var store = try Self.store()
        let name = try VersionedKeyName(label: "imk-smi-stays")
        try store.generate(name)
        let error = #expect(throws: KeyManagementError.self) { try store.exportBlock(name, under: "kbpk-a") }
        #expect(error?.key == name.label)
        #expect(throws: KeyManagementError.self) { try store.generate(name) }
        #expect(try store.nextVersion(of: name.name).label == "imk-smi-stays.v2")
        try store.destroy(name)
        #expect(throws: KeyManagementError.self) { try store.record(labelled: name.label) }
    }

    @Test("Each purpose is made with its rules", arguments: KeyPurpose.allCases.filter { $0 != .transferKey })
    func purposes(purpose: KeyPurpose) throws {
        var store = try Self.store()
        for algorithm in purpose.rules.algorithms {
            let name = try VersionedKeyName(label: "\(purpose.rules.prefix)-every-\(algorithm.rawValue)")
            let record = try store.generate(name, algorithm: algorithm)
            #expect(record.purpose == purpose && record.algorithm == algorithm)
            #expect(record.checkValue?.count == 6 && record.provenance?.origin == .generated)
            let key = try store.key(labelled: name.label)
            for usage in KeyPurpose.usages {
                #expect(try store.session.attribute(usage, of: key) == purpose.usage.contains(usage))
            }
            #expect(try store.session.attribute(.neverExtractable, of: key) == true)
            #expect(try store.session.attribute(.alwaysSensitive, of: key) == true)
            try store.destroy(name)
        }
    }

    @Test func aTokenThatCannotTakeBlocksApartIsRefusedInWords() throws {
        var store = try KeyStore(at: try TestTokens.softHSM.get())
        try store.generate(VersionedKeyName(label: "kbpk-soft"), algorithm: .tdes128)
        let error = #expect(throws: KeyManagementError.self) {
            try store.importBlock(
                "B0096E1TX00S0100LB10KEY89019410386A18D2D52EDC77204BA704D7BF2692C13CDB84A48B859982BDD2E658C76ACEC",
                as: VersionedKeyName(label: "imk-smc-soft"), under: "kbpk-soft")
        }
        #expect(error?.description.contains("inside") == true)
    }

    @Test("A key in the old form comes under a ZMK, its check value checked")
    func cryptograms() throws {
        var store = try Self.store()
        let zmk: [UInt8] = (0..<16).map { 0x11 &* ($0 + 1) }
        let template = KeyPurpose.zoneMasterKey.tokenTemplate(label: "zmk-old", statesLength: false)
        _ = try store.session.createKey(template, value: SecretBytes(copying: zmk))
        let clear = KnownAnswers.issuerMasterKey
        let enciphering = try KnownAnswers.importKey(zmk, [.encrypt], session: &store.session)
        let cryptogram = try stride(from: 0, to: 16, by: 8).flatMap { offset in
            let block = clear[offset..<offset + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let enciphered = try store.session.encryptBlock(block, key: enciphering)
            return (0..<8).map { UInt8(truncatingIfNeeded: enciphered >> UInt64(56 - 8 * $0)) }
        }
        let name = try VersionedKeyName(label: "zpk-old")
        #expect(throws: KeyManagementError.self) {
            try store.importCryptogram(cryptogram, as: name, under: "zmk-old", expectedCheckValue: "000000")
        }
        var production = try KeyStore(at: try TestTokens.nss.get(), refusesTestKeys: true)
        #expect {
            try production.importCryptogram(
                cryptogram, as: name, under: "zmk-old", expectedCheckValue: "08D7B4")
        } throws: { "\($0)".contains("public test key") }
        let record = try store.importCryptogram(
            cryptogram, as: name, under: "zmk-old", expectedCheckValue: "08d7b4")
        #expect(record.checkValue == "08D7B4" && record.provenance?.checkValue == "08D7B4")
    }
}
