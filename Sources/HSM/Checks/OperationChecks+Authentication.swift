internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// Known answers of authentication values: published ones, so that form, padding and token are right together.
extension OperationChecks {
    /// gocavv's test: results code 7, ATN 9602231034727993, output 972.
    mutating func checkTrackingNumberValue() throws {
        try check(
            .cvvWithTrackingNumber, "0700010972799396022310347279930000000000", digits: "4123456789012345",
            key: "cvk")
    }

    /// US 2007/0143227, example 2.
    mutating func checkAuthenticationHMAC() throws {
        try check(
            .hmacSHA1, "8C7CA7FBB6058B511401110000002FEB27FC7FAB", digits: "5432109876543210", key: "av-hmac")
    }

    private mutating func check(
        _ form: AuthenticationValueForm, _ hex: String, digits: String, key: String
    ) throws {
        let pan = try PAN(digits)
        let bytes = try Hex.decode(hex)
        guard let value = AuthenticationValue(form, bytes) else { throw CapabilityMissing("no value") }
        let question = AuthenticationQuestion(key: KeyName(key), value: value)
        guard try serving.verify(question, pan: pan) == .matches else {
            throw CapabilityMissing("wrong answer")
        }
    }
}

enum AuthenticationChecks {
    /// The sixteen bytes of the patent's example, with zeros behind them: HMAC fills a short key in the same way (RFC 2104,
    /// 2), and some tokens take none that is shorter than the hash.
    static func key(_ session: inout Session) throws -> ObjectHandle {
        let template = Template(
            keyType: .genericSecret, on: [.sensitive, .isPrivate, .sign],
            off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .sign })
        let zeros = [UInt8](repeating: 0, count: 16)
        return try session.createKey(
            template, value: SecretBytes(copying: Hex.decode("00112233445566778899AABBCCDDEEFF") + zeros))
    }
}
