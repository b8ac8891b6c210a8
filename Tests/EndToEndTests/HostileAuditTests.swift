import Foundation
import Testing

/// Somebody with the token's PIN works against the report with other tools. Each manipulation has to be found, and
/// named by finding and key; a clean store has none.
@Suite("A hostile holder of the token's PIN", .serialized)
struct HostileAuditTests {
    struct Manipulation: Sendable {
        let name: String
        /// The finding that has to be among the open ones, with its key.
        let finding: String
        let key: String?
        let act: @Sendable (HostileStore) throws -> Void

        init(
            _ name: String, _ finding: String, _ key: String? = nil,
            _ act: @escaping @Sendable (HostileStore) throws -> Void
        ) {
            (self.name, self.finding, self.key, self.act) = (name, finding, key, act)
        }
    }

    private static let value = "3D8C52E96B0F94A71B5E70C3F82A964D"
    /// Another key with the check value of `imk-ac-476173`, found in two seconds.
    private static let twin = "3D8C52E96B0E94A7F7918304015B5B5B"
    /// Of CN=planted, valid for a hundred years.
    private static let certificate = """
        3082017b30820121a00302010202145ece56f7472b8200f081eff9a223eb19dcd1cef9300a06082a8648ce3d040302301231\
        10300e06035504030c07706c616e7465643020170d3236313132393032323133305a180f3231323631313035303232313330\
        5a30123110300e06035504030c07706c616e7465643059301306072a8648ce3d020106082a8648ce3d03010703420004fac9\
        4acc1614f966f3de0f4c749f0269f98d4ee7b3c0b92123c7c98c35d79bd4ef853e95f96430fdbca034ec9cf75239b451bf22\
        78f80c8054879e0c15b8e0eba3533051301d0603551d0e041604143e37314283bc5995939af68f97161f28706e9a3b301f06\
        03551d230418301680143e37314283bc5995939af68f97161f28706e9a3b300f0603551d130101ff040530030101ff300a06\
        082a8648ce3d0403020348003045022100d7ad4bc2ad3acb41b07b489520c40d1305dc57383f62785ee7e7ea89d522b37302\
        20278c1e6c431b4a8864f6c2d99de2bfe5561aa50e1ff7a413a52856262aefa088
        """
    private static let identity = "generated/20261124T190733Z//imk-ac-planted"

    /// On any token, by the C probe and by an editor.
    private static let anywhere: [Manipulation] = [
        .init("a key of a known value planted", "key-unknown", "imk-ac-planted") {
            try $0.probe("create", "imk-ac-planted", "x", value, "derive")
        },
        .init("a planted key that claims an origin", "key-unnoted", "imk-ac-planted") {
            try $0.probe("create", "imk-ac-planted", identity, value, "derive")
        },
        .init("a key that the token made for somebody else", "key-unnoted", "imk-ac-planted") {
            try $0.probe("generate", "imk-ac-planted", identity, "derive")
        },
        .init("a planted key without a purpose", "key-unknown", "backdoor") {
            try $0.probe("create", "backdoor", "x", value, "encrypt,decrypt")
        },
        .init("a planted AES key", "key-unknown", "kbpk-other") {
            try $0.probe("aes", "kbpk-other", "x", value + value, "derive")
        },
        .init("a planted key with a line of its own colour", "key-unknown", "imk-ac-\u{1B}[32mgood") {
            try $0.probe("create", "imk-ac-\u{1B}[32mgood", "x", value, "derive")
        },
        .init("an RSA key pair planted", "key-unknown", "signing") { try $0.probe("rsa", "signing") },
        .init("a key destroyed", "key-missing", "imk-smi-541333") {
            try $0.probe("destroy", "imk-smi-541333")
        },
        .init("a key swapped", "key-swapped", "imk-ac-476173") {
            try $0.probe("destroy", "imk-ac-476173")
            try $0.probe("create", "imk-ac-476173", "x", value, "derive")
        },
        .init("a key swapped that claims the first one's check value", "key-swapped", "imk-ac-476173") {
            try $0.probe("destroy", "imk-ac-476173")
            try $0.probe(
                "create", "imk-ac-476173", "test/20261124T190733Z/08D7B4/imk-ac-476173", value, "derive")
        },
        .init("two keys that changed places", "key-swapped", "zak-acquirer-b") {
            try $0.probe("destroy", "zak-acquirer-b")
            try $0.probe("create", "zak-acquirer-b", "x", value, "sign")
        },
        .init("a second key with the same label", "label-ambiguous", "imk-ac-476173") {
            try $0.probe("create", "imk-ac-476173", "y", value, "derive")
        },
        .init("a right more, the value being known", "key-attributes-changed", "imk-ac-541333") {
            try again($0, "imk-ac-541333", "derive,encrypt")
        },
        .init("a key that may be changed later", "modifiable", "imk-ac-541333") {
            try again($0, "imk-ac-541333", "derive,modifiable")
        },
        .init("a key that may leave", "extractable", "imk-ac-541333") {
            try again($0, "imk-ac-541333", "derive,extractable")
        },
        .init("another origin claimed", "origin-contradicted", "imk-ac-541333") {
            try again(
                $0, "imk-ac-541333", "derive", identity: "ceremony/20261124T190733Z/%/imk-ac-541333")
        },
        .init("a key swapped for one that gives no check value", "key-swapped", "imk-ac-476173") {
            try $0.probe("destroy", "imk-ac-476173")
            try $0.probe("generic", "imk-ac-476173", "x", value, "derive")
        },
        .init("a key swapped for one of another kind", "key-swapped", "imk-smc-541333") {
            try $0.probe("destroy", "imk-smc-541333")
            try $0.probe("aes", "imk-smc-541333", "x", value, "derive")
        },
        .init("an HMAC key planted", "key-unknown", "hmac-other") {
            try $0.probe("generic", "hmac-other", "x", value, "sign,verify")
        },
        .init("a single-DES key planted", "key-unknown", "old-des") {
            try $0.probe("des", "old-des", "x", "0123456789ABCDEF", "encrypt,decrypt")
        },
        .init("a key without a name planted", "key-unknown", "") {
            try $0.probe("create", "", "x", value, "encrypt,decrypt")
        },
        .init("a key with an endless name planted", "key-unknown", String(repeating: "n", count: 16_384)) {
            try $0.probe("create", String(repeating: "n", count: 30_000), "x", value, "encrypt,decrypt")
        },
        .init("a key pair on a curve planted", "key-unknown", "curve") { try $0.probe("ec", "curve") },
        .init("a name that looks like another", "key-unknown", "imk-ac-476173 ") {
            try $0.probe("create", "imk-ac-476173 ", "x", value, "derive")
        },
        .init("the seals of two lines exchanged", "trail-damaged") {
            var lines = try $0.log
            let seal = #/"seal":"[^"]*"/#
            let found = try [3, 5].map { number in
                String(try #require(lines[number].firstMatch(of: seal)).output)
            }
            lines[3].replace(seal, with: found[1])
            lines[5].replace(seal, with: found[0])
            try $0.write(log: lines)
        },
        .init("a line of the log repeated", "trail-damaged") {
            var lines = try $0.log
            lines.append(lines[lines.count - 1])
            try $0.write(log: lines)
        },
        .init("a line of the log changed", "trail-damaged") {
            try $0.write(
                log: $0.log.map { $0.replacingOccurrences(of: "\"imk-ac-476173\"", with: "\"imk-ac-1\"") })
        },
        .init("a line of the log dropped", "trail-damaged") {
            var lines = try $0.log
            lines.remove(at: 4)
            try $0.write(log: lines)
        },
        .init("two lines of the log swapped", "trail-damaged") {
            var lines = try $0.log
            lines.swapAt(3, 4)
            try $0.write(log: lines)
        },
        .init("the end of the log cut off", "trail-damaged") { try $0.write(log: $0.log.dropLast(2)) },
        .init("the log deleted", "trail-damaged") {
            try FileManager.default.removeItem(atPath: $0.place("audit.log"))
        },
        .init("the log emptied and the token's count set back", "trail-damaged") {
            try $0.write(log: [])
            try $0.probe("head", "audit-head", String(repeating: "00", count: 40))
        },
        .init("the count set back with the log, a key made since", "key-unnoted", "cvk-made-since") {
            let (head, lines) = (try $0.probe("headof", "audit-head"), try $0.log)
            try $0.keys("generate", "cvk-made-since")
            try $0.probe("head", "audit-head", head)
            try $0.write(log: lines)
        },
        .init("the store put back to before a key was made", "key-missing", "cvk-made-since") {
            try $0.keys("generate", "cvk-made-since")
            try $0.restore(["token"])
        },
        .init("a key swapped for another of the same check value", "key-swapped", "imk-ac-476173") {
            try $0.probe("twin", "imk-ac-476173", twin, "derive")
        },
        .init("the same key with another CKA_ID", "key-attributes-changed", "imk-ac-541333") {
            try again($0, "imk-ac-541333", "derive")
        },
        .init("a public half with another exponent", "key-swapped", "issuer-rsa-hostile") {
            try $0.probe("public", "issuer-rsa-hostile", "05")
        },
        .init("a private half on a curve swapped", "key-swapped", "acs-sign-hostile") {
            try $0.probe("swap-ec", "acs-sign-hostile")
        },
        .init("a private half of RSA swapped", "key-swapped", "issuer-rsa-hostile") {
            try $0.probe("swap-rsa", "issuer-rsa-hostile")
        },
        .init("a private half that nothing is there to try by", "key-unverified", "acs-sign-hostile") {
            try $0.probe("destroy-public", "acs-sign-hostile")
        },
        .init("a key on a curve swapped for one of RSA", "key-swapped", "acs-sign-hostile") {
            try $0.probe("swap-rsa", "acs-sign-hostile")
        },
        .init("an issuer's key pair ended", "key-missing", "issuer-rsa-hostile") {
            try $0.probe("destroy", "issuer-rsa-hostile")
            try $0.probe("destroy", "issuer-rsa-hostile")
        },
        .init("a certificate planted", "object-unknown", "planted") {
            try $0.probe("certificate", "planted", certificate)
        },
        .init("the trail's count made a key that derives", "too-powerful", "audit-head") {
            let head = try $0.probe("headof", "audit-head")
            try $0.probe("destroy", "audit-head")
            try $0.probe("generic", "audit-head", "x", value, "derive,modifiable")
            try $0.probe("head", "audit-head", head)
        },
        .init("the middle of the log cut out", "trail-damaged") {
            let lines = try $0.log
            try $0.write(log: Array(lines.prefix(3) + lines.suffix(3)))
        },
        .init("the log of another store", "trail-damaged") {
            try $0.write(log: $0.other().log)
        },
        .init("a checkpoint of another store", "trail-damaged") {
            $0.against = try $0.other().checkpoint("stranger.checkpoint")
        },
        .init("log and token put back together", "trail-damaged") {
            try $0.keys("generate", "cvk-made-since")
            let checkpoint = try $0.checkpoint("own.checkpoint")
            try $0.restore()
            $0.against = checkpoint
        },
        .init("another store in place of this one", "trail-damaged") {
            let checkpoint = try $0.checkpoint("own.checkpoint")
            let other = try $0.other()
            for name in ["token", "audit.log", "token.pin"] {
                try FileManager.default.removeItem(atPath: $0.place(name))
                try FileManager.default.copyItem(atPath: other.place(name), toPath: $0.place(name))
            }
            $0.against = checkpoint
        },
        .init("a planted key explained by a trail begun anew", "trail-contradictory", "imk-ac-planted") {
            try $0.probe("create", "imk-ac-planted", "x", value, "derive")
            try $0.forge("trail-begun", "imk-ac-planted")
        },
        .init("log, seal key and count all gone", "trail-damaged") {
            try FileManager.default.removeItem(atPath: $0.place("audit.log"))
            try $0.probe("destroy", "audit")
            try $0.probe("destroy", "audit-head")
        },
    ]

    /// NSS's own tool, and what NSS lets be done.
    private static let nss: [Manipulation] = [
        .init("symkeyutil makes a key", "key-unknown", "from-symkeyutil") {
            try $0.symkeyutil("-K", "-n", "from-symkeyutil", "-t", "des3")
        },
        .init("symkeyutil deletes a key", "key-missing", "cvk-541333") {
            try $0.symkeyutil("-D", "-n", "cvk-541333")
        },
        .init("a key copied under another name", "key-copied", "imk-ac-copy") {
            try $0.probe("copy", "imk-ac-476173", "imk-ac-copy", "derive")
        },
        .init(
            "a key copied with more rights and the first one ended", "key-attributes-changed", "imk-ac-639999"
        ) {
            try $0.probe("copy", "imk-ac-639999", "imk-ac-wide", "derive,encrypt,extractable")
            try $0.probe("destroy", "imk-ac-639999")
            try $0.probe("copy", "imk-ac-wide", "imk-ac-639999", "derive,encrypt,extractable")
            try $0.probe("destroy", "imk-ac-wide")
        },
        .init("a key copied as if to be exported", "key-copied", "transfer-imk-ac-476173") {
            try $0.probe("copy", "imk-ac-476173", "transfer-imk-ac-476173", "derive,extractable")
        },
        .init("a key copied over itself with another CKA_ID", "key-attributes-changed", "imk-ac-639999") {
            try $0.probe("reid", "imk-ac-639999", "test/20261124T190733Z/47D38C/imk-ac-639999", "derive")
        },
        .init("a key put back after it was retired", "key-unknown", "cvk-ended") {
            try $0.keys("generate", "cvk-ended")
            try $0.probe("copy", "cvk-ended", "cvk-kept", "encrypt")
            try $0.keys("retire", "cvk-ended", "--yes", "--without-cards")
            try $0.probe("rename", "cvk-kept", "cvk-ended")
        },
        .init("a key renamed", "key-renamed", "imk-ac-777777") {
            try $0.probe("rename", "imk-ac-476173", "imk-ac-777777")
        },
    ]

    /// OpenSC's tool.
    private static let softHSM: [Manipulation] = [
        .init("pkcs11-tool makes a key", "key-unknown", "from-pkcs11-tool") {
            try $0.pkcs11Tool("--keygen", "--key-type", "aes:16", "--label", "from-pkcs11-tool")
        },
        .init("pkcs11-tool deletes a key", "key-missing", "cvk-541333") {
            try $0.pkcs11Tool("--delete-object", "--type", "secrkey", "--label", "cvk-541333")
        },
        .init("a private half that claims another's modulus", "key-swapped", "issuer-rsa-hostile") {
            try $0.probe("private", "issuer-rsa-hostile")
        },
        .init("data planted", "object-unknown", "notes") { try $0.probe("data", "notes", "00112233") },
        .init("pkcs11-tool makes a key pair", "key-unknown", "pair") {
            try $0.pkcs11Tool("--keypairgen", "--key-type", "rsa:2048", "--label", "pair")
        },
    ]

    /// The same value anew, which everybody has of a demo key, with other rights.
    private static func again(
        _ store: HostileStore, _ label: String, _ usage: String, identity: String = "x"
    ) throws {
        struct Demo: Decodable {
            struct Key: Decodable { let value, kcv: String }
            let keys: [String: Key]
        }
        let path = DemoEnvironment.root.appendingPathComponent("Config/demo/demo-issuer.json")
        let demo = try JSONDecoder().decode(Demo.self, from: Data(contentsOf: path))
        let key = try #require(demo.keys[label])
        try store.probe("destroy", label)
        try store.probe(
            "create", label, identity.replacingOccurrences(of: "%", with: key.kcv), key.value, usage)
    }

    @Test(
        "Every manipulation is found and named; a clean store has no finding", arguments: ["nss", "softhsm2"])
    func suite(token: String) throws {
        let store = try HostileStore(token)
        defer { store.stop() }
        let clean = try store.audit()
        #expect(clean.status == 0 && clean.open.isEmpty, "\(clean.output)")
        let manipulations =
            Self.anywhere + Self.trailFiles
            + (token == "nss" ? Self.nss + Self.nssFiles : Self.softHSM + Self.softHSMFiles)
        #expect(manipulations.count >= 24)
        for manipulation in manipulations {
            try store.restore()
            do { try manipulation.act(store) } catch {
                Issue.record("\(manipulation.name): \(error)")
                continue
            }
            let (status, open, output) = try store.audit()
            #expect(status == 1, "\(manipulation.name): \(output.suffix(400))")
            #expect(
                open.contains {
                    $0.kind == manipulation.finding && $0.key == manipulation.key && $0.causedBy == "store"
                }, "\(manipulation.name): \(open.map { "\($0.kind) \($0.key ?? "")" })")
            #expect(!output.contains("\u{1B}"), "\(manipulation.name): a label reached the terminal as it is")
        }
        try store.restore()
        if token == "nss" {
            // Nothing is done to a key that could not be noted, and the error says for which key's sake.
            try store.set(0x11, of: "audit", to: String(repeating: "A5", count: 90))
            let refused = try store.keys("generate", "zpk-unnoted")
            #expect(refused.status == 1 && refused.output.contains("key audit cannot be used"), "\(refused)")
            try store.restore()
        }
        let after = try store.audit()
        #expect(after.status == 0 && after.open.isEmpty, "\(after.output)")
    }
}
