import ByteCoding
@testable import HSM
@testable import KeyManagement
import LibCrypto
import PKCS11
import Testing
import TokenSupport

/// What a key block allows, what protects what, and keys that nobody may use.
@Suite("Limits of keys", .serialized)
struct KeyLimitTests {
    private static let good: [UInt8] = (0..<32).map { 0x3B &+ $0 &* 37 }

    /// A block of any value with any header, as a sender makes it.
    private func block(
        _ value: [UInt8], _ algorithm: KeyAlgorithm, _ header: KeyBlockHeader, under label: String,
        _ store: inout KeyStore
    ) throws -> String {
        let key = try store.session.createKey(
            KeyStore.leavingTemplate(algorithm, statesLength: false), value: SecretBytes(copying: value))
        defer { try? store.session.destroy(key) }
        return try store.withProtectionKey(label) { protection, kind, session in
            try KeyBlockCipher.seal(
                key, algorithm, header: header, under: protection, protection: kind, session: &session)
        }
    }

    private func header(
        _ usage: String, _ mode: Character, _ exportability: Character, version: String = "00",
        blocks: [OptionalBlock] = [], letter: Character = "T"
    ) -> KeyBlockHeader {
        KeyBlockHeader(
            version: .d, usage: usage, algorithm: letter, mode: mode, keyVersion: version,
            exportability: exportability, optionalBlocks: blocks)
    }

    @Test(
        "A key leaves with the header that it came with",
        arguments: [
            ("pvk", "V2", "G", "E", "07"), ("zak", "M3", "C", "S", "A1"), ("zpk", "P0", "D", "E", "00"),
            ("kbpk", "K1", "B", "E", "12"), ("cvk", "C0", "V", "S", "03"),
        ] as [(String, String, Character, Character, String)])
    func kept(prefix: String, usage: String, mode: Character, exportability: Character, version: String)
        throws
    {
        var store = try KeyBlockTests.store()
        let blocks = [
            OptionalBlock("LB", "of the sender"), OptionalBlock("TS", "2026-11-28T20:00:00Z"),
            OptionalBlock("KS", "00604B120F9292800000"),
            OptionalBlock("CT", String(repeating: "4", count: 300)),
        ]
        let came = header(usage, mode, exportability, version: version, blocks: blocks)
        let text = try block(Array(Self.good[..<16]), .tdes128, came, under: "kbpk-a", &store)
        let name = try VersionedKeyName(label: "\(prefix)-kept-\(usage)")
        try store.importBlock(text, as: name, under: "kbpk-a", exportable: true)
        let out = try KeyBlock(parsing: try store.exportBlock(name, under: "kbpk-a")).header
        #expect(out == came)
        // Less is possible, more is not.
        let less = try store.exportBlock(name, under: "kbpk-a", exportability: "N")
        #expect(try KeyBlock(parsing: less).header.exportability == "N")
        if exportability == "E" {
            #expect(throws: KeyBlockError.self) {
                try store.exportBlock(name, under: "kbpk-a", exportability: "S")
            }
        }
        for other in "BCDEGNVX"
        where other != mode && !(mode == "C" && "GV".contains(other))
            && !(mode == "B" && "DE".contains(other))
        {
            #expect(throws: KeyBlockError.self, "mode \(other) of \(mode)") {
                try store.exportBlock(name, under: "kbpk-a", mode: other)
            }
        }
        #expect(throws: KeyBlockError.self) {
            try store.exportBlock(name, under: "kbpk-a", optionalBlocks: [OptionalBlock("LB", "other")])
        }
        try store.destroy(name)
        try store.destroy(name.transfer)
    }

    @Test func aComponentIsNoKey() throws {
        var store = try KeyBlockTests.store()
        let text = try block(
            Array(Self.good[..<16]), .tdes128, header("K0", "B", "E", version: "c1"), under: "kbpk-a", &store)
        let error = #expect(throws: KeyBlockError.self) {
            try store.importBlock(text, as: VersionedKeyName(label: "zmk-component"), under: "kbpk-a")
        }
        #expect(error?.field == "key version")
    }

    @Test(
        "A key is protected by one that is no weaker, and not by itself",
        arguments: [
            (KeyAlgorithm.tdes192, KeyAlgorithm.tdes128), (.aes128, .tdes128), (.aes128, .tdes192),
            (.aes192, .aes128), (.aes256, .aes192), (.tdes128, .tdes128), (.tdes192, .tdes192),
            (.aes256, .aes256),
            (.tdes192, .aes128),
        ])
    func strength(key: KeyAlgorithm, protection: KeyAlgorithm) throws {
        var store = try KeyBlockTests.store()
        let guarding = try VersionedKeyName(label: "kbpk-guard-\(key.rawValue)-\(protection.rawValue)")
        let name = try VersionedKeyName(label: "zpk-guarded-\(key.rawValue)-\(protection.rawValue)")
        try store.generate(guarding, algorithm: protection)
        try store.generateExportable(name, algorithm: key)
        let isWeaker = protection.strengthBits < key.strengthBits
        do {
            _ = try store.exportBlock(name, under: guarding.label)
            #expect(!isWeaker)
        } catch let error as KeyManagementError {
            #expect(isWeaker && error.key == guarding.label && error.reason.contains("weaker"))
        }
    }

    @Test func aKBPKDoesNotProtectItself() throws {
        var store = try KeyBlockTests.store()
        let name = try VersionedKeyName(label: "kbpk-itself")
        try store.generateExportable(name, algorithm: .aes256)
        let error = #expect(throws: KeyManagementError.self) {
            try store.exportBlock(name, under: name.label)
        }
        #expect(error?.reason.contains("itself") == true)
        // Under another label, too.
        let text = try store.exportBlock(name, under: "kbpk-a", exportability: "E")
        let twin = try VersionedKeyName(label: "kbpk-twin")
        try store.importBlock(text, as: twin, under: "kbpk-a")
        #expect(throws: KeyManagementError.self) { try store.exportBlock(name, under: twin.label) }
    }

    /// Value, algorithm, what is wrong.
    private static let weak: [([UInt8], KeyAlgorithm, KeyWeakness)] = {
        let (one, two) = (Array(good[..<8]), Array(good[8..<16]))
        let semiWeak: [UInt8] = [0x1F, 0xFE, 0x1F, 0xFE, 0x0E, 0xFE, 0x0E, 0xFE]
        let weak = [UInt8](repeating: 0xE0, count: 4) + [UInt8](repeating: 0xF1, count: 4)
        return [
            (one + one, .tdes128, .partsEqual), (one + one.map { $0 ^ 1 }, .tdes128, .partsEqual),
            (one + two + two, .tdes192, .partsEqual), (one + one + two, .tdes192, .partsEqual),
            ([UInt8](repeating: 0x5A, count: 16), .tdes128, .partsEqual),
            (one + semiWeak, .tdes128, .knownWeak), (weak + one, .tdes128, .knownWeak),
            (one + weak.map { $0 ^ 1 } + two, .tdes192, .knownWeak),
            (one + two + one, .tdes192, .partsEqual), (one + two + one.map { $0 ^ 1 }, .tdes192, .partsEqual),
            ([UInt8](repeating: 0x77, count: 16), .aes128, .partsEqual),
            ([UInt8](repeating: 0, count: 32), .aes256, .partsEqual),
        ]
    }()

    @Test("A weak key is refused in a key block", arguments: weak.indices)
    func weakBlock(index: Int) throws {
        let (value, algorithm, weakness) = Self.weak[index]
        var store = try KeyBlockTests.store()
        let letter = algorithm.blockLetter
        let text = try block(
            value, algorithm, header("P0", "B", "N", letter: letter), under: "kbpk-a", &store)
        let name = try VersionedKeyName(label: "zpk-weak-\(index)")
        let error = #expect(throws: KeyManagementError.self) {
            try store.importBlock(text, as: name, under: "kbpk-a")
        }
        #expect(error?.key == name.label && error?.reason == weakness.description)
        #expect(try store.session.findKeys(label: name.label).isEmpty)
    }

    @Test(
        "A weak key is refused as a cryptogram", arguments: weak.indices.filter { weak[$0].1.keyType != .aes }
    )
    func weakCryptogram(index: Int) throws {
        let (value, _, weakness) = Self.weak[index]
        var store = try KeyBlockTests.store()
        let zmk = Array(Self.good[16...])
        let label = "zmk-of-weak"
        if try store.session.findKeys(label: label).isEmpty {
            _ = try store.session.createKey(
                KeyPurpose.zoneMasterKey.tokenTemplate(label: label, statesLength: false),
                value: SecretBytes(copying: zmk))
        }
        let cryptogram = try TDES.encryptECB(key: zmk, value)
        let checkValue = Hex.encode(
            try TDES.encryptECB(key: value, [UInt8](repeating: 0, count: 8)).prefix(3))
        let name = try VersionedKeyName(label: "zpk-weak-\(index)")
        let error = #expect(throws: KeyManagementError.self) {
            try store.importCryptogram(
                cryptogram, as: name, under: label, expectedCheckValue: checkValue)
        }
        #expect(error?.reason == weakness.description)
        #expect(try store.session.findKeys(label: name.label).isEmpty)
    }

    @Test("Components that make a weak key load nothing; one of zeros is asked for again")
    func weakComponents() throws {
        let (one, same) = (Array(Self.good[..<16]), Array(Self.good[16..<24]) + Self.good[16..<24])
        let other = zip(one, same).map { $0 ^ $1 }
        let console = ScriptedConsole()
        var typed = 0
        let values = [[UInt8](repeating: 0, count: 16), one, other]
        let checkValues = try values.map { Hex.encode(try LibCrypto.KeyCheckValue.tdes($0).prefix(3)) }
        console.answer = { prompt in
            if prompt.hasPrefix("Component ") {
                typed += 1
                return Hex.encode(values[typed - 1])
            }
            return prompt.hasPrefix("Its check value") ? checkValues[typed - 1] : nil
        }
        let error = #expect(throws: KeyManagementError.self) {
            try CeremonyTests.ceremony(console).enter(
                VersionedKeyName(label: "zmk-weak"), components: 2, minutesIn: CeremonyTests.newFolder())
        }
        #expect(error?.reason == KeyWeakness.partsEqual.description && typed == 3)
        #expect(console.lines.contains { $0.contains("zeros adds nothing") })
        #expect(try !CeremonyTests.isInToken("zmk-weak"))
    }

    @Test func aWitnessWhoDoesNotConfirmLeavesNoKey() throws {
        let console = ScriptedConsole()
        console.answer = { $0.contains("check value to confirm") ? "000000" : nil }
        let error = #expect(throws: CeremonyError.self) {
            try CeremonyTests.ceremony(console).generate(
                VersionedKeyName(label: "imk-ac-unconfirmed"), threshold: 2, custodians: 3,
                in: CeremonyTests.newFolder())
        }
        #expect(error?.description.contains("did not confirm") == true)
        #expect(try !CeremonyTests.isInToken("imk-ac-unconfirmed"))
    }
}
