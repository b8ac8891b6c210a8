import EMV
import LibCrypto
import Testing
import VectorSupport
import VirtualCard

/// The simulator's access control server against the vectors: libcrypto, while the host's side runs in a token.
@Suite("Authentication server vectors")
struct AuthenticationServerVectorTests {
    @Test("authentication-value.json")
    func all() throws {
        var compared: [AuthenticationValueForm: Int] = [:]
        for vector in try VectorCase.all("authentication-value.json") {
            let isCAVV = try vector.text("op") == "cavv"
            let digits = try vector.text("pan")
            guard (12...19).contains(digits.utf8.count) else { continue }
            let pan = try PAN(digits)
            let server = AuthenticationServer(key: try vector.bytes(isCAVV ? "cvk" : "key"))
            let value: AuthenticationValue
            if isCAVV {
                guard vector.optionalText("cavv") != nil else { continue }
                value = try #require(AuthenticationValue(.cvvWithTrackingNumber, try vector.bytes("cavv")))
            } else {
                value = try #require(try Self.holderValue(vector))
                #expect(try value.input(for: pan) == vector.bytes("mac_input"), "\(vector.id)")
            }
            let same = try server.proof(value, pan: pan) == value.proof
            #expect(same, "\(vector.id)")
            compared[value.form, default: 0] += 1
        }
        #expect(compared.count == AuthenticationValueForm.allCases.count)
        #expect(compared.values.reduce(0, +) >= 49)
    }

    /// With the merchant's hash by libcrypto, too.
    private static func holderValue(_ vector: VectorCase) throws -> AuthenticationValue? {
        let merchant = Array(try vector.text("merchant").utf8)
        if try vector.text("form") == "spa1" {
            let value = AuthenticationValue(.hmacSHA1, try vector.bytes("aav"))
            let hash = try Digest.sha1(merchant).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
            #expect(value?.merchantHash == hash, "\(vector.id)")
            return value
        }
        let hash = try Digest.sha256(merchant).prefix(4)
        let code = try vector.bytes("mac_input")[14..<16]
        let currency = try vector.bytes("mac_input")[16..<18]
        let made = AuthenticationAmount.code(Int64(try vector.text("amount")) ?? -1)
        #expect(made == code.reduce(0) { $0 << 8 | UInt16($1) }, "\(vector.id)")
        return AuthenticationValue(
            .hmacSHA256,
            try [0xC6, 0x04] + vector.bytes("iav") + hash + code + currency + vector.bytes("ds_reference") + [
                0, 0,
            ])
    }

    @Test("Amount codes: every boundary between two of them, and a tolerance")
    func amounts() {
        for code in [UInt16(0), 14_000, 14_065, 20_000, 40_000, 65_535] {
            let amounts = AuthenticationAmount.amounts(code)
            #expect(AuthenticationAmount.code(amounts.lowerBound) == code, "\(code)")
            #expect(AuthenticationAmount.code(amounts.upperBound) == code, "\(code)")
        }
        for (amount, percent, agrees) in [
            (Int64(10_000), Int64(0), true), (10_001, 0, false), (9_999, 0, false), (11_000, 10, true),
            (11_001, 10, false), (9_000, 10, true), (8_999, 10, false),
        ] {
            #expect(
                AuthenticationAmount.agrees(amount, 10_000, tolerancePercent: percent) == agrees, "\(amount)")
        }
        #expect(AuthenticationAmount.code(-1) == nil && AuthenticationAmount.code(1_000_000_000_000) == nil)
    }
}
