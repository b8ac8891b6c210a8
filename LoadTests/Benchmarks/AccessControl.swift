import Authorisation
import ByteCoding
import EMV
import Foundation
import HSM
import Issuance
import PKCS11

/// What an access control server asks of the token, bare: one session, nothing around it. The measure of
/// `issuer-keys authentication-value` and `acs-sign` (LoadTests/three-d-secure.sh).
func accessControlBenchmarks(_ harness: inout Harness, _ parts: Parts) async throws {
    guard harness.runs("access control: ") else { return }
    let (cvk, hmac) = (KeyName("av-cvk-476173"), KeyName("av-hmac-541333"))
    var maker = try AuthenticationValueMaker(keys: [cvk, hmac], at: parts.location)
    for (form, key, digits) in [
        (AuthenticationValueForm.cvvWithTrackingNumber, cvk, "4761739001010010"),
        (.hmacSHA256, hmac, "5413330089010483"),
    ] {
        let pan = try PAN(digits)
        var draft = AuthenticationValueDraft(form, number: 1_795_000_000)
        draft.merchant = Array("Test Shop 1".utf8)
        (draft.minorUnits, draft.currency) = (1_000, 752)
        try await harness.measure("access control: value, \(form.name)", operations: 1_000) {
            for _ in 0..<1_000 { consume(try maker.value(draft, key: key, pan: pan)) }
        }
    }
    // As long as a content with two certificates in its header.
    let content = [UInt8](repeating: 0x41, count: 3_000)
    for algorithm in [ServerSignature.es256, .ps256] {
        var keys = try ServerKeys(at: parts.location)
        let key = try keys.generate(label: "acs-sign-\(algorithm.rawValue)", algorithm, bits: 2_048)
        try await harness.measure(
            "access control: \(algorithm.rawValue), verified", operations: 100
        ) {
            for _ in 0..<100 { consume(try keys.sign(content, key)) }
        }
    }
}
