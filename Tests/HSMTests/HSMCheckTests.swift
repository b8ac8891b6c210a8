import Authorisation
import ByteCoding
@testable import HSM
@testable import PKCS11
import TokenSupport
import Testing

@Suite("What has to be true of a token", .serialized)
struct HSMCheckTests {
    @Test func theDemoKeysOnNSSPassEveryCheck() throws {
        let lines = HSMCheck.run(DemoKeys.configuration(), at: try DemoKeys.nss.get())
        for line in lines { #expect(line.passed, "\(line.subject): \(line.detail)") }
        #expect(lines.map(\.subject).contains("key imk-ac-476173"))
        #expect(lines.first { $0.subject == "key imk-ac-476173" }?.detail.contains("KCV 08D7B4") == true)
        #expect(lines.map(\.subject).contains("PIN translation ZPK to PVK"))
    }

    @Test func softHSM2ServesCryptogramsAndRefusesPINsInWords() throws {
        let location = try DemoKeys.softHSM.get()
        for line in HSMCheck.run(DemoKeys.configuration(pins: false), at: location) {
            #expect(line.passed, "\(line.subject): \(line.detail)")
        }
        let refused = HSMCheck.run(DemoKeys.configuration(pins: true), at: location).filter { !$0.passed }
        #expect(
            refused.map(\.subject) == ["PIN translation ZPK to PVK", "PIN block faults"], "\(refused)")
        #expect(refused.first?.detail.contains("links with PINs need another token") == true)
    }

    @Test(
        "A key that can do more than its purpose is found and named",
        arguments: [Attribute.encrypt, .decrypt, .sign, .wrap, .unwrap])
    func overPrivileged(extra: Attribute) throws {
        let location = try DemoKeys.nss.get()
        let label = "imk-ac-too-powerful-\(extra)"
        try create(label, usage: [.derive, extra], modifiable: false, location)
        try expectRefused(label, location, naming: extra.name)
    }

    @Test func aKeyThatCanBeChangedLaterIsFound() throws {
        let location = try DemoKeys.nss.get()
        try create("imk-ac-modifiable", usage: [.derive], modifiable: true, location)
        try expectRefused("imk-ac-modifiable", location, naming: "CKA_MODIFIABLE")
    }

    @Test func testKeysAreKnownByTheirCheckValueAndRefusedInProduction() throws {
        var configuration = DemoKeys.configuration()
        configuration.refusesTestKeys = true
        let refused = HSMCheck.run(configuration, at: try DemoKeys.nss.get()).filter { !$0.passed }
        let named = [
            "key imk-ac-476173", "key imk-ac-541333", "key imk-ac-639999", "key zpk-acquirer-a",
            "key zpk-acquirer-b", "key pvk",
        ]
        #expect(refused.map(\.subject) == named)
        #expect(refused.allSatisfy { $0.detail.contains("public test key") })
    }

    @Test func aMissingKeyIsNamed() throws {
        try expectRefused("imk-ac-missing", try DemoKeys.nss.get(), naming: "not in the token")
    }

    @Test func aTokenThatIsNotThereIsNamedWithThoseThatAre() throws {
        var location = try DemoKeys.nss.get()
        location.uri = "pkcs11:token=nobody"
        let lines = HSMCheck.run(DemoKeys.configuration(), at: location)
        #expect(lines.count == 1 && !lines[0].passed)
        #expect(lines[0].detail.contains("nobody") && lines[0].detail.contains("Certificate DB"))
        location.uri = "not a uri"
        #expect(HSMCheck.run(DemoKeys.configuration(), at: location)[0].detail.contains("RFC 7512"))
    }

    @Test func loadingTwiceChangesNothingAndAWrongCheckValueIsRefused() throws {
        let location = try DemoKeys.nss.get()
        let value = try DemoKeys.clear("imk-ac-476173")
        let again = try KeyLoading.loadTestKey(
            label: "imk-ac-476173", purpose: .issuerMasterKeyAC, value: SecretBytes(copying: value),
            expectedCheckValue: "08D7B4", at: location)
        #expect(!again.created)
        #expect(throws: KeyLoadingError.self) {
            try KeyLoading.loadTestKey(
                label: "imk-ac-new", purpose: .issuerMasterKeyAC, value: SecretBytes(copying: value),
                expectedCheckValue: "000000", at: location)
        }
        let other = try DemoKeys.clear("imk-ac-541333")
        #expect(throws: KeyLoadingError.self) {
            try KeyLoading.loadTestKey(
                label: "imk-ac-476173", purpose: .issuerMasterKeyAC, value: SecretBytes(copying: other),
                expectedCheckValue: "7F4B05", at: location)
        }
    }

    private func create(
        _ label: String, usage: [Attribute], modifiable: Bool, _ location: TokenLocation
    ) throws {
        var session = try location.openSession(readWrite: true)
        let template = Template(
            keyType: .des2, label: label,
            on: [.token, .isPrivate, .sensitive] + usage + (modifiable ? [.modifiable] : []),
            off: [.extractable] + KeyPurpose.usages.filter { !usage.contains($0) }
                + (modifiable ? [] : [.modifiable]))
        _ = try session.createKey(template, value: SecretBytes(copying: KnownAnswers.issuerMasterKey))
    }

    private func expectRefused(_ label: String, _ location: TokenLocation, naming reason: String) throws {
        var configuration = DemoKeys.configuration()
        configuration.issuerMasterKeys = [KeyName(label)]
        let refused = HSMCheck.run(configuration, at: location).filter { !$0.passed }
        #expect(refused.map(\.subject) == ["key \(label)"])
        #expect(refused.first?.detail.contains(reason) == true, "\(refused.first?.detail ?? "nothing")")
    }
}
