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
            #expect(error.description == "C_Login: CKR_PIN_INCORRECT (0xa0)")
        }
    }

    @Test func callsAreCountedAndBlocksGoRoundTheToken() throws {
        var session = try TestTokens.nss.get().openSession()
        let before = session.callCount
        // NSS lets a key do whatever its template does not deny.
        let template = Template(
            keyType: .des2, on: [.encrypt, .sensitive, .isPrivate], off: [.token, .extractable, .wrap])
        let key = try session.createKey(
            template,
            value: SecretBytes(copying: [1, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF] + [UInt8](0...7)))
        let one = try session.encryptBlock(7, key: key)
        var two: [UInt64] = [UInt64(7).bigEndian, UInt64(8).bigEndian]
        try two.withUnsafeMutableBytes { bytes in
            try session.encrypt(.tripleDESECB, key: key, UnsafeRawBufferPointer(bytes), into: bytes)
        }
        #expect(UInt64(bigEndian: two[0]) == one)
        #expect(try session.encryptBlock(8, key: key) == UInt64(bigEndian: two[1]))
        #expect(throws: PKCS11Error.self) { try session.readableValue(of: key, count: 16) }
        #expect(try session.attribute(.sensitive, of: key) == true)
        #expect(try session.attribute(.wrap, of: key) == false)
        try session.destroy(key)
        #expect(throws: PKCS11Error.self) { try session.encryptBlock(7, key: key) }
        #expect(session.callCount == before + 12)
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
}
