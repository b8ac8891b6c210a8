import Foundation
import Testing

/// The host against a switch made of other people's libraries: pyiso8583 for the messages, pyemv and psec for what is
/// in them. `Tests/Interoperability/client.py` is that switch.
@Suite(.timeLimit(.minutes(5))) struct InteroperabilityTests {
    @Test(
        "pyiso8583 in four dialects: network messages, all profiles, PINs, repeats, reversals, advices, faults"
    )
    func fourDialects() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        // The same issuer with two more dialects, one behind another framing.
        let (beside, ports) = try environment.configurationBeside()
        var text = beside.replacingOccurrences(
            of: "dialect: ascii87-binbitmap\n    framing: 2be",
            with: "dialect: ascii87-hexbitmap\n    framing: 4ascii")
        text = text.replacingOccurrences(of: "dialect: bcd87-rightF", with: "dialect: ebcdic87")
        // These dialects have no place for a format 4 block.
        text = text.split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.contains("pin: {format") }.joined(separator: "\n")
        let path = environment.directory.appendingPathComponent("other-dialects.yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let other = try HostProcess(configuration: path)
        defer { other.stop() }

        let links = [
            "ascii87-binbitmap:2be:zpk-acquirer-a:\(environment.portA)",
            "bcd87-rightF:2be:zpk-acquirer-b:\(environment.portB)",
            "ascii87-hexbitmap:4ascii:zpk-acquirer-a:\(ports[0])",
            "ebcdic87:2be:zpk-acquirer-b:\(ports[1])",
        ]
        let output = try client(links)
        let lines = output.split(separator: "\n")
        #expect(lines.last == "failed: 0", "\(lines.filter { !$0.hasPrefix("ok ") }.joined(separator: "\n"))")
        for link in links {
            let name = link.prefix { $0 != ":" }
            #expect(lines.filter { $0.hasPrefix("ok \(name) ") }.count == 72, "\(name)")
        }
    }

    /// What the client prints, on whatever its Python says.
    private func client(_ links: [String]) throws -> String {
        let root = DemoEnvironment.root.path
        let python = try run(["bash", "\(root)/Tests/Interoperability/python.sh"])
        let path = python.split(separator: "\n").last.map(String.init) ?? ""
        return try run(
            [
                path, "-W", "ignore", "\(root)/Tests/Interoperability/client.py",
                "\(root)/Config/demo/demo-issuer.json", "\(root)/Tests/Vectors/iso8583-specs.json",
            ] + links)
    }

    private func run(_ command: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = output
        process.standardError = output
        try DemoEnvironment.start(process)
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
