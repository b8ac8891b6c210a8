import Foundation
import Testing

/// What an access control server gets of the token, held against programs of other people: psec, Python's hmac, jwcrypto,
/// OpenSSL.
@Suite(.timeLimit(.minutes(5))) struct ThreeDSecureTests {
    @Test("Authentication values and signed contents by command, and keys that came in")
    func commands() throws {
        let environment = try DemoEnvironment(command: ["prepare"])
        defer { environment.stop() }
        let prepared = environment.finish()
        #expect(prepared.status == 0, "\(prepared.output)")
        // A transport key of the test: a real one is imported or comes out of a ceremony.
        let file = environment.directory.appendingPathComponent("transport.json").path
        let value = "00112233445566778899AABBCCDDEEFF102132435465768798A9BACBDCEDFE0F"
        let python = try Self.run([
            "bash", "\(DemoEnvironment.root.path)/Tests/Interoperability/python.sh",
        ]).split(separator: "\n").last.map(String.init)
        let interpreter = try #require(python)
        let checkValue = try Self.run([
            interpreter, "-c",
            "from cryptography.hazmat.primitives.cmac import CMAC; from cryptography.hazmat.primitives.ciphers.algorithms "
                + "import AES; c = CMAC(AES(bytes.fromhex('\(value)'))); c.update(bytes(16)); "
                + "print(c.finalize()[:3].hex().upper())",
        ]).split(separator: "\n").last.map(String.init)
        let kcv = try #require(checkValue)
        let keys =
            "{\"keys\": {}, \"aesKeys\": {\"zmk-acs\": {\"value\": \"\(value)\", \"kcv\": \"\(kcv)\"}}}"
        try keys.write(toFile: file, atomically: true, encoding: .utf8)
        let loaded = try DemoEnvironment.run(
            "issuer-keys", ["load-test-keys", file, "--config", environment.configuration])
        #expect(loaded.status == 0, "\(loaded.output)")
        let output = try Self.run([
            interpreter, "-W", "ignore",
            "\(DemoEnvironment.root.path)/Tests/Interoperability/three_d_secure.py",
            DemoEnvironment.executable("issuer-keys"), environment.configuration,
            "\(DemoEnvironment.root.path)/Config/demo/demo-issuer.json", environment.directory.path,
        ])
        let lines = output.split(separator: "\n")
        #expect(lines.last == "failed: 0", "\(lines.filter { !$0.hasPrefix("ok ") }.joined(separator: "\n"))")
        #expect(lines.count { $0.hasPrefix("ok ") } > 60)
    }

    private static func run(_ arguments: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = output
        try DemoEnvironment.start(process)
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
