import Foundation
import Testing

/// Key blocks of somebody else's library (psec) through a token and back.
@Suite("Key blocks of another library")
struct KeyBlockInteroperabilityTests {
    @Test("Blocks of psec keep every field of their header, in versions A to D")
    func roundTrips() throws {
        let environment = try DemoEnvironment(command: ["prepare"])
        defer { environment.stop() }
        let prepared = environment.finish()
        #expect(prepared.status == 0, "\(prepared.output)")
        let folder = DemoEnvironment.root.appendingPathComponent("Tests/Interoperability")
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = [
            "-c", "exec \"$(\"$0/python.sh\")\" -W ignore \"$0/keyblocks.py\" \"$@\"", folder.path,
            DemoEnvironment.executable("issuer-keys"), environment.configuration,
            DemoEnvironment.root.appendingPathComponent("Config/demo/demo-issuer.json").path,
        ]
        process.standardOutput = output
        process.standardError = output
        try DemoEnvironment.start(process)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let faults = text.split(separator: "\n").filter { !$0.hasPrefix("ok ") }
        #expect(
            process.terminationStatus == 0 && faults == ["failed: 0"], "\(faults.joined(separator: "\n"))")
        #expect(text.split(separator: "\n").count { $0.hasPrefix("ok ") } > 45)
    }
}
