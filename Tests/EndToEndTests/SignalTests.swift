import Foundation
import ISO8583
import SocketSupport
import Testing

/// SIGHUP, as an operator sends it.
@Suite struct SignalTests {
    private let codec = MessageCodec(
        dialect: try! Dialect(
            contentsOf: DemoEnvironment.root.appendingPathComponent("Config/iso8583/ascii87-binbitmap.json")
                .path))

    private func ask(_ socket: Socket, _ mti: MTI, _ stan: String) throws -> String? {
        var message = Message(mti: mti)
        message.set(.transmissionTime, text: "1123120000")
        message.set(.stan, text: stan)
        if mti == .networkManagementRequest {
            message.set(.networkManagementCode, text: "301")
        } else {
            message.set(.pan, text: "4761739001010010")
            message.set(.processingCode, text: "000000")
            message.set(.transactionAmount, text: "000000001000")
            message.set(.retrievalReferenceNumber, text: "000000" + stan)
            message.set(.panSequenceNumber, text: "001")
            message.set(.currency, text: "752")
        }
        socket.sendFrame(try codec.encode(message))
        return try codec.decode(try #require(socket.receiveFrame())).text(.responseCode)
    }

    @Test(
        "SIGHUP goes over to the new file with connections open; a file at fault changes nothing and says why"
    )
    func reload() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let (good, ports) = try environment.configurationBeside()
        let file = environment.directory.appendingPathComponent("reloaded.yaml").path
        func write(_ text: String) throws { try text.write(toFile: file, atomically: true, encoding: .utf8) }
        try write(good)
        let host = try HostProcess(configuration: file)
        defer { host.stop() }
        let socket = try Socket(port: ports[0])
        #expect(try ask(socket, .authorisationRequest, "000001") == "12")

        let line = "    port: \(ports[0])\n"
        #expect(good.contains(line))
        try write(good.replacingOccurrences(of: line, with: line + "    signOnRequierd: true\n"))
        host.reload()
        try host.waitUntil(says: "configuration not reloaded")
        try host.waitUntil(says: "did you mean signOnRequired?")
        #expect(try ask(socket, .authorisationRequest, "000002") == "12")

        try write(good.replacingOccurrences(of: line, with: line + "    partialApproval: always\n"))
        host.reload()
        try host.waitUntil(says: "partialApproval has to be de48-61, de60-12 or never")

        try write(good.replacingOccurrences(of: line, with: line + "    signOnRequired: true\n"))
        host.reload()
        try host.waitUntil(says: "configuration reloaded")
        #expect(try ask(socket, .networkManagementRequest, "000003") == "00")
        #expect(try ask(socket, .authorisationRequest, "000004") == "91")

        try write(good)
        host.reload()
        var code: String?
        for number in 5..<400 where code != "12" {
            code = try ask(socket, .authorisationRequest, "000" + String(1_000 + number).suffix(3))
            if code != "12" { usleep(10_000) }
        }
        #expect(code == "12")
    }
}
