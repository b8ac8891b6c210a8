import ByteCoding
import CPKCS11
import HSM
@testable import PKCS11
import Testing
import TokenSupport

@Suite("PKCS#11", .serialized)
struct PKCS11Tests {
    @Test func errorsNameFunctionAndCode() {
        let error = PKCS11Error(function: "C_DeriveKey", code: CKR_KEY_HANDLE_INVALID)
        #expect(error.description == "C_DeriveKey: CKR_KEY_HANDLE_INVALID (0x60)")
        #expect(PKCS11Error(function: "C_Sign", code: 0x8000_1234).description.contains("0x80001234"))
    }

    @Test(
        "What costs a session its place and what does not",
        arguments: [
            (CKR_DEVICE_REMOVED, false), (CKR_SESSION_HANDLE_INVALID, false), (CKR_GENERAL_ERROR, false),
            (CKR_KEY_HANDLE_INVALID, false), (CKR_KEY_FUNCTION_NOT_PERMITTED, true),
            (CKR_MECHANISM_INVALID, true),
        ])
    func intact(code: UInt, expected: Bool) {
        #expect(PKCS11Error(function: "C_Sign", code: code).leavesSessionIntact == expected)
    }

    @Test func aModuleThatIsNoneIsNamed() {
        do {
            _ = try Module(path: "/usr/lib/no-such-module.so", initArguments: nil)
            Issue.record("a missing module was loaded")
        } catch {
            #expect(error.description.contains("/usr/lib/no-such-module.so"))
        }
    }

    @Test func aWrongPINIsTheTokensWordAndHoldsNoPIN() throws {
        let location = try TestTokens.softHSM.get()
        let slot = try location.module.slot(matching: location.uri)
        // Somebody may be logged in already in this process; then the token says so first.
        do {
            let session = try slot.openSession(
                readWrite: false, pin: SecretBytes(copying: Array("87654321".utf8)))
            _ = consume session
        } catch {
            #expect(error.description == "C_Login: CKR_PIN_INCORRECT (0xa0); see token.pinFile")
        }
    }

    @Test func callsAreCountedAndBlocksGoRoundTheToken() throws {
        var session = try TestTokens.nss.get().openSession()
        // NSS lets a key do whatever its template does not deny.
        let template = Template(
            keyType: .des2, on: [.encrypt, .sensitive, .isPrivate], off: [.token, .extractable, .wrap])
        let key = try session.createKey(
            template,
            value: SecretBytes(copying: [1, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF] + [UInt8](0...7)))
        let before = session.callCount
        let one = try session.encryptBlock(7, key: key)
        var two: [UInt64] = [UInt64(7).bigEndian, UInt64(8).bigEndian]
        try two.withUnsafeMutableBytes { bytes in
            try session.encrypt(.tripleDESECB, key: key, input: UnsafeRawBufferPointer(bytes), into: bytes)
        }
        #expect(UInt64(bigEndian: two[0]) == one)
        #expect(try session.encryptBlock(8, key: key) == UInt64(bigEndian: two[1]))
        #expect(throws: PKCS11Error.self) { try session.readableValue(of: key, count: 16) }
        #expect(try session.attribute(.sensitive, of: key) == true)
        #expect(try session.attribute(.wrap, of: key) == false)
        try session.destroy(key)
        #expect(throws: PKCS11Error.self) { try session.encryptBlock(7, key: key) }
        #expect(session.callCount == before + 11)
    }

    @Test func keysOfTheTokenAreFoundByTheirWholeLabel() throws {
        var session = try TestTokens.nss.get().openSession(readWrite: true)
        let label = "found-\(UInt32.random(in: .min ... .max))"
        let template = Template(
            keyType: .des2, label: label, on: [.token, .encrypt, .sensitive, .isPrivate], off: [.extractable])
        let value = [UInt8](repeating: 0x5B, count: 16)
        _ = try session.createKey(template, value: SecretBytes(copying: value))
        #expect(try session.findKeys(label: label).count == 1)
        #expect(try session.findKeys(label: String(label.dropLast())).isEmpty)
        let copy = try session.workingCopy(of: try #require(try session.findKeys(label: label).first))
        #expect(try session.attribute(.token, of: copy) == false)
        #expect(
            try session.encryptBlock(1, key: copy)
                == session.encryptBlock(1, key: session.findKeys(label: label)[0]))
    }

    @Test(
        "A URI says nothing that is passed over, and its PIN is not shown",
        arguments: [
            ("pin-value=12345678", "pin-value"), ("pin-source=file:/etc/pin", "pin-source"),
            ("module-name=softhsm2", "module-name"), ("x-vendor=1", "RFC 7512"),
        ])
    func refusedParts(part: String, named: String) throws {
        let location = try TestTokens.softHSM.get()
        let separator = part.hasPrefix("pin") || part.hasPrefix("module") ? "?" : ";"
        for uri in ["pkcs11:token=issuer-test\(separator)\(part)", "pkcs11:\(part)"]
        where separator == ";" || uri.contains("token") {
            do {
                _ = try location.module.slot(matching: uri)
                Issue.record("\(part) was passed over")
            } catch {
                #expect(error.description.contains(named), "\(error)")
                #expect(!error.description.contains("12345678"))
            }
        }
        let key = "pkcs11:object=zpk-a;type=secret-key\(separator)\(part)"
        #expect(throws: ModuleError.self) { try KeyURI(parsing: key) }
    }

    @Test(
        "A token's URI that names an object is refused in words, and a key's URI uses it",
        arguments: ["object=zpk-a", "object=zpk-a;type=secret-key", "type=secret-key", "id=%01"])
    func objects(part: String) throws {
        let location = try TestTokens.softHSM.get()
        let error = #expect(throws: ModuleError.self) {
            try location.module.slot(matching: "pkcs11:token=issuer-test;\(part)")
        }
        #expect(error?.description.contains("an object") == true, "\(error?.description ?? "")")
        #expect(try KeyURI(parsing: "pkcs11:token=issuer-test;object=zpk-a").object == "zpk-a")
        #expect(throws: ModuleError.self) { try KeyURI(parsing: "pkcs11:object=zpk-a;type=private") }
    }

    @Test("A slot-id is used, and a URI that several tokens match is refused before a login")
    func slots() throws {
        let module = try TestTokens.nss.get().module
        let slot = TestTokens.isStrict ? 3 : 2
        #expect(try module.slot(matching: "pkcs11:slot-id=\(slot)").identifier == UInt(slot))
        #expect {
            try module.slot(matching: "pkcs11:token=NSS%20Certificate%20DB;slot-id=1")
        } throws: { "\($0)".contains("no token matches") }
        // In its strict mode NSS has one token only.
        if !TestTokens.isStrict {
            #expect {
                try module.slot(matching: "pkcs11:")
            } throws: { "\($0)".contains("tokens match") && "\($0)".contains("slot-id=2") }
        }
        for text in ["pkcs11:object=zpk-a;slot-id=2", "pkcs11:object=zpk-a;id=%01"] {
            #expect(throws: ModuleError.self) { try KeyURI(parsing: text) }
        }
    }

    @Test("An error says what to do where that is known")
    func advice() {
        #expect(
            PKCS11Error(function: "C_Initialize", code: CKR_HOST_MEMORY).description.contains("pkcsslotd"))
        #expect(
            PKCS11Error(function: "C_DeriveKey", code: CKR_MECHANISM_INVALID).description
                .contains("lacks the mechanism"))
    }

    @Test(
        "What a token takes and does not heed is ended, and named",
        arguments: [
            [Attribute.derive, .encrypt], [.derive, .modifiable], [.derive, .extractable], [.sign],
        ])
    func readBack(usage: [Attribute]) throws {
        let location = try TestTokens.nss.get()
        var session = try location.openSession(readWrite: true)
        let label = "imk-ac-read-back"
        let template = Template(
            keyType: .des2, label: label, on: [.token, .sensitive, .isPrivate] + usage,
            off: ([.extractable, .modifiable] + KeyPurpose.usages).filter { !usage.contains($0) })
        let key = try session.generateKey(.des2, template)
        #expect {
            try KeyDescription.requireAsAsked(key, label, purpose: .issuerMasterKeyAC, session: &session)
        } throws: { "\($0)".contains(label) && "\($0)".contains("CKA_") }
        #expect(try session.findKeys(label: label).isEmpty)
    }
}
