import EMV
import FaultProxy
import FoundationEssentials
import ISO8583
import NIOCore
import NIOPosix
import Testing
import VirtualCard

@testable import LoadGenerator

@Suite("Load run", .serialized)
struct LoadRunTests {
    private let issuer: DemoIssuer
    private let template: LoadLink

    init() throws {
        issuer = try DemoIssuer(contentsOf: Bench.path("Config/demo/demo-issuer.json"))
        template = try Bench.link("ascii87-binbitmap", port: 0, issuer)
    }

    private func perform(
        _ profile: LoadProfile, against misbehaviour: EchoServer.Misbehaviour
    ) async throws -> LoadResult {
        let server = try await EchoServer(template, issuer: issuer, port: 0, misbehaviour: misbehaviour)
        let link = try Bench.link("ascii87-binbitmap", port: server.port, issuer)
        let result = try await LoadRun(profile, issuer: issuer, links: [link]).perform()
        try await server.stop()
        return result
    }

    private func profile(_ load: LoadProfile.Stage.Load, seconds: Double) -> LoadProfile {
        LoadProfile(
            name: "test", cards: 500, connections: 3,
            stages: [.init(name: "only", role: .saturation, seconds: seconds, load: load)])
    }

    @Test("a server that behaves gives no fault, whatever is computed beforehand", arguments: [false, true])
    func behaves(precompute: Bool) async throws {
        var profile = profile(.closed(outstanding: 4), seconds: 0.5)
        profile.mix = [.purchase: 3, .purchaseWithoutPIN: 1]
        profile.precompute = precompute
        let result = try await perform(profile, against: .none)
        #expect(result.answersChecked > 100)
        #expect(result.answersMismatched == 0)
        #expect(result.answersLost == 0)
        #expect(result.stages[0].sent == result.answersChecked)
        #expect(result.stages[0].answersByCode == ["00": result.answersChecked])
    }

    @Test("where a link has no PINs, none is wrong")
    func noPINs() async throws {
        let server = try await EchoServer(template, issuer: issuer, port: 0)
        let link = LoadLink(
            name: "bare", host: "127.0.0.1", port: server.port, codec: template.codec,
            framing: template.framing, zonePINKey: nil)
        var profile = profile(.closed(outstanding: 2), seconds: 0.3)
        profile.mix = [.wrongPIN: 1]
        let result = try await LoadRun(profile, issuer: issuer, links: [link]).perform()
        try await server.stop()
        #expect(result.answersChecked > 10 && result.answersMismatched == 0)
        #expect(result.stages[0].answersByCode == ["00": result.answersChecked])
    }

    @Test("a link of format 4 gets sixteen bytes under its AES key, others in each request")
    func format4() throws {
        let key = [UInt8](0..<16)
        var link = try Bench.link("ascii87-hexbitmap", port: 1, issuer)
        link.aesPINKey = key
        let population = try Population(
            LoadProfile(name: "test", cards: 10, connections: 1, stages: []), issuer: issuer)
        let builder = try RequestBuilder(link, products: population.products)
        let card = population.cards[3]
        let pin = try #require(Population.pin(of: 3))
        var blocks: Set<String> = []
        for sequence in 1...3 as ClosedRange<UInt64> {
            let message = try builder.message(
                product: Int(card.product), identity: card.chip.identity, amount: 100, chipData: [1, 2, 3],
                pin: pin, sequence: sequence, blockPlace: 3)
            let text = try #require(message.text(DataElement(rawValue: 110)!))
            blocks.insert(text)
            let block = EncipheredPINBlock16(rawValue: try #require(UInt128(text, radix: 16)))
            let isRight = try PINBlockReader.pin(in: block, pan: card.chip.identity.pan, key: key) == pin
            #expect(isRight && text.count == 32)
        }
        #expect(blocks.count == 3)
    }

    @Test("a stall of a second is in the percentiles of an open load: nothing is omitted")
    func stall() async throws {
        let profile = profile(.open(.constant(500), .fixed), seconds: 4)
        let result = try await perform(profile, against: .stall(afterAnswers: 500, seconds: 1))
        let latency = result.stages[0].latencyMilliseconds
        // A quarter of the requests was meant for the stalled second: they waited from 0 to 1 s, evenly.
        #expect(latency.p99 > 800)
        #expect(latency.max > 950)
        #expect(latency.p50 < latency.p99 / 2)
        let curve = result.stages[0].curve
        #expect(curve.first { $0.percentile == 90 }.map { $0.milliseconds > 300 } == true)
        #expect(result.stages[0].sent >= 1_998)
        #expect(result.answersLost == 0)
        #expect(result.answersMismatched == 0)
    }

    @Test("a proxy that holds answers for a second is in the percentiles, and nothing is lost")
    func heldByProxy() async throws {
        let server = try await EchoServer(template, issuer: issuer, port: 0)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let proxy = try await FaultProxy(to: .tcp(host: "127.0.0.1", port: server.port), on: group.next())
        let link = try Bench.link("ascii87-binbitmap", port: proxy.port, issuer)
        let profile = profile(.open(.constant(500), .poisson), seconds: 8)
        async let running = LoadRun(profile, issuer: issuer, links: [link]).perform()
        // Counted from the first bytes: computing the cards before takes its time.
        for _ in 0..<6_000 where try await proxy.counts().bytesToTarget == 0 {
            try await Task.sleep(for: .milliseconds(5))
        }
        try await Task.sleep(for: .seconds(1))
        try await proxy.hold(for: .seconds(1), [.toClient])
        let result = try await running
        try await proxy.stop()
        try await server.stop()
        try await group.shutdownGracefully()
        let latency = result.stages[0].latencyMilliseconds
        #expect(latency.p99 > 800 && latency.max > 900 && latency.p50 < latency.p99 / 2)
        #expect(result.answersLost == 0 && result.answersMismatched == 0)
    }

    @Test("answers with exchanged trace numbers are found, counted and described without a PAN")
    func crossed() async throws {
        let profile = profile(.closed(outstanding: 8), seconds: 0.5)
        let result = try await perform(profile, against: .swap(every: 50))
        #expect(result.answersMismatched >= 2)
        #expect(result.answersMismatched.isMultiple(of: 2))
        #expect(result.answersMismatched < result.answersChecked / 10)
        let described = result.stages[0].faults
        #expect(!described.isEmpty)
        #expect(described.allSatisfy { $0.contains("is not that of the request") })
        let masked = described.allSatisfy { words in
            !words.split(whereSeparator: { !$0.isNumber }).contains { $0.count > 12 }
        }
        #expect(masked)
    }

    @Test("approvals where declines are due are faults")
    func predictions() async throws {
        var profile = profile(.closed(outstanding: 2), seconds: 0.3)
        profile.mix = [.wrongCryptogram: 1, .purchase: 9]
        let result = try await perform(profile, against: .none)
        #expect(result.answersMismatched > 0)
        #expect(result.stages[0].faults.allSatisfy { $0.hasSuffix("DE39 00, expected 88") })
    }

    @Test("a connection that breaks loses its requests and comes back")
    func hangUp() async throws {
        let profile = profile(.closed(outstanding: 4), seconds: 0.6)
        let result = try await perform(profile, against: .hangUp(every: 200))
        #expect(result.stages[0].reconnects > 0)
        #expect(result.answersLost > 0)
        #expect(result.answersMismatched == 0)
        #expect(result.answersChecked > 400)
    }

    @Test("where it may, it sends the requests of a broken connection again as repeats, and loses none")
    func repeatsUnanswered() async throws {
        var profile = profile(.closed(outstanding: 4), seconds: 0.6)
        profile.repeatsUnanswered = true
        let result = try await perform(profile, against: .hangUp(every: 200))
        #expect((result.stages[0].repeated ?? 0) > 0)
        #expect(result.answersLost == 0)
        #expect(result.answersMismatched == 0)
        #expect(result.stages[0].sent == result.answersChecked)
    }

    @Test("a connection that breaks under an open load loses what it had, is noticed at once and comes back")
    func hangUpWhileAsked() async throws {
        let profile = profile(.open(.constant(1_000), .poisson), seconds: 1)
        let result = try await perform(profile, against: .hangUp(every: 200))
        #expect(result.stages[0].reconnects > 0)
        #expect(result.answersMismatched == 0 && result.requestsUnsent == 0)
        #expect(result.answersChecked + result.answersLost == result.stages[0].sent)
        #expect(result.stages[0].faults.allSatisfy { $0.hasSuffix("connection closed") })
        #expect(result.answersChecked > 400)
    }

    @Test(
        "connections may come and go without losing a request",
        arguments: [LoadProfile.Stage.Load.closed(outstanding: 4), .open(.constant(500), .poisson)])
    func renewal(load: LoadProfile.Stage.Load) async throws {
        var profile = profile(load, seconds: 1)
        profile.reconnectSeconds = 0.1
        let result = try await perform(profile, against: .none)
        #expect(result.stages[0].reconnects >= 5)
        #expect(result.answersLost == 0)
        #expect(result.answersMismatched == 0)
    }

    @Test("a repeat has to bring the first answer again")
    func repeats() async throws {
        var profile = profile(.closed(outstanding: 2), seconds: 0.3)
        profile.mix = [.purchase: 4, .repeat: 1]
        // The stand-in gives every answer a new approval code: wrong for a repeat.
        let result = try await perform(profile, against: .none)
        #expect(result.answersMismatched > 0)
        let right = result.stages[0].faults.allSatisfy {
            $0.contains("repeat") && $0.hasSuffix("DE38 is not that of the first answer")
        }
        #expect(right)
    }

    @Test("an answer to a reversal has to approve nothing")
    func reversals() async throws {
        var profile = profile(.closed(outstanding: 2), seconds: 0.3)
        profile.mix = [.purchase: 4, .reversal: 1]
        // The stand-in approves whatever comes: wrong for a reversal.
        let result = try await perform(profile, against: .none)
        #expect(result.answersMismatched > 0)
        let right = result.stages[0].faults.allSatisfy {
            $0.contains("reversal") && $0.hasSuffix("DE38 in an answer that approves nothing")
        }
        #expect(right)
    }

    @Test("the second stage runs at its part of the first one's throughput")
    func fraction() async throws {
        var profile = profile(.closed(outstanding: 1), seconds: 0.5)
        profile.stages.append(
            .init(name: "half", role: .half, seconds: 0.5, load: .fraction(0.5, .fixed)))
        let result = try await perform(profile, against: .none)
        let found = try #require(result.stages[1].offeredPerSecond)
        #expect(abs(found / result.throughputPerSecond - 0.5) < 0.01)
        #expect(result.latencyMilliseconds.p50 == result.stages[1].latencyMilliseconds.p50)
    }

    @Test("the search for the knee ends below a rate that no server holds")
    func knee() async throws {
        let server = try await EchoServer(
            template, issuer: issuer, port: 0, misbehaviour: .stall(afterAnswers: 400, seconds: 0.5))
        let link = try Bench.link("ascii87-binbitmap", port: server.port, issuer)
        let profile = profile(.closed(outstanding: 1), seconds: 1)
        var knee = LoadRun.Knee(start: 200, p99Milliseconds: 200)
        knee.factor = 4
        knee.seconds = 0.4
        let result = try await LoadRun(profile, issuer: issuer, links: [link]).findKnee(knee)
        try await server.stop()
        let found = try #require(result.kneePerSecond)
        // The step of 3,200 a second at the latest meets the stall.
        #expect(found >= 200 && found < 3_200)
        #expect(result.stages.count >= 4)
    }

    @Test("the result has the keys that others read, and a page of its own")
    func keys() async throws {
        let result = try await perform(profile(.closed(outstanding: 1), seconds: 0.2), against: .none)
        let json = try result.json()
        let object = try JSONDecoder().decode(Keys.self, from: Data(json))
        #expect(object.throughputPerSecond > 0)
        #expect(object.latencyMilliseconds.p999 >= object.latencyMilliseconds.p50)
        #expect(object.answersChecked == result.answersChecked)
        #expect(object.answersMismatched == 0)
        #expect(result.html.contains("<svg") && result.html.contains("</html>"))
        #expect(!result.html.contains("<script") && !result.html.contains("http"))
    }

    /// What scripts take from a result.
    private struct Keys: Decodable {
        struct Latency: Decodable { let p50: Double, p99: Double, p999: Double }
        let throughputPerSecond: Double
        let latencyMilliseconds: Latency
        let answersChecked: Int
        let answersMismatched: Int
    }
}
