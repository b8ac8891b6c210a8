import ByteCoding
@testable import HSM
@testable import PKCS11
import Testing
import TokenSupport

/// The table of what a token can do, held against single functions of the token called without the product's code.
@Suite("What a token can do", .serialized)
struct CapabilityTableTests {
    private func verdicts(_ location: TokenLocation) -> [String: Bool] {
        let rows = CapabilityTable.rows(DemoKeys.configuration(), at: location)
        return Dictionary(uniqueKeysWithValues: rows.map { ($0.operation, $0.works) })
    }

    /// Whether the bare functions that an operation stands on do what they are for.
    private func bare(_ location: TokenLocation) throws -> [String: Bool] {
        var session = try location.openSession()
        let usage: [Attribute] = [.sensitive, .isPrivate, .derive, .encrypt, .wrap, .unwrap, .sign]
        let key = try session.generateKey(
            .des2, Template(keyType: .des2, on: usage, off: [.token, .extractable]))
        let aes = try session.generateKey(
            .aes, Template(keyType: .aes, valueCount: 16, on: usage, off: [.token, .extractable]))
        let secret = try session.generateKey(
            .genericSecret,
            Template(
                keyType: .genericSecret, valueCount: 32, on: [.sensitive, .isPrivate, .derive, .sign],
                off: [.token]))
        func works(_ body: (inout Session) throws -> ObjectHandle) -> Bool {
            guard let object = try? body(&session) else { return false }
            try? session.destroy(object)
            return true
        }
        let block = SessionTemplates.pinBlock
        let unwraps = works { try $0.unwrapBlock(1, key: key, template: block) }
        let extracts = works {
            try $0.extractKey(from: secret, bitOffset: 0, template: SessionTemplates.pinPiece(2))
        }
        let xors = works { session in
            try [UInt8](repeating: 1, count: 16).withUnsafeBytes {
                try session.xorKey(secret, with: $0, template: SessionTemplates.pinField)
            }
        }
        let derives = works {
            try $0.deriveKey(from: key, left: 1, right: 2, template: SessionTemplates.encipheringKey)
        }
        let derivesAES = works {
            try $0.deriveKey(
                from: aes, .aesECB, data: [UInt8](repeating: 0, count: 16),
                template: SessionTemplates.aesKey(.sign, byteCount: 16))
        }
        let cmac = (try? session.aesCMAC([UInt8](repeating: 0, count: 16), key: aes)) != nil
        let hmac = (try? session.hmacSHA256([1], key: secret)) != nil
        return [
            "ARQC and ARPC": derives, "card token (AES-CMAC)": cmac, "AES card keys": derivesAES && cmac,
            "PIN translation ZPK to PVK": unwraps, "PIN block faults": unwraps && extracts,
            "PIN verification values (PVV)": unwraps && extracts, "PIN block format 1": unwraps && extracts,
            "card verification values (CVV)": extracts, "issuer scripts": derives,
            "issuer scripts, Visa session keys": derives && xors,
            "key material put together (key blocks, ceremonies)": xors && extracts,
            "seals of the audit trail (HMAC-SHA-256)": hmac,
        ]
    }

    @Test("Each verdict is that of the bare functions", arguments: [true, false])
    func verdictsAreTrue(onNSS: Bool) throws {
        let location = try onNSS ? DemoKeys.nss.get() : DemoKeys.softHSM.get()
        let (found, expected) = (verdicts(location), try bare(location))
        for (operation, works) in expected {
            #expect(found[operation] == works, "\(operation): \(String(describing: found[operation]))")
        }
        #expect(Set(expected.values).count == (onNSS ? 1 : 2), "NSS can do all, SoftHSM2 cannot")
    }

    @Test("A row tells the way, the calls and the time, or why not")
    func rows() throws {
        let strict = TestTokens.isStrict
        let rows = CapabilityTable.rows(DemoKeys.configuration(), at: try DemoKeys.nss.get())
        let failed = rows.filter { !$0.works }
        #expect(failed.isEmpty, "\(failed.map { "\($0.operation): \($0.way)" })")
        let values = try #require(rows.first { $0.operation == "known values into the token" })
        #expect(values.way.contains("strict mode") == strict && values.calls > 0)
        let soft = CapabilityTable.rows(DemoKeys.configuration(), at: try DemoKeys.softHSM.get())
        let pins = try #require(soft.first { $0.operation == "PIN translation ZPK to PVK" })
        #expect(!pins.works && pins.way.contains("C_UnwrapKey: CKR_MECHANISM_INVALID"), "\(pins.way)")
        #expect(CapabilityTable.text(soft).contains("no   "))
    }
}
