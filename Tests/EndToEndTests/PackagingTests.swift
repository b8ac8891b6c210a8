import Foundation
import Testing

/// What operators install, tried on a machine of its own that is thrown away.
@Suite struct PackagingTests {
    @Test("Debian packages: installed, upgraded, removed, purged; no toolchain needed, no key deleted")
    func packages() throws {
        let (status, output) = try script("package-life.sh", [DemoEnvironment.binaryFolder])
        #expect(status == 0, "\(output)")
        #expect(output.split(separator: "\n").filter { $0.hasPrefix("ok: ") }.count > 20)
    }

    @Test("The container image: built from nothing, its own user, decides, reloads, ends in order")
    func container() throws {
        let (status, output) = try script("container-life.sh", [DemoEnvironment.binaryFolder])
        #expect(status == 0, "\(output)")
        #expect(output.split(separator: "\n").filter { $0.hasPrefix("ok: ") }.count >= 9, "\(output)")
    }

    @Test("A stranger's walk: getting-started block by block, two hosts behind Sentinel, alarms, a restore")
    func walk() throws {
        let (status, output) = try script("walk.sh", [DemoEnvironment.binaryFolder])
        #expect(status == 0 && output.contains("the walk is done"), "\(output)")
    }

    private func script(_ name: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        let said = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments =
            [DemoEnvironment.root.appendingPathComponent("Tests/Packaging/\(name)").path] + arguments
        process.standardOutput = said
        process.standardError = said
        try DemoEnvironment.start(process)
        let data = said.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
