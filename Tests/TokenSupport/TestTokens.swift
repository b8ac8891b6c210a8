import ByteCoding
import Foundation
package import HSM
import PKCS11

/// Real tokens for tests. NSS and SoftHSM2 can each be initialised once per process, so there is one store of
/// each, made when first needed in a folder of its own.
package enum TestTokens {
    /// A dependency that is not installed: a failure, never a skip.
    package struct Missing: Error, CustomStringConvertible {
        /// What to install.
        package let description: String
    }

    private static let pin = "12345678"

    /// `TEST_NSS=fips`: everything that runs on NSS runs on its FIPS mode, in which it takes no clear keys.
    package static let isStrict = ProcessInfo.processInfo.environment["TEST_NSS"] == "fips"

    /// NSS softoken with a fresh store.
    package static let nss: Result<TokenLocation, any Error> = Result { try makeNSS() }
    /// SoftHSM2 with a fresh token.
    package static let softHSM: Result<TokenLocation, any Error> = Result { try makeSoftHSM() }

    private static func makeNSS() throws -> TokenLocation {
        let folder = try makeFolder("nss")
        let pinFile = folder + "/pin"
        try pin.write(toFile: pinFile, atomically: true, encoding: .utf8)
        try run("certutil", ["-N", "-d", "sql:\(folder)", "-f", pinFile], package: "libnss3-tools")
        let module = try Module(
            path: try library(["libsoftokn3.so", "nss/libsoftokn3.so"], package: "libnss3"),
            initArguments: "configdir='sql:\(folder)' certPrefix='' keyPrefix='' secmod='' flags=",
            functionList: isStrict ? "FC_GetFunctionList" : Module.standardEntry)
        return location(
            module, "pkcs11:token=NSS%20\(isStrict ? "FIPS%20140-2%20" : "")Certificate%20DB")
    }

    private static func makeSoftHSM() throws -> TokenLocation {
        let folder = try makeFolder("softhsm")
        let configuration = folder + "/softhsm2.conf"
        try "directories.tokendir = \(folder)\nobjectstore.backend = file\nlog.level = ERROR\n"
            .write(toFile: configuration, atomically: true, encoding: .utf8)
        setenv("SOFTHSM2_CONF", configuration, 1)
        try run(
            "softhsm2-util",
            ["--init-token", "--free", "--label", "issuer-test", "--so-pin", pin, "--pin", pin],
            package: "softhsm2")
        let module = try Module(
            path: try library(["softhsm/libsofthsm2.so"], package: "softhsm2"), initArguments: nil)
        return location(module, "pkcs11:token=issuer-test")
    }

    private static func location(_ module: Module, _ uri: String) -> TokenLocation {
        TokenLocation(module: module, uri: uri) { SecretBytes(copying: Array(pin.utf8)) }
    }

    private static func makeFolder(_ name: String) throws -> String {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-test-\(name)-\(UInt32.random(in: .min ... .max))").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    private static func library(_ names: [String], package: String) throws -> String {
        #if arch(arm64)
            let triplet = "aarch64-linux-gnu"
        #else
            let triplet = "x86_64-linux-gnu"
        #endif
        for folder in ["/usr/lib/\(triplet)", "/usr/lib64", "/usr/lib"] {
            for name in names where FileManager.default.fileExists(atPath: "\(folder)/\(name)") {
                return "\(folder)/\(name)"
            }
        }
        throw Missing(description: "\(names[0]) not found: install \(package)")
    }

    private static func run(_ command: String, _ arguments: [String], package: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [command] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Missing(description: "\(command) failed (\(process.terminationStatus)): install \(package)")
        }
    }
}
