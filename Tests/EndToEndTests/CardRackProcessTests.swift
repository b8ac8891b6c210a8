import Foundation
import SocketSupport
import Testing

/// `card-rack` as a program.
@Suite struct CardRackProcessTests {
    @Test(
        "Without free file descriptors connections wait, the processor does not turn, and readers come back")
    func outOfDescriptors() throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = [
            "-c", "ulimit -n 24; exec \"$0\" \"$@\"", DemoEnvironment.executable("card-rack"), "--cards",
            "100",
            "--listen", "127.0.0.1:0", "--issuer",
            DemoEnvironment.root.appendingPathComponent("Config/demo/demo-issuer.json").path,
        ]
        process.standardOutput = output
        try DemoEnvironment.start(process)
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        var said = ""
        while !said.contains("\n") {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { throw DemoEnvironment.Failure(description: "no rack: \(said)") }
            said += String(decoding: data, as: UTF8.self)
        }
        let port = try #require(UInt16(said.split(separator: "\n")[0].split(separator: ":").last ?? ""))
        var readers = try (0..<60).map { _ in try Socket(port: port) }
        // The last descriptor has to be taken, or this shows nothing.
        func isFull() throws -> Bool {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.processIdentifier)/fd")
                .contains("23")
        }
        for _ in 0..<100 where try !isFull() { usleep(20_000) }
        #expect(try isFull())
        let before = try ticks(process.processIdentifier)
        usleep(1_000_000)
        let spent = try ticks(process.processIdentifier) - before
        #expect(spent < 20)
        #expect(readers.count == 60)
        readers = []
        let reader = try Socket(port: port)
        reader.send([0x00, 0x01, 0x04])
        let length = try #require(reader.receive(2))
        #expect(Int(length[0]) << 8 | Int(length[1]) > 0)
    }
}

/// Processor time that a process has had, a hundred to the second.
func ticks(_ process: Int32) throws -> Int {
    let text = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
    // The name may have spaces in it; it stands in brackets.
    let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
    return try #require(Int(fields[11])) + #require(Int(fields[12]))
}
