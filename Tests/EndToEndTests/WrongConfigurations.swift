import Foundation

/// A change that makes a good configuration wrong, and what has to be said of it.
struct WrongConfiguration: CustomStringConvertible, Sendable {
    /// What is written in the good file, and what stands there instead; empty: the file is as it was.
    var written = ""
    var wrong = ""
    /// Variables of the environment.
    var variables: [String: String] = [:]
    /// The key at fault, as messages write it.
    let key: String
    /// What tells what to do: the bounds, the choices, the nearest name, the way out.
    let remedy: String
    /// The text at whose line the fault is; nil: that of `wrong`. Empty: the fault has no line (token, store).
    var line: String?

    var description: String {
        variables.isEmpty
            ? "\(written) -> \(wrong)" : variables.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }

    static func file(
        _ written: String, _ wrong: String, _ key: String, _ remedy: String, line: String? = nil
    ) -> WrongConfiguration {
        WrongConfiguration(written: written, wrong: wrong, key: key, remedy: remedy, line: line)
    }

    static func variable(_ name: String, _ value: String, _ key: String, _ remedy: String)
        -> WrongConfiguration
    {
        WrongConfiguration(variables: [name: value], key: key, remedy: remedy)
    }
}

/// The table. Every row is tried on `check` and on `serve`.
enum WrongConfigurations {
    static let all = form + general + links + security + issuers + machinery + environment

    static let form: [WrongConfiguration] = [
        .file("profile: demo", "profile: test", "profile", "demo or production"),
        .file("redis:", "reddis:", "reddis", "did you mean redis?"),
        .file(
            "    zonePINKey: zpk-a", "    zonePinKey: zpk-a", "links.a.zonePinKey", "did you mean zonePINKey?"
        ),
        .file(
            "    port: PORT_A\n", "    port: PORT_A\n    port: 1\n", "port", "is there twice",
            line: "    port: 1\n"),
        .file("    port: PORT_A\n", "", "links.a.port", "ISSUER_LINKS_A_PORT", line: "  a:\n"),
        .file("    port: PORT_A\n", "    port:\n", "links.a.port", "whole number from 1 to 65535"),
        .file("    port: PORT_A\n", "    port: many\n", "links.a.port", "whole number from 1 to 65535"),
        .file("    port: PORT_A\n", "    port: 0\n", "links.a.port", "from 1 to 65535"),
        .file("    port: PORT_A\n", "    port: 65536\n", "links.a.port", "from 1 to 65535"),
        .file("    port: PORT_A\n", "    port: 99999\n", "links.a.port", "from 1 to 65535"),
        .file("    port: PORT_A\n", "    port: 08583\n", "links.a.port", "from 1 to 65535"),
        .file(
            """
                tls:
                  certificateFile: tls/host.pem
                  privateKeyFile: tls/host.key
                  trustedFile: tls/ca.pem
                  minimumVersion: '1.2'
            """, "    tls: {}", "links.s.tls", "give it keys or take it out"),
        .file("signOn: false", "signOn: ture", "links.a.signOn", "true or false"),
        .file("  workers: 1", "\tworkers: 1", "", "is no YAML"),
        .file("  b:\n", "  A:\n", "links.A.role", "rename one of them", line: ""),
        .file("  b:\n", "  'b c':\n", "links", "letters, digits"),
    ]

    static let general: [WrongConfiguration] = [
        .file("level: notice", "level: loud", "log.level", "notice, warning"),
        .file("format: text", "format: xml", "log.format", "text or json"),
        .file("eventLoops: 1", "eventLoops: 0", "server.eventLoops", "from 1 to 256"),
        .file("  port: PORT_ADMIN", "  port: PORT_A", "admin.port", "another port"),
        .file("    port: PORT_B", "    port: PORT_A", "links.b.port", "another port"),
        .file(
            "    host: 127.0.0.2\n    port: PORT_S", "    host: 0.0.0.0\n    port: PORT_A", "links.s.port",
            "another port", line: "    port: PORT_A\n    dialect"),
        .file(
            "    host: 127.0.0.2", "    host: 192.0.2.1", "links.s", "cannot listen on 192.0.2.1", line: ""),
        .file(
            "    host: 127.0.0.2", "    host: no-such-host.invalid", "links.s.host",
            "no address of this machine"),
        .file(
            "audit:\n  log: audit.log", "#", "audit.log", "production profile needs an audit trail", line: ""),
    ]

    static let links: [WrongConfiguration] = [
        .file("dialect: ascii87-binbitmap", "dialect: nowhere", "links.a.dialect", "nowhere"),
        .file(
            "dialect: ascii87-binbitmap", "dialect: jpos-iso93-ebcdic-55", "links.a.dialect",
            "no message type"),
        .file("dialect: ascii87-binbitmap", "dialect: digits-39", "links.a.dialect", "cannot carry DE39 1A"),
        .file("dialect: ascii87-binbitmap", "dialect: short-38", "links.a.dialect", "approval code (DE38)"),
        .file("dialect: ascii87-binbitmap", "dialect: short-54", "links.a.dialect", "amounts (DE4, DE54)"),
        .file("dialect: ascii87-binbitmap", "dialect: short-55", "links.a.dialect", "(DE55)"),
        .file("framing: 2be", "framing: 3be", "links.a.framing", "2be, 2be-incl, 4ascii, 4ascii-incl"),
        .file("tpduBytes: 0", "tpduBytes: 65", "links.a.tpduBytes", "from 0 to 64"),
        .file("role: server", "role: both", "links.a.role", "server or client"),
        .file("inFlightMax: 256", "inFlightMax: 0", "links.a.inFlightMax", "from 1 to"),
        .file(
            "allowedPeers: [127.0.0.0/8]", "allowedPeers: [127.0.0.0/40]", "links.a.allowedPeers",
            "address or network"),
        .file("partialApproval: never", "partialApproval: maybe", "links.a.partialApproval", "never"),
        .file("format: 0", "format: 2", "links.a.pin.format", "0, 1, 3 or 4"),
        .file("formatCodes: ['01:0']", "formatCodes: ['1:0']", "links.a.pin.formatCodes", "as 01:0"),
        .file(
            "formatCodes: ['01:0']", "formatCodes: ['04:4']", "links.a.pin.aesKey",
            "needs an AES zone PIN key", line: "    pin:\n      format"),
    ]

    static let security: [WrongConfiguration] = [
        .file("padding: 1", "padding: 4", "links.s.mac.padding", "from 1 to 3"),
        .file(
            "      key: zak-acquirer-b\n", "", "links.s.mac.key", "ISSUER_LINKS_S_MAC_KEY", line: "    mac:\n"
        ),
        .file("algorithm: iso9797-3", "algorithm: hmac", "links.s.mac.algorithm", "iso9797-1"),
        .file("tls/host.pem", "tls/nowhere.pem", "links.s.tls.certificateFile", "No such file"),
        .file(
            "tls/host.pem\n      privateKeyFile: tls/host.key",
            "tls/expired.pem\n      privateKeyFile: tls/expired.key", "links.s.tls.certificateFile",
            "renew it"),
        .file(
            "tls/host.pem", "tls/terminal.pem", "links.s.tls", "certificateFile and privateKeyFile", line: ""),
        .file("tls/host.key", "open.key", "links.s.tls.privateKeyFile", "chmod 600"),
        .file("tls/ca.pem", "token.pin", "links.s.tls.trustedFile", "token.pin"),
        .file(
            "      trustedFile: tls/ca.pem\n",
            "      trustedFile: tls/ca.pem\n      revokedFile: tls/no.crl\n",
            "links.s.tls.revokedFile", "No such file", line: "      revokedFile"),
        .file(
            "      trustedFile: tls/ca.pem\n",
            "      trustedFile: tls/ca.pem\n      revokedFile: tls/ca.pem\n",
            "links.s.tls.revokedFile", "only X509 CRL belongs here", line: "      revokedFile"),
        .file(
            "      trustedFile: tls/ca.pem\n",
            "      trustedFile: tls/ca.pem\n      revokedGraceHours: 2\n",
            "links.s.tls.revokedGraceHours", "needs revokedFile", line: "      revokedGraceHours"),
        .file(
            "      trustedFile: tls/ca.pem\n",
            "      trustedFile: tls/ca.pem\n      revokedFile: tls/ca.crl\n      revokedGraceHours: 721\n",
            "links.s.tls.revokedGraceHours", "from 0 to 720", line: "      revokedGraceHours"),
        .file("minimumVersion: '1.2'", "minimumVersion: '1.1'", "links.s.tls.minimumVersion", "1.2 or 1.3"),
    ]

    static let issuers: [WrongConfiguration] = [
        .file("prefix: '476173'", "prefix: 47617A", "issuers.visa.prefix", "1 to 12 digits"),
        .file(
            "prefix: '476173'", "prefix: '541333'", "issuers.mc.prefix", "another range",
            line: "    prefix: '541333'\n    issuerMasterKey: imk-ac-5"),
        .file("profiles: [visa-cvn10]", "profiles: [visa-cvn99]", "issuers.visa.profiles", "visa-cvn10"),
        .file("profiles: [visa-cvn10]", "profiles: []", "issuers.visa.profiles", "at least one"),
        .file("masterKeyOption: A", "masterKeyOption: D", "issuers.visa.masterKeyOption", "A, B or C"),
        .file("masterKeyOption: A", "masterKeyOption: C", "issuers.visa", "for AES cards", line: ""),
        .file("masterKeyOption: A", "sessionKeyTree: 8,4,0", "issuers.visa.sessionKeyTree", "refused"),
        .file(
            "verification: reference", "verification: ibm3624", "issuers.visa.pin.verification", "no token"),
        .file(
            "    issuerMasterKey: imk-ac-476173\n", "", "issuers.visa.issuerMasterKey",
            "ISSUER_ISSUERS_VISA_ISSUER_MASTER_KEY", line: "  visa:\n"),
        .file("imk-ac-476173", "imk-ac-000000", "imk-ac-000000", "key", line: ""),
        .file("currency: '752'", "currency: '000'", "issuers.visa.limits.currency", "ISO 4217"),
        .file(
            "      currency: '752'\n", "", "issuers.visa.limits.currency", "is missing", line: "    limits:"),
        .file(
            "transactionMax: 50000", "transactionMax: 400.00", "issuers.visa.limits.transactionMax",
            "whole number"),
        .file("rollingDays: 7", "rollingDays: 32", "issuers.visa.limits.rollingDays", "from 1 to 31"),
        .file(
            "blockedCountries: ['408']", "blockedCountries: ['40']", "issuers.visa.limits.blockedCountries",
            "3 digits"),
        .file(
            "      cardVerificationKey: cvk-476173\n", "", "issuers.visa.nonChip.cardVerificationKey",
            "is missing", line: "    nonChip:"),
        .file(
            "fallback: true", "stripeValueOffset: 14", "issuers.visa.nonChip.stripeValueOffset",
            "from 0 to 13"),
        .file("declineOnTVR: [dda-failed]", "declineOnTVR: [dda]", "issuers.visa.declineOnTVR", "dda-failed"),
    ]

    static let machinery: [WrongConfiguration] = [
        .file("pinFile: token.pin", "pinFile: nowhere.pin", "token.pinFile", "No such file"),
        .file("pinFile: token.pin", "pinFile: open.key", "token.pinFile", "chmod 600"),
        .file("module: MODULE", "module: /nowhere/module.so", "token.module", "No such file"),
        .file("Certificate%20DB", "Other%20DB", "token", "no token", line: ""),
        .file("workers: 1", "workers: 257", "token.workers", "from 1 to 256"),
        .file(
            "  unixSocket: redis.sock", "  unixSocket: redis.sock\n  cluster: ['127.0.0.1:7000']", "redis",
            "exclude each other", line: ""),
        .file("  unixSocket: redis.sock", "  sentinelMaster: m", "redis", "belong together", line: ""),
        .file("log: audit.log", "log: nowhere/audit.log", "audit", "nowhere/audit.log", line: ""),
    ]

    static let environment: [WrongConfiguration] = [
        .variable("ISSUER_REDIS_PORT", "6379", "redis.port", "exclude each other"),
        .variable(
            "ISSUER_LINKS_S_TLS_SERVER_NAME", "switch.example", "links.s.tls.serverName", "for client links"),
        .variable("ISSUER_LINKS_A_ROLE", "client", "links.a.allowedPeers", "for server links"),
        .variable(
            "ISSUER_ISSUERS_VISA_LIMITS_TRANSACTION_MAX", "400.00", "issuers.visa.limits.transactionMax",
            "whole number"),
        .variable("ISSUER_LINKS_A_SIGN_ON_REQUIRED", "ture", "links.a.signOnRequired", "true or false"),
        .variable("ISSUER_ADMIN_PORT", "x", "admin.port", "from 1 to 65535"),
        .variable("ISSUER_ADMIN_PORT", "99999", "admin.port", "from 1 to 65535"),
        .variable("ISSUER_ADMIN_PORT", "", "admin.port", "is empty"),
        .variable("ISSUER_ADMIN_PORT", "PORT_A", "admin.port", "another port"),
        .variable("ISSUER_ADMIN_PROT", "1", "admin.port", "ISSUER_ADMIN_PORT"),
        .variable("issuer_admin_port", "1", "admin.port", "ISSUER_ADMIN_PORT"),
        .variable("ISSUER_LINKS_A_ZONE_PINKEY", "zpk-a", "links.a.zonePINKey", "ISSUER_LINKS_A_ZONE_PIN_KEY"),
        .variable("ISSUER_LINKS_C_PORT", "1", "links.a.port", "ISSUER_LINKS_A_PORT"),
        .variable("ISSUER_DEMO_DIR", "/nowhere", "demo.issuer", "unset the variable"),
        .variable(
            "ISSUER_LINKS_A_ANSWER_TIMEOUT_MILLISECONDS", "5s", "links.a.answerTimeoutMilliseconds",
            "milliseconds"),
        .variable(
            "ISSUER_LINKS_A_ALLOWED_PEERS", "127.0.0.1,,10.0.0.1", "links.a.allowedPeers", "empty item"),
        .variable("ISSUER_LINKS_A_DIALECT", "jpos-iso93-ebcdic-55", "links.a.dialect", "no message type"),
        .variable(
            "ISSUER_LINKS_A_TLS_TRUSTED_FILE", "tls/ca.pem", "links.a.tls.certificateFile", "is missing"),
        .variable("ISSUER_LOG_LEVEL", "loud", "log.level", "notice"),
        .variable("ISSUER_TOKEN_PIN", "4711", "token.pinFile", "exclude each other"),
        .variable("ISSUER_TOKEN_PIN_FILE", "nowhere.pin", "token.pinFile", "No such file"),
        .variable("ISSUER_ISSUERS_MC_LIMITS_DAILY_COUNT", "3", "issuers.mc.limits.currency", "is missing"),
    ]

    /// Good, in every part; `PORT_…` and `MODULE` are filled in.
    static let good = """
        profile: demo
        dialects: dialects
        token:
          module: MODULE
          initArguments: "configdir='sql:DIRECTORY/token' certPrefix='' keyPrefix='' secmod='' flags="
          uri: "pkcs11:token=NSS%20Certificate%20DB"
          pinFile: token.pin
          workers: 1
        keys:
          panHash: pan-hash
          pinVerification: pvk
        redis:
          unixSocket: redis.sock
        issuers:
          visa:
            prefix: '476173'
            issuerMasterKey: imk-ac-476173
            masterKeyOption: A
            profiles: [visa-cvn10]
            declineOnTVR: [dda-failed]
            pin:
              verification: reference
            nonChip:
              cardVerificationKey: cvk-476173
              fallback: true
            limits:
              currency: '752'
              transactionMax: 50000
              rollingDays: 7
              blockedCountries: ['408']
          mc:
            prefix: '541333'
            issuerMasterKey: imk-ac-541333
            profiles: [mc-cvn10h]
        links:
          a:
            host: 127.0.0.1
            port: PORT_A
            role: server
            dialect: ascii87-binbitmap
            framing: 2be
            tpduBytes: 0
            zonePINKey: zpk-acquirer-a
            partialApproval: never
            inFlightMax: 256
            signOn: false
            signOnRequired: true
            allowedPeers: [127.0.0.0/8]
            pin:
              format: 0
              formatCodes: ['01:0']
          b:
            port: PORT_B
            dialect: bcd87-rightF
          s:
            host: 127.0.0.2
            port: PORT_S
            dialect: ascii87-hexbitmap
            mac:
              key: zak-acquirer-b
              algorithm: iso9797-3
              padding: 1
            tls:
              certificateFile: tls/host.pem
              privateKeyFile: tls/host.key
              trustedFile: tls/ca.pem
              minimumVersion: '1.2'
        audit:
          log: audit.log
        admin:
          port: PORT_ADMIN
        server:
          eventLoops: 1
        log:
          level: notice
          format: text
        """
}
