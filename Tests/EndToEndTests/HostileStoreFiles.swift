import Foundation
import Testing

/// Work on the files behind a token, which needs no PIN at all.
extension HostileStore {
    // MARK: - NSS: a database

    /// Runs SQL on the key database.
    func sql(_ text: String) throws { try tool(["sqlite3", place("token/key4.db"), text]) }

    /// Text as the database has it.
    static func blob(_ text: String) -> String {
        "X'\(text.utf8.map { String(format: "%02X", $0) }.joined())'"
    }

    /// Sets one attribute of a key, by its number.
    func set(_ attribute: Int, of label: String, to hex: String) throws {
        try sql(
            "UPDATE nssPrivate SET a\(String(attribute, radix: 16)) = X'\(hex)' WHERE a3 = \(Self.blob(label));"
        )
    }

    /// Exchanges one attribute of two keys.
    func exchange(_ attribute: Int, of one: String, and other: String) throws {
        let column = "a\(String(attribute, radix: 16))"
        let (first, second) = (Self.blob(one), Self.blob(other))
        try sql(
            """
            CREATE TEMP TABLE t AS SELECT id, a3 AS label, \(column) AS v FROM nssPrivate WHERE a3 IN (\(first), \(second));
            UPDATE nssPrivate SET \(column) = (SELECT v FROM t WHERE t.id != nssPrivate.id)
            WHERE id IN (SELECT id FROM t);
            """)
    }

    /// NSS's tool for certificates.
    func certutil(_ arguments: String...) throws {
        try tool(["certutil"] + arguments + ["-d", "sql:\(place("token"))", "-f", place("token.pin")])
    }

    // MARK: - SoftHSM2: a file for each object

    /// Makes a key with the product, and says which file it is in.
    func fileOfNewKey(_ label: String) throws -> URL {
        let before = try objectFiles()
        let (status, output) = try keys("generate", label)
        guard status == 0, let file = try objectFiles().subtracting(before).first else {
            throw DemoEnvironment.Failure(description: output)
        }
        return file
    }

    private func objectFiles() throws -> Set<URL> {
        let folder = URL(fileURLWithPath: place("token"))
        let tokens = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return Set(
            try tokens.flatMap {
                try FileManager.default.contentsOfDirectory(at: $0, includingPropertiesForKeys: nil)
            }.filter { $0.pathExtension == "object" })
    }

    /// Writes over an attribute in an object's file: a generation of eight bytes, then for each attribute its number, its kind
    /// (1 a byte, 2 a number of eight, 3 bytes behind their count) and its value.
    func edit(_ file: URL, _ attribute: UInt64, to value: [UInt8]) throws {
        var bytes = [UInt8](try Data(contentsOf: file))
        func number(_ place: Int) -> UInt64 { bytes[place..<place + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        var place = 8
        while place + 16 < bytes.count {
            let (type, kind) = (number(place), number(place + 8))
            let start = place + 16 + (kind == 3 ? 8 : 0)
            let count = kind == 1 ? 1 : kind == 2 ? 8 : Int(number(place + 16))
            if type == attribute {
                try #require(count == value.count)
                bytes.replaceSubrange(start..<start + count, with: value)
                return try Data(bytes).write(to: file)
            }
            place = start + count
        }
        throw DemoEnvironment.Failure(description: "no attribute \(attribute) in \(file.path)")
    }

    func softHSMUtility(_ arguments: String...) throws { try tool(["softhsm2-util"] + arguments) }
}

extension HostileAuditTests {
    private static let (yes, no): ([UInt8], [UInt8]) = ([0xFF], [0x00])

    private static func number(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
    }

    /// Changes the lines of a log.
    private static func lines(
        _ store: HostileStore, _ change: (inout [String]) throws -> Void
    ) throws {
        var lines = try store.log
        try change(&lines)
        try store.write(log: lines)
    }

    private static func bytes(_ store: HostileStore, _ change: (Data) -> Data) throws {
        let log = URL(fileURLWithPath: store.place("audit.log"))
        try change(Data(contentsOf: log)).write(to: log)
    }

    /// The log's bytes, and what the token keeps for it.
    static let trailFiles: [Manipulation] = [
        .init("an empty line put between others", "trail-damaged") { try lines($0) { $0.insert("", at: 4) } },
        .init("a blank behind a line", "trail-damaged") { try lines($0) { $0[3] += " " } },
        .init("lines that end as on another system", "trail-damaged") {
            try bytes($0) { Data(String(decoding: $0, as: UTF8.self).replacing("\n", with: "\r\n").utf8) }
        },
        .init("a byte order mark in front", "trail-damaged") {
            try bytes($0) { Data([0xEF, 0xBB, 0xBF]) + $0 }
        },
        .init("zeros behind the end", "trail-damaged") { try bytes($0) { $0 + Data(count: 4_096) } },
        .init("a member said twice", "trail-damaged") {
            try lines($0) { $0[3] = "{\"key\":\"x\"," + $0[3].dropFirst() }
        },
        .init("a character written as its number", "trail-damaged") {
            try lines($0) { $0[3] = $0[3].replacing("\"issuer-keys\"", with: "\"issuer\\u002dkeys\"") }
        },
        .init("the seal in small letters", "trail-damaged") {
            try lines($0) { lines in
                let place = try #require(lines[3].range(of: "\"seal\":\"")).upperBound
                lines[3] = lines[3][..<place] + lines[3][place...].lowercased()
            }
        },
        .init("a remark at the end", "trail-damaged") {
            try lines($0) { $0.append("# looked at, all is well") }
        },
        .init("a number that no counter has", "trail-damaged") {
            try lines($0) {
                $0[3] = $0[3].replacing(/"sequence":\d+/, with: "\"sequence\":99999999999999999999999")
            }
        },
        .init("the whole log a second time", "trail-damaged") { try bytes($0) { $0 + $0 } },
        .init("the log backwards", "trail-damaged") { try lines($0) { $0.reverse() } },
        .init("the first line gone", "trail-damaged") { try lines($0) { $0.removeFirst() } },
        .init("the last line cut in its middle", "trail-damaged") { try bytes($0) { $0.dropLast(40) } },
        .init("a line of very many brackets", "trail-damaged") {
            try lines($0) { $0.append(String(repeating: "[", count: 200_000)) }
        },
        .init("the token's count made unreadable", "trail-damaged") {
            try $0.probe("head", "audit-head", "78")
        },
        .init("the token's count set ahead", "trail-damaged") {
            var head = try $0.probe("headof", "audit-head")
            head.replaceSubrange(
                head.startIndex..<head.index(head.startIndex, offsetBy: 16), with: "0000000000001000")
            try $0.probe("head", "audit-head", head)
        },
        .init("a second count", "trail-damaged") {
            try $0.probe("generic", "audit-head", "x", "3D8C52E96B0F94A71B5E70C3F82A964D", "modifiable")
        },
        .init("a second key of the seals", "trail-damaged") {
            try $0.probe("generic", "audit", "x", "3D8C52E96B0F94A71B5E70C3F82A964D", "sign")
        },
    ]

    /// NSS's database, by SQL.
    static let nssFiles: [Manipulation] = [
        .init("a row's label changed", "key-renamed", "imk-ac-111111") {
            let hex = "imk-ac-111111".utf8.map { String(format: "%02X", $0) }.joined()
            try $0.set(0x3, of: "imk-ac-476173", to: hex)
        },
        .init("two rows' labels exchanged", "key-swapped", "imk-ac-476173") {
            try $0.exchange(0x3, of: "imk-ac-476173", and: "imk-ac-541333")
        },
        .init("two rows' values exchanged", "key-swapped", "imk-ac-541333") {
            try $0.exchange(0x11, of: "imk-ac-476173", and: "imk-ac-541333")
        },
        .init("a row's value spoiled", "key-swapped", "imk-ac-476173") {
            try $0.set(0x11, of: "imk-ac-476173", to: String(repeating: "A5", count: 90))
        },
        .init("a row deleted", "key-missing", "imk-ac-476173") {
            try $0.sql("DELETE FROM nssPrivate WHERE a3 = \(HostileStore.blob("imk-ac-476173"));")
        },
        .init("a row that says it is no object of the token", "key-missing", "imk-ac-476173") {
            try $0.set(0x1, of: "imk-ac-476173", to: "00")
        },
        .init("a row's type changed", "key-swapped", "imk-ac-476173") {
            try $0.set(0x100, of: "imk-ac-476173", to: "00000015")
        },
        .init("a row's class changed", "object-unknown", "imk-ac-476173") {
            try $0.set(0x0, of: "imk-ac-476173", to: "CE534351")
        },
        .init("a row that may be changed", "modifiable", "imk-ac-476173") {
            try $0.set(0x170, of: "imk-ac-476173", to: "01")
        },
        .init("a row that shows its value", "not-sensitive", "imk-ac-476173") {
            try $0.set(0x103, of: "imk-ac-476173", to: "00")
        },
        .init("a row that everybody sees", "not-private", "imk-ac-476173") {
            try $0.set(0x2, of: "imk-ac-476173", to: "00")
        },
        .init("the integrity of the seals' key gone", "trail-damaged") {
            try $0.sql("DELETE FROM metaData WHERE id LIKE 'sig_key%';")
        },
        .init("certutil makes a key and a certificate", "object-unknown", "planted") {
            try Data((0..<256).map { UInt8($0) }).write(to: URL(fileURLWithPath: $0.place("noise")))
            try $0.certutil(
                "-S", "-n", "planted", "-s", "CN=planted", "-x", "-t", "CT,C,C", "-z", $0.place("noise"))
        },
        .init("certutil makes a key pair", "extractable", "") {
            try Data((0..<256).map { UInt8($0) }).write(to: URL(fileURLWithPath: $0.place("noise")))
            try $0.certutil("-G", "-k", "rsa", "-g", "2048", "-z", $0.place("noise"))
        },
    ]

    /// SoftHSM2's files.
    static let softHSMFiles: [Manipulation] = [
        .init("a file that lets its key leave", "extractable", "imk-ac-edited") {
            try $0.edit($0.fileOfNewKey("imk-ac-edited"), 0x162, to: yes)
        },
        .init("a file that shows its key", "not-sensitive", "imk-ac-edited") {
            try $0.edit($0.fileOfNewKey("imk-ac-edited"), 0x103, to: no)
        },
        .init("a file with one right more", "too-powerful", "imk-ac-edited") {
            try $0.edit($0.fileOfNewKey("imk-ac-edited"), 0x104, to: yes)
        },
        .init("a file that may be changed", "modifiable", "imk-ac-edited") {
            try $0.edit($0.fileOfNewKey("imk-ac-edited"), 0x170, to: yes)
        },
        .init("a file that denies where its key was made", "key-attributes-changed", "imk-ac-edited") {
            try $0.edit($0.fileOfNewKey("imk-ac-edited"), 0x163, to: no)
        },
        .init("a file with another type", "key-swapped", "imk-ac-edited") {
            try $0.edit($0.fileOfNewKey("imk-ac-edited"), 0x100, to: number(0x15))
        },
        .init("a file with another class", "object-unknown", "") {
            try $0.edit($0.fileOfNewKey("imk-ac-edited"), 0x0, to: number(0x8000_0001))
        },
        .init("a file that says it is a private half", "key-missing", "imk-ac-edited") {
            try $0.edit($0.fileOfNewKey("imk-ac-edited"), 0x0, to: number(3))
        },
        .init("a file that says it is no object of the token", "key-missing", "imk-ac-edited") {
            try $0.edit($0.fileOfNewKey("imk-ac-edited"), 0x1, to: no)
        },
        .init("a file deleted", "key-missing", "imk-ac-edited") {
            try FileManager.default.removeItem(at: $0.fileOfNewKey("imk-ac-edited"))
        },
        .init("a file a second time", "label-ambiguous", "imk-ac-edited") {
            let file = try $0.fileOfNewKey("imk-ac-edited")
            let other = file.deletingLastPathComponent().appendingPathComponent(
                "deadbeef-0000-0000-0000-000000000000.object")
            try FileManager.default.copyItem(at: file, to: other)
        },
        .init("a file cut in its middle", "key-attributes-changed", "imk-ac-edited") {
            let file = try $0.fileOfNewKey("imk-ac-edited")
            let bytes = try Data(contentsOf: file)
            try bytes.prefix(bytes.count / 2).write(to: file)
        },
        .init("softhsm2-util makes the token anew", "trail-damaged") {
            let pin = try String(contentsOfFile: $0.place("token.pin"), encoding: .utf8)
            try $0.softHSMUtility(
                "--init-token", "--token", "issuer-demo", "--label", "issuer-demo", "--so-pin", pin, "--pin",
                pin,
                "--force")
        },
        .init("softhsm2-util brings a key in", "key-unknown", "issuer-rsa-other") {
            let pin = try String(contentsOfFile: $0.place("token.pin"), encoding: .utf8)
            try $0.tool([
                "openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
                $0.place("other.pem"),
            ])
            try $0.softHSMUtility(
                "--import", $0.place("other.pem"), "--token", "issuer-demo", "--label", "issuer-rsa-other",
                "--id",
                "ab", "--pin", pin)
        },
        .init("pkcs11-tool takes a public half away", "key-missing", "issuer-rsa-hostile") {
            try $0.pkcs11Tool("--delete-object", "--type", "pubkey", "--label", "issuer-rsa-hostile")
        },
    ]
}
