import Foundation
import SocketSupport
import Testing

/// A call of the token that does not return, on an event loop: the one place where nobody can wait beside it.
@Suite(.serialized) struct HangingTokenTests {
    private func ready(_ environment: DemoEnvironment) throws -> String {
        let socket = try Socket(port: environment.adminPort)
        socket.send(Array("GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8))
        var text: [UInt8] = []
        while let byte = socket.receive(1) { text += byte }
        return String(decoding: text, as: UTF8.self)
    }

    @Test("It is seen while it lasts, and ends the process at the deadline of its request")
    func onTheLoop() throws {
        let control = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-token-\(UInt32.random(in: .min ... .max))")
        try Data("o".utf8).write(to: control)
        defer { try? FileManager.default.removeItem(at: control) }
        let environment = try DemoEnvironment(
            command: ["run"],
            variables: [
                "DEMO_TOKEN_DELAY": "0", "FAULTY_TOKEN_CONTROL": control.path, "DEMO_TOKEN_PLACEMENT": "loop",
                "DEMO_EVENT_LOOPS": "1",
            ])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let purchase = [
            "purchase", "--card", "visa-cvn18", "--amount", "1.00", "--config", environment.configuration,
        ]
        var text = ""
        for _ in 0..<500 where !text.contains("1 of 1 loops serve") {
            text = try ready(environment)
            usleep(10_000)
        }
        #expect(text.contains("1 of 1 loops serve"), "\(text)")
        #expect(try DemoEnvironment.run("terminal-simulator", purchase).output.contains("00 approved"))

        // In place: the token has mapped this very file.
        let file = try FileHandle(forWritingTo: control)
        try file.write(contentsOf: Data("s".utf8))
        try file.close()
        let waiting = Process()
        waiting.executableURL = URL(fileURLWithPath: DemoEnvironment.executable("terminal-simulator"))
        waiting.arguments = purchase
        waiting.standardOutput = FileHandle.nullDevice
        waiting.standardError = FileHandle.nullDevice
        try DemoEnvironment.start(waiting)
        defer { waiting.terminate() }
        var seen = ""
        for _ in 0..<1_000 where !seen.contains("in a call of the token that hangs") {
            seen = (try? ready(environment)) ?? ""
            usleep(2_000)
        }
        #expect(seen.contains("503") && seen.contains("loop 0"), "\(seen)")
        let ended = environment.finish()
        #expect(ended.status == 70, "\(ended.output)")
        #expect(ended.output.contains("a call of the token does not return"))
    }
}
