import EMV
import FoundationEssentials
import ISO8583
import IssuerMessages
import Testing
import VirtualCard

@testable import LoadGenerator

@Suite("Population")
struct PopulationTests {
    private let issuer: DemoIssuer
    private let profile = LoadProfile(name: "test", cards: 2_000, connections: 1, stages: [])

    init() throws { issuer = try DemoIssuer(contentsOf: Bench.path("Config/demo/demo-issuer.json")) }

    @Test("every card has a number of its own, with a right check digit, and none of the demo's")
    func numbers() throws {
        let population = try Population(profile, issuer: issuer)
        let all = (population.cards + population.unknown).map(\.chip.identity.pan)
        let different = Set(all).count == all.count
        #expect(different)
        let clash = !Set(all).isDisjoint(with: Set(issuer.cards.map(\.identity.pan)))
        #expect(!clash)
        let sums = all.map { pan in
            (0..<pan.digitCount).reduce(0) { sum, index in
                let digit = Int(pan.digit(at: index))
                let isDoubled = (pan.digitCount - index).isMultiple(of: 2)
                return sum + (isDoubled ? digit * 2 / 10 + digit * 2 % 10 : digit)
            }
        }
        #expect(sums.allSatisfy { $0.isMultiple(of: 10) })
    }

    @Test("the list for the host names the cards that the load uses")
    func list() throws {
        let path =
            FileManager.default.temporaryDirectory.path + "/load-cards-test-\(UInt64.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try CardList.write(profile, issuer: issuer, to: path)
        let file = try JSONDecoder().decode(List.self, from: Data(contentsOf: URL(filePath: path)))
        let population = try Population(profile, issuer: issuer)
        #expect(file.cards.count == population.cards.count)
        var agree = true
        for (listed, card) in zip(file.cards, population.cards) {
            let pan = try PAN(listed.pan)
            agree = agree && pan == card.chip.identity.pan && listed.expiry == "2912"
            agree = agree && listed.pinReference.utf8.count == 16
        }
        #expect(agree)
    }

    private struct List: Decodable {
        struct Card: Decodable { let pan: String, expiry: String, pinReference: String }
        let cards: [Card]
    }

    @Test("the third wrong PIN locks, a right one before it clears")
    func pinTries() throws {
        var card = try #require(try Population(profile, issuer: issuer).cards.first)
        func predict(_ kind: TrafficKind) -> ResponseCode {
            card.predict(kind, amount: 100, atc: 1, pinTriesMax: 3).code
        }
        #expect(predict(.wrongPIN) == .wrongPIN)
        #expect(predict(.wrongPIN) == .wrongPIN)
        #expect(predict(.purchase) == .approved)
        #expect(predict(.wrongPIN) == .wrongPIN)
        #expect(predict(.wrongCryptogram) == .cryptogramFailure)
        #expect(predict(.wrongPIN) == .wrongPIN)
        #expect(predict(.wrongPIN) == .pinTriesExceeded)
        #expect(predict(.purchase) == .pinTriesExceeded)
        #expect(predict(.purchaseWithoutPIN) == .approved)
    }

    @Test("what is spent is gone, and what is declined is not")
    func funds() throws {
        var card = try #require(try Population(profile, issuer: issuer).cards.first)
        card.availableMinorUnits = 250
        func predict(_ kind: TrafficKind) -> ResponseCode {
            card.predict(kind, amount: 100, atc: 1, pinTriesMax: 3).code
        }
        #expect(predict(.purchase) == .approved)
        #expect(predict(.replay) == .securityViolation)
        #expect(predict(.purchase) == .approved)
        #expect(predict(.purchase) == .insufficientFunds)
    }

    @Test("what nobody could decide leaves a card usable where its later answers do not depend on it")
    func undecided() throws {
        var card = try #require(try Population(profile, issuer: issuer).cards.first)
        func predict(_ kind: TrafficKind, atc: UInt16) -> UInt16? {
            card.predict(kind, amount: 100, atc: atc, pinTriesMax: 3).surelyVerifiedATC
        }
        #expect(predict(.purchase, atc: 1) == 0)
        #expect(predict(.purchaseWithoutPIN, atc: 2) == 1)
        #expect(predict(.wrongCryptogram, atc: 3) == 2)
        // Whether a PIN try was counted, or the count cleared, shows in later answers.
        #expect(predict(.wrongPIN, atc: 4) == nil)
        #expect(predict(.purchaseWithoutPIN, atc: 5) == 4)
        #expect(predict(.purchase, atc: 6) == nil)
        #expect(predict(.purchase, atc: 7) == 6)
    }

    @Test("the mix has the shares that it should have")
    func mix() throws {
        var profile = profile
        profile.mix = [.purchase: 90, .wrongPIN: 9, .unknownCard: 1]
        let date = try #require(TransactionDate(year: 26, month: 11, day: 23))
        var source = try TransactionSource(profile, issuer: issuer, date: date)
        var counts: [TrafficKind: Int] = [:]
        for _ in 0..<100_000 { counts[source.kind(), default: 0] += 1 }
        #expect(abs((counts[.purchase] ?? 0) - 90_000) < 1_000)
        #expect(abs((counts[.wrongPIN] ?? 0) - 9_000) < 500)
        #expect(abs((counts[.unknownCard] ?? 0) - 1_000) < 200)
    }

    @Test("a card whose request is under way is not drawn again")
    func busy() throws {
        var profile = profile
        profile.cards = 10
        let date = try #require(TransactionDate(year: 26, month: 11, day: 23))
        var source = try TransactionSource(profile, issuer: issuer, date: date)
        var drawn: [Int] = []
        while let transaction = try source.next(.purchase) {
            drawn.append(transaction.card)
            source.population.cards[transaction.card].busy = true
        }
        #expect(drawn.sorted() == Array(0..<10))
    }
}

@Suite("Load profile")
struct LoadProfileTests {
    @Test(
        "the profiles of the repository are valid",
        arguments: [
            "standard", "smoke", "soak", "staircase", "million",
        ])
    func files(name: String) throws {
        let profile = try LoadProfile(contentsOf: Bench.path("LoadTests/profiles/\(name).yaml"))
        #expect(profile.name == name)
        #expect(!profile.stages.isEmpty)
    }

    @Test(
        "what is missing or impossible is named",
        arguments: [
            ("name: x\ncards: 5\nstages: [{ name: a, seconds: 1, rate: 1 }]", "cards has to be"),
            ("name: x\ncards: 50\nstages: []", "stages is empty"),
            ("name: x\ncards: 50\nstages: [{ name: a, seconds: 1 }]", "stage a"),
            ("name: x\ncards: 50\nstages: [{ name: a, seconds: 1, rate: 1, outstanding: 2 }]", "stage a"),
            ("name: x\ncards: 50\nmix: { purchase: 0 }\nstages: [{ name: a, seconds: 1, rate: 1 }]", "mix"),
            ("cards: 50\nstages: [{ name: a, seconds: 1, rate: 1 }]", "name is missing"),
        ])
    func faults(yaml: String, words: String) {
        let error = #expect(throws: LoadSetupError.self) { try LoadProfile(yaml: yaml, path: "p.yaml") }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "-")")
    }
}
