import Foundation
import IssuerConfiguration
import Testing

/// Variables of the environment come before the file, or end the start-up.
@Suite struct EnvironmentOverrideTests {
    private static let file = """
        profile: demo
        dialects: dialects
        token:
          module: module.so
          uri: "pkcs11:token=t"
        keys: {panHash: pan-hash}
        issuers:
          visa-476173:
            prefix: "476173"
            issuerMasterKey: imk
            profiles: [visa-cvn18]
            limits: {currency: "752", transactionMax: 50000}
        links:
          acquirer-a: {port: 8583, dialect: ascii87-binbitmap}
          switchB: {port: 8584, dialect: ascii87-binbitmap, signOnRequired: true}
        """

    private func load(_ environment: [String: String], _ text: String = file) throws -> IssuerConfiguration {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try IssuerConfiguration(path: path, environment: environment)
    }

    private func fault(_ environment: [String: String], _ text: String = file) -> String {
        do {
            _ = try load(environment, text)
            return "accepted"
        } catch {
            return String(describing: error)
        }
    }

    @Test("Every kind of value, under the one rule for names")
    func good() throws {
        let configuration = try load([
            "PATH": "/bin", "DEMO_PORT_A": "x",
            "ISSUER_ADMIN_PORT": "9583",
            "ISSUER_LINKS_ACQUIRER_A_ZONE_PIN_KEY": "zpk",
            "ISSUER_LINKS_SWITCH_B_SIGN_ON_REQUIRED": "false",
            "ISSUER_LINKS_SWITCH_B_ALLOWED_PEERS": "10.0.0.1, 10.1.0.0/16",
            "ISSUER_LINKS_ACQUIRER_A_CVV2_ELEMENT": "126",
            "ISSUER_ISSUERS_VISA_476173_DECLINE_ON_TVR": "dda-failed",
            "ISSUER_ISSUERS_VISA_476173_LIMITS_TRANSACTION_MAX": "40000",
            "ISSUER_POLICY_LATE_ATC_ACCEPTED": "false",
            "ISSUER_LINKS_ACQUIRER_A_MAC_KEY": "zak",
            "ISSUER_TOKEN_PIN": "not-a-key",
        ])
        #expect(configuration.adminPort == 9_583)
        #expect(configuration.links[0].zonePINKey == "zpk" && configuration.links[0].cvv2Element == 126)
        #expect(!configuration.links[1].signOnRequired)
        #expect(configuration.links[1].allowedPeers == ["10.0.0.1", "10.1.0.0/16"])
        #expect(configuration.issuers[0].declineOnTVR == ["dda-failed"])
        #expect(configuration.issuers[0].limits?.transactionMax == 40_000)
        #expect(!configuration.policy.lateATCAccepted)
        // A section that only the environment has is a section all the same.
        #expect(configuration.links[0].mac?.key == "zak" && configuration.links[1].mac == nil)
        let overrides = configuration.settings.overrides
        #expect(overrides.count == 9)
        #expect(
            overrides.contains {
                $0 == ("links.acquirer-a.zonePINKey", "ISSUER_LINKS_ACQUIRER_A_ZONE_PIN_KEY")
            })
    }

    @Test(
        "What names no key is named with the nearest valid name",
        arguments: [
            ("ISSUER_LINKS_ACQUIRER_A_ZONE_PINKEY", "ISSUER_LINKS_ACQUIRER_A_ZONE_PIN_KEY"),
            ("ISSUER_LINKS_ACQUIRER_A_SIGNON_REQUIRED", "ISSUER_LINKS_ACQUIRER_A_SIGN_ON_REQUIRED"),
            ("ISSUER_LINKS_ACQUIRER_C_PORT", "ISSUER_LINKS_ACQUIRER_A_PORT"),
            ("ISSUER_LINKS_SWITCHB_PORT", "ISSUER_LINKS_SWITCH_B_PORT"),
            (
                "ISSUER_ISSUERS_VISA_476174_LIMITS_TRANSACTION_MAX",
                "ISSUER_ISSUERS_VISA_476173_LIMITS_TRANSACTION_MAX"
            ),
            ("ISSUER_ADMIN_PROT", "ISSUER_ADMIN_PORT"),
            ("ISSUER_ADMIN", "ISSUER_ADMIN_HOST"),
            ("issuer_admin_port", "ISSUER_ADMIN_PORT"),
            ("ISSUER_Admin_Port", "ISSUER_ADMIN_PORT"),
            ("ISSUER_TOKEN_PINS", "ISSUER_TOKEN_PIN"),
            ("ISSUER_PROFILES", "ISSUER_PROFILE"),
        ])
    func unknown(variable: String, nearest: String) {
        let text = fault([variable: "1"])
        #expect(
            text.contains("\(variable): names no key") && text.contains("the nearest is \(nearest) "),
            "\(text)")
    }

    @Test(
        "What does not convert is named with variable, key and what it has to be",
        arguments: [
            (
                "ISSUER_ISSUERS_VISA_476173_LIMITS_TRANSACTION_MAX", "400.00",
                "transactionMax has to be a whole number"
            ),
            ("ISSUER_ISSUERS_VISA_476173_LIMITS_TRANSACTION_MAX", "-1", "(minor units)"),
            ("ISSUER_ISSUERS_VISA_476173_LIMITS_TRANSACTION_MAX", "50_000", "transactionMax has to be"),
            ("ISSUER_ISSUERS_VISA_476173_LIMITS_TRANSACTION_MAX", "0x100", "transactionMax has to be"),
            (
                "ISSUER_ISSUERS_VISA_476173_LIMITS_TRANSACTION_MAX", "99999999999999999999",
                "transactionMax has to be"
            ),
            ("ISSUER_ISSUERS_VISA_476173_LIMITS_ROLLING_DAYS", "32", "from 1 to 31"),
            (
                "ISSUER_LINKS_SWITCH_B_SIGN_ON_REQUIRED", "ture",
                "links.switchB.signOnRequired has to be true or false"
            ),
            ("ISSUER_LINKS_SWITCH_B_SIGN_ON_REQUIRED", "0", "true or false"),
            ("ISSUER_LINKS_SWITCH_B_SIGN_ON_REQUIRED", "True", "true or false"),
            ("ISSUER_LINKS_SWITCH_B_SIGN_ON_REQUIRED", "", "is empty"),
            ("ISSUER_ADMIN_PORT", "x", "admin.port has to be a whole number from 1 to 65535"),
            ("ISSUER_ADMIN_PORT", "0", "from 1 to 65535"),
            ("ISSUER_ADMIN_PORT", "99999", "from 1 to 65535"),
            ("ISSUER_ADMIN_PORT", " 9583", "from 1 to 65535"),
            ("ISSUER_ADMIN_PORT", "09583", "from 1 to 65535"),
            ("ISSUER_ADMIN_PORT", "", "is empty"),
            ("ISSUER_LINKS_ACQUIRER_A_ANSWER_TIMEOUT_MILLISECONDS", "5s", "(milliseconds)"),
            ("ISSUER_LINKS_ACQUIRER_A_ECHO_AFTER_SECONDS", "0", "(seconds)"),
            ("ISSUER_LINKS_ACQUIRER_A_ALLOWED_PEERS", "10.0.0.1,,10.0.0.2", "has an empty item"),
            ("ISSUER_LINKS_ACQUIRER_A_ALLOWED_PEERS", "10.0.0.1,", "has an empty item"),
            ("ISSUER_LINKS_ACQUIRER_A_ALLOWED_PEERS", "", "is empty"),
            ("ISSUER_LINKS_ACQUIRER_A_FRAMING", "2BE", "2be, 2be-incl, 4ascii, 4ascii-incl"),
            ("ISSUER_LINKS_ACQUIRER_A_DIALECT", " ", "is blank"),
            ("ISSUER_LINKS_ACQUIRER_A_DIALECT", "a\nb", "holds a control character"),
            ("ISSUER_PROFILE", "Production", "demo or production"),
            ("ISSUER_LOG_LEVEL", "loud", "notice"),
            ("ISSUER_TOKEN_PIN", "", "is empty"),
        ])
    func wrongValue(variable: String, value: String, words: String) {
        let text = fault([variable: value])
        #expect(text.contains("\(variable): ") && text.contains(words), "\(text)")
        // A value may be a secret in the wrong variable.
        #expect(value.count < 4 || !text.contains("\(value)\n") && !text.hasSuffix(value), "\(text)")
    }

    @Test("A section that the environment begins has to be whole")
    func incompleteSections() {
        for (variable, missing) in [
            ("ISSUER_LINKS_ACQUIRER_A_TLS_CERTIFICATE_FILE", "links.acquirer-a.tls.privateKeyFile"),
            ("ISSUER_LINKS_ACQUIRER_A_MAC_ALGORITHM", "links.acquirer-a.mac.key"),
            (
                "ISSUER_ISSUERS_VISA_476173_NON_CHIP_FALLBACK",
                "issuers.visa-476173.nonChip.cardVerificationKey"
            ),
        ] {
            let value =
                variable.hasSuffix("FALLBACK") ? "true" : variable.hasSuffix("ALGORITHM") ? "aes-cmac" : "x"
            #expect(fault([variable: value]).contains("\(missing) is missing"), "\(fault([variable: value]))")
        }
    }

    @Test("All variables at fault are named at once")
    func several() {
        let text = fault(["ISSUER_ADMIN_PORT": "x", "ISSUER_NOTHING": "1", "ISSUER_PROFILE": "toy"])
        #expect(text.split(separator: "\n").count == 3)
    }

    @Test("Names that would share variables are refused")
    func sharedVariables() {
        for (name, other) in [
            ("acquirer_a", "acquirer-a"), ("acquirerA", "acquirer-a"), ("ACQUIRER.a", "acquirer-a"),
        ] {
            let text = fault([:], Self.file.replacingOccurrences(of: "switchB", with: name))
            #expect(text.contains("links.\(other).") && text.contains("links.\(name)."), "\(text)")
            #expect(text.contains("would share the variable ISSUER_LINKS_ACQUIRER_A_"))
        }
        let ranges = Self.file.replacingOccurrences(
            of: "links:",
            with: "  visa_476173: {prefix: '4', issuerMasterKey: i, profiles: [visa-cvn18]}\nlinks:")
        #expect(
            fault([:], ranges).contains(
                "issuers.visa-476173.prefix and issuers.visa_476173.prefix would share"))
    }

    @Test("The token's PIN has one source")
    func tokenPIN() {
        let text = Self.file.replacingOccurrences(
            of: "  module: module.so", with: "  module: m\n  pinFile: pin")
        #expect(
            fault(["ISSUER_TOKEN_PIN": "x"], text).contains("token.pinFile and the variable ISSUER_TOKEN_PIN")
        )
        #expect(fault([:], text) == "accepted")
    }

    @Test("What only a restart can change is known by its row")
    func restart() throws {
        let before = try load([:]).settings
        #expect(
            try load(["ISSUER_ADMIN_PORT": "9583"]).settings.firstKeyThatNeedsARestart(since: before)
                == "admin.port")
        #expect(
            try load(["ISSUER_AUDIT_LOG": "a.log"]).settings.firstKeyThatNeedsARestart(since: before)
                == "audit.log")
        #expect(
            try load(["ISSUER_ADMIN_HOST": "127.0.0.1"]).settings.firstKeyThatNeedsARestart(since: before)
                == nil)
        #expect(
            try load(["ISSUER_LINKS_SWITCH_B_PORT": "8590"]).settings.firstKeyThatNeedsARestart(since: before)
                == nil)
    }
}
