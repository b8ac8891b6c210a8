import Foundation
import Testing

/// Tokens of other makers, as Debian has them: what `issuer-host check --token` says of each has to follow from what its
/// functions do when they are called without the product.
@Suite("Other people's tokens", .serialized)
struct ForeignTokenTests {
    enum Token: String, CaseIterable { case opencryptoki, tpm2, p11Kit = "p11-kit" }

    /// Operation, and the bare functions that it stands on. That known values come in is needed for every known answer.
    private static let standsOn: [String: [String]] = [
        "keys made in the token": ["make"], "known values into the token": ["create"],
        "check values out of it": ["create", "derive"], "ARQC and ARPC": ["create", "derive"],
        "card token (AES-CMAC)": ["create", "cmac"], "AES card keys": ["create", "aes-derive", "cmac"],
        "PIN translation ZPK to PVK": ["create", "translate"],
        "PIN block faults": ["create", "translate", "extract"],
        "PIN verification values (PVV)": ["create", "translate", "extract"],
        "key material put together (key blocks, ceremonies)": ["create", "xor", "join", "extract"],
        "seals of the audit trail (HMAC-SHA-256)": ["hmac"], "issuer's RSA key and signatures": ["rsa"],
        "issuer scripts": ["create", "derive"], "authentication values (HMAC)": ["create", "hmac"],
        "MAC aes-cmac": ["create", "cmac"],
    ]

    @Test("Each verdict of the table is that of the bare functions", arguments: Token.allCases)
    func verdicts(token: Token) throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("token-\(UInt32.random(in: .min ... .max))").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let configuration = "\(folder)/issuer-host.yaml"
        try Self.configuration(folder).write(toFile: configuration, atomically: true, encoding: .utf8)
        let host = DemoEnvironment.executable("issuer-host")
        let probe = DemoEnvironment.executable("hostile-probe")
        let (status, output) = try run(
            token, folder,
            """
            export ISSUER_TOKEN_MODULE=$TOKEN_MODULE ISSUER_TOKEN_URI=$TOKEN_URI ISSUER_TOKEN_PIN=$TOKEN_PIN
            echo TABLE; '\(host)' check --token --config '\(configuration)'
            echo BARE; '\(probe)' "$TOKEN_MODULE" "$TOKEN_PIN" - bare
            echo END
            """)
        #expect(status == 0, "\(output)")
        let lines = output.split(separator: "\n").map(String.init)
        let table = try #require(lines.firstIndex(of: "TABLE"))
        let bare = try #require(lines.firstIndex(of: "BARE"), "\(output)")
        var codes: [String: Bool] = [:]
        for line in lines[bare...] {
            let words = line.split(separator: " ").map(String.init)
            if words.count == 2 { codes[words[0]] = words[1] == "0x0" }
        }
        #expect(codes.count >= 11, "\(output)")
        for (operation, functions) in Self.standsOn {
            let row = try #require(
                lines[table..<bare].first { $0.contains("  \(operation)  ") }, "\(operation)")
            let expected = functions.allSatisfy { codes[$0] == true }
            #expect(row.hasPrefix("yes") == expected, "\(operation), \(functions): \(row)")
            // A refusal names the function that refused.
            #expect(expected || row.contains("C_") || row.contains("the token"), "\(row)")
        }
    }

    /// The demo's, of a token that the environment names.
    private static func configuration(_ folder: String) throws -> String {
        let path = DemoEnvironment.root.appendingPathComponent("Config/demo/issuer-host.yaml")
        let text = try String(contentsOf: path, encoding: .utf8)
        let root = DemoEnvironment.root.path
        return text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
            !["  initArguments:", "  pinFile:", "  functionList:"].contains { line.hasPrefix($0) }
        }.joined(separator: "\n")
            .replacing(#/(?m)^dialects: .*$/#, with: "dialects: \(root)/Config/iso8583")
    }

    private func run(
        _ token: Token, _ folder: String, _ script: String
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "timeout", "120", "bash", "\(DemoEnvironment.root.path)/Tests/Interoperability/tokens.sh",
            token.rawValue,
            "\(folder)/token", "bash", "-c", script,
        ]
        return try DemoEnvironment.result(of: process)
    }
}
