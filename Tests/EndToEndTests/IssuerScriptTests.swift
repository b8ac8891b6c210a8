import EMV
import Foundation
import ISO8583
import TerminalSimulator
import SocketSupport
import Testing
import VirtualCard

/// Issuer scripts from the operator's order to the card's report: real host, token and store, and a card that
/// computes with libcrypto.
@Suite("Issuer scripts", .serialized)
struct IssuerScriptTests {
    private let codec: MessageCodec
    private let issuer: DemoIssuer

    init() throws {
        func place(_ path: String) -> String { DemoEnvironment.root.appendingPathComponent(path).path }
        codec = MessageCodec(dialect: try Dialect(contentsOf: place("Config/iso8583/ascii87-binbitmap.json")))
        issuer = try DemoIssuer(contentsOf: place("Config/demo/demo-issuer.json"))
    }

    /// One terminal with one card in it.
    private struct Bench {
        let environment: DemoEnvironment
        let socket: Socket
        let codec: MessageCodec
        let zonePINKey: [UInt8]
        var card: VirtualCard
        var terminal = Terminal()
        var last: (request: Message, answer: CardAnswer)?

        mutating func purchase(_ pin: String? = nil) throws -> Message {
            let entry = pin.flatMap { PIN($0) }.map(PINEntry.typed) ?? .none
            let request = try terminal.request(
                Purchase(amount: 100, pin: entry), card: &card, zonePINKey: zonePINKey, dialect: codec.dialect
            )
            last = (request.message, request.cardAnswer)
            return try send(request.message)
        }

        func send(_ message: Message) throws -> Message {
            socket.sendFrame(try codec.encode(message))
            return try codec.decode(try #require(socket.receiveFrame()))
        }

        /// Hands the scripts of an answer to the card.
        mutating func perform(_ answer: Message) throws -> [UInt16] {
            let first = try #require(last)
            let commands = try IssuerScripts.commands(in: chipData(answer))
            return try card.perform(commands, for: first.answer).map(\.status)
        }

        func order(_ arguments: [String]) throws -> (status: Int32, output: String) {
            let identity = card.definition.identity
            let pan = (0..<identity.pan.digitCount).map { String(identity.pan.digit(at: $0)) }.joined()
            return try DemoEnvironment.run(
                "issuer-host",
                ["cards", "script", pan, "--psn", "\(identity.panSequenceNumber?.rawValue ?? 0)"] + arguments
                    + ["--config", environment.configuration])
        }
    }

    private func bench(_ name: String, _ environment: DemoEnvironment) throws -> Bench {
        Bench(
            environment: environment, socket: try Socket(port: environment.portA), codec: codec,
            zonePINKey: try issuer.key("zpk-acquirer-a"), card: try VirtualCard(issuer, card: name))
    }

    @Test("PIN change, PIN unblock, block and unblock, put data: once each, with the card's report")
    func scripts() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        var mastercard = try bench("mchip-10h", environment)
        try pinChange(&mastercard)
        var common = try bench("ccd-19-digits", environment)
        try blockAndUnblock(&common)
        var visa = try bench("visa-cvn18", environment)
        try putDataAndPINUnblock(&visa)
        try refusals(&visa)
    }

    private func pinChange(_ bench: inout Bench) throws {
        let block = try bench.card.pinBlock(PIN("918273"), zonePINKey: bench.zonePINKey)
        let hex = String(block.rawValue, radix: 16)
        let ordered = try bench.order([
            "pin-change", "--pin-block", String(repeating: "0", count: 16 - hex.count) + hex, "--zone-key",
            "zpk-acquirer-a", "--reason", "test",
        ])
        #expect(ordered.status == 0 && ordered.output.contains("script 1 queued"), "\(ordered.output)")
        // The old PIN is right until the card has the new one.
        let answer = try bench.purchase("0000")
        #expect(answer.text(.responseCode) == "00")
        // The answer got lost: the repeat brings the same bytes.
        let again = try bench.send(try #require(bench.last).request)
        #expect(again.bytes(.iccData) == answer.bytes(.iccData))
        #expect(try bench.perform(answer) == [0x9000])
        #expect(bench.card.scriptMemory.pin == PIN("918273"))
        // The report and the first use of the new PIN come in one message.
        #expect(try bench.purchase("918273").text(.responseCode) == "00")
        let list = try bench.order(["--list"])
        #expect(list.output.contains("script 1 PIN change: successful, with ATC 1"), "\(list.output)")
        let other = try bench.purchase("0000")
        #expect(other.text(.responseCode) == "55")
        #expect(try IssuerScripts.commands(in: chipData(other)).isEmpty)
    }

    private func blockAndUnblock(_ bench: inout Bench) throws {
        #expect(try bench.order(["application-block", "--reason", "test", "--before"]).status == 0)
        let answer = try bench.purchase()
        #expect(answer.text(.responseCode) == "00")
        let commands = try IssuerScripts.commands(in: chipData(answer))
        #expect(commands.map(\.template) == [.issuerScript1])
        #expect(try bench.perform(answer) == [0x9000])
        #expect(bench.card.scriptMemory.isApplicationBlocked)
        // A blocked application gives AACs: declined, whoever sends them online, and the ATC is used.
        let declined = try bench.purchase()
        #expect(declined.text(.responseCode) == "88")
        #expect(try bench.order(["application-unblock", "--reason", "test"]).status == 0)
        let unblocking = try bench.purchase()
        #expect(unblocking.text(.responseCode) == "88")
        #expect(try bench.perform(unblocking) == [0x9000])
        #expect(try bench.purchase().text(.responseCode) == "00")
        let list = try bench.order(["--list"])
        #expect(list.output.contains("script 1 application block: successful"), "\(list.output)")
        #expect(list.output.contains("script 2 application unblock: successful"), "\(list.output)")
    }

    private func putDataAndPINUnblock(_ bench: inout Bench) throws {
        bench.card.memory.pinTriesLeft = 0
        let orders = [["put-data", "--tag", "9F58", "--data", "0A"], ["pin-unblock"]]
        for order in orders { #expect(try bench.order(order + ["--reason", "test"]).status == 0) }
        // One script a transaction: the second is protected with the next cryptogram.
        #expect(try bench.perform(bench.purchase()) == [0x9000])
        #expect(bench.card.scriptMemory.objects[Tag(rawValue: 0x9F58)] == [0x0A])
        #expect(bench.card.memory.pinTriesLeft == 0)
        // Tampered on its way: the card refuses, and says so.
        let answer = try bench.purchase()
        var bytes = chipData(answer)
        bytes[bytes.count - 1] ^= 1
        let first = try #require(bench.last)
        let status = try bench.card.perform(IssuerScripts.commands(in: bytes), for: first.answer).map(
            \.status)
        #expect(status == [0x6988] && bench.card.scriptMemory.hasFailed)
        _ = try bench.purchase()
        #expect(try bench.order(["--list"]).output.contains("script 2 PIN unblock: failed"))
        #expect(try bench.order(["--resend", "2", "--reason", "test"]).status == 0)
        #expect(try bench.perform(bench.purchase()) == [0x9000])
        #expect(bench.card.memory.pinTriesLeft == 3)
    }

    /// What cannot be is refused when it is ordered, in words.
    private func refusals(_ bench: inout Bench) throws {
        let vis = try bench.order([
            "pin-change", "--pin-block", "0123456789ABCDEF", "--zone-key", "zpk-acquirer-a", "--reason",
            "test",
        ])
        #expect(vis.status != 0 && vis.output.contains("VIS PIN block"), "\(vis.output)")
        #expect(try bench.order(["card-block"]).output.contains("--reason"))
        #expect(try bench.order(["card-stop", "--reason", "test"]).output.contains("card-block"))
        #expect(try bench.order(["--withdraw", "9", "--reason", "test"]).status != 0)
    }
}

private func chipData(_ message: Message) -> [UInt8] { message.bytes(.iccData).map(Array.init) ?? [] }
