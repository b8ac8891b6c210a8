import Foundation
import ISO8583
import SocketSupport
import TerminalSimulator
import Testing
import VirtualCard

/// Repeats and reversals as an acquirer sees them that reaches two host instances on one store: real sockets, real
/// token, real Redis, cards that sign.
@Suite struct TwoHostsTests {
    /// When the original comes, as seen from its reversal.
    enum Order: CaseIterable { case before, after, during, never }
    /// What is reversed, and how often.
    enum Extent: CaseIterable { case full, partial, twice }

    @Test("The original before, after, during, never; reversed wholly, in part, twice")
    func reversals() throws {
        let scene = try Scene()
        defer { scene.stop() }
        for order in Order.allCases {
            for extent in Extent.allCases {
                try reverse(scene, order, extent)
            }
        }
    }

    private func reverse(_ scene: Scene, _ order: Order, _ extent: Extent) throws {
        let label = "original \(order), \(extent)"
        let before = try scene.balance()
        let original = try scene.purchase(5_000)
        let completed: UInt64? = extent == .partial ? 2_000 : nil
        var codes: [String?] = []
        switch order {
        case .before:
            #expect(try scene.ask(.first, original).text(.responseCode) == "00", "\(label)")
            codes.append(try scene.ask(.second, scene.reversal(of: original, completed)).text(.responseCode))
        case .after:
            codes.append(try scene.ask(.second, scene.reversal(of: original, completed)).text(.responseCode))
            let late = try scene.ask(.first, original).text(.responseCode)
            #expect(late == (extent == .partial ? "00" : "21"), "\(label): an early reversal wins")
        case .during:
            let reversal = scene.reversal(of: original, completed)
            scene.send(.first, original)
            scene.send(.second, reversal)
            let answers = [try scene.receive(.first), try scene.receive(.second)].map {
                $0.text(.responseCode)
            }
            #expect(["00", "21"].contains(answers[0]), "\(label)")
            codes.append(answers[1])
        case .never:
            codes.append(try scene.ask(.second, scene.reversal(of: original, completed)).text(.responseCode))
        }
        if extent == .twice {
            // Once with numbers of its own, once as a repeat of that, over both hosts.
            let again = scene.reversal(of: original, completed)
            codes.append(try scene.ask(.first, again).text(.responseCode))
            var repeated = again
            repeated.mti = .reversalAdviceRepeat
            codes.append(try scene.ask(.second, repeated).text(.responseCode))
        }
        #expect(codes.allSatisfy { $0 == "00" }, "\(label)")
        let kept: Int64 = extent == .partial && order != .never ? 2_000 : 0
        #expect(try scene.balance() == before - kept, "\(label)")
    }

    @Test("The same transmission over both hosts: one answer, one effect; other content is told apart")
    func repeats() throws {
        let scene = try Scene()
        defer { scene.stop() }
        let before = try scene.balance()
        for number in 1...10 as ClosedRange<Int64> {
            let request = try scene.purchase(100)
            scene.send(.first, request)
            scene.send(.second, request)
            let answers = [try scene.receive(.first), try scene.receive(.second)]
            #expect(answers[0] == answers[1] && answers[0].text(.responseCode) == "00", "in work")
            var repeated = request
            repeated.mti = .authorisationRepeat
            let later = try scene.ask(.second, repeated)
            #expect(later.text(.authorisationCode) == answers[0].text(.authorisationCode))
            #expect(later.bytes(.iccData) == answers[0].bytes(.iccData), "the same ARPC")
            var other = request
            other.set(.transactionAmount, text: "000000000101")
            #expect(try scene.ask(.first, other).text(.responseCode) == "13", "not what the card signed")
            #expect(try scene.balance() == before - 100 * number)
        }
    }

    @Test(
        "Refund, advice, pre-authorisation and completion, cash back, a part, and the journal's word on them")
    func otherKinds() throws {
        let scene = try Scene()
        defer { scene.stop() }
        let start = try scene.balance()
        func code(_ message: Message) throws -> String? { try scene.ask(.first, message).text(.responseCode) }
        #expect(try code(scene.purchase(700) { $0.kind = .refund }) == "00")
        #expect(try scene.balance() == start + 700)

        // An advice with a cryptogram that is not the card's own is booked all the same.
        var advice = try scene.purchase(300) { $0.distortion.chip = .flippedCryptogramBit(0) }
        advice.mti = .financialAdvice
        let answer = try scene.ask(.first, advice)
        #expect(answer.mti == .financialAdviceResponse && answer.text(.responseCode) == "00")
        advice.mti = .financialAdviceRepeat
        #expect(try scene.ask(.second, advice).text(.responseCode) == "00")
        #expect(try scene.balance() == start + 400)
        let told = try scene.explain(advice)
        #expect(told.contains("approved elsewhere") && told.contains("invalid, visa-cvn18"))

        let authorisation = try scene.purchase(1_000) {
            $0.distortion.fields.append((.pointOfServiceConditionCode, "06"))
        }
        #expect(try code(authorisation) == "00")
        var completion = scene.reversal(of: authorisation, nil)
        completion.mti = .financialAdvice
        completion.set(.transactionAmount, text: "000000000600")
        #expect(try scene.ask(.second, completion).text(.responseCode) == "00")
        #expect(try scene.balance() == start - 200)
        #expect(try scene.explain(completion).contains("replaces an earlier approval of 1000"))

        let cashBack = try scene.purchase(900) {
            $0.settings.amountOther = 500
            $0.distortion.fields += [
                (.processingCode, "090000"), (.additionalAmounts, "0040752C000000000500"),
            ]
        }
        #expect(try code(cashBack) == "00")
        let wrong = try scene.purchase(900) {
            $0.settings.amountOther = 500
            $0.distortion.fields += [
                (.processingCode, "090000"), (.additionalAmounts, "0040752C000000000400"),
            ]
        }
        #expect(try code(wrong) == "13", "DE54 is not what the card signed as 9F03")

        let rest = try scene.balance()
        let part = try scene.ask(
            .first,
            scene.purchase(UInt64(rest) + 1) { $0.distortion.fields.append((.additionalData, "R610510000")) })
        #expect(part.text(.responseCode) == "10")
        #expect(part.text(.transactionAmount).flatMap { Int64($0) } == rest)
        #expect(try scene.balance() == 0)
        #expect(try code(scene.purchase(1)) == "51")
        #expect(
            try code(scene.purchase(1) { $0.distortion.fields.append((.processingCode, "400000")) }) == "12")
    }
}

/// Two hosts, one store, one card.
final class Scene {
    enum Host: Int { case first, second }

    let environment: DemoEnvironment
    /// The first host's configuration, and the second's.
    let configurations: [String]
    private let other: HostProcess
    private let sockets: [Socket]
    private let link: Link
    private var card: VirtualCard
    private var terminal = Terminal()

    init() throws {
        environment = try DemoEnvironment(command: ["run"])
        try environment.waitUntilReady()
        let (text, ports) = try environment.configurationBeside()
        let path = environment.directory.appendingPathComponent("second.yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        configurations = [environment.configuration, path]
        other = try HostProcess(configuration: path)
        sockets = [try Socket(port: environment.portA), try Socket(port: ports[0])]
        let bench = try Bench(try SimulatorConfiguration(contentsOf: environment.configuration))
        link = try bench.link(try bench.configuration.link("acquirer-a"))
        card = try bench.card("visa-cvn18")
    }

    func stop() {
        other.stop()
        environment.stop()
    }

    func purchase(_ amount: UInt64, _ change: (inout Purchase) -> Void = { _ in }) throws -> Message {
        var purchase = Purchase(amount: amount, pin: .none)
        change(&purchase)
        return try terminal.request(
            purchase, card: &card, zonePINKey: nil, dialect: link.form.codec.dialect
        ).message
    }

    func reversal(of request: Message, _ completed: UInt64?) -> Message {
        terminal.reversal(
            of: request, answer: nil, mti: .reversalAdvice, completed: completed,
            dialect: link.form.codec.dialect)
    }

    func send(_ host: Host, _ message: Message) {
        guard let bytes = try? link.form.codec.encode(message) else { return }
        sockets[host.rawValue].sendFrame(bytes)
    }

    func receive(_ host: Host) throws -> Message {
        try link.form.codec.decode(try #require(sockets[host.rawValue].receiveFrame()))
    }

    func ask(_ host: Host, _ message: Message) throws -> Message {
        send(host, message)
        return try receive(host)
    }

    /// DE54 of a balance enquiry to the second host.
    func balance() throws -> Int64 {
        let enquiry = try purchase(0) { $0.distortion.fields.append((.processingCode, "310000")) }
        let answer = try ask(.second, enquiry)
        #expect(answer.text(.responseCode) == "00")
        let text = try #require(answer.text(.additionalAmounts))
        #expect(text.count == 20 && text.hasPrefix("0002752"))
        let amount = try #require(Int64(text.suffix(12)))
        return text.dropFirst(7).first == "D" ? -amount : amount
    }

    func explain(_ message: Message) throws -> String {
        let rrn = message.text(.retrievalReferenceNumber) ?? ""
        return try DemoEnvironment.run(
            "issuer-host", ["explain", rrn, "--config", environment.configuration]
        ).output
    }
}
