internal import ArgumentParser
internal import Authorisation
internal import ByteCoding
internal import CardStateStore
internal import EMV
internal import Foundation
internal import HSM
internal import HostServer
internal import IssuerConfiguration
internal import NIOCore
internal import NIOPosix
internal import Redis
internal import WorkerPool

struct Cards: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Cards in the state store: import, look, change.",
        subcommands: [Import.self, Show.self, ATC.self, UnblockPIN.self, Status.self, Script.self, Keys.self])
}

/// A token and a store for a command that looks at cards.
final class CardDesk: Sendable {
    let configuration: IssuerConfiguration
    let location: TokenLocation
    let store: StateStore
    private let hsm: HSM
    /// Asked on the loop of the store only.
    let port: HSMPort

    init(_ path: String) async throws {
        configuration = try IssuerConfiguration(path: path)
        location = try configuration.tokenLocation()
        var hsmConfiguration = try configuration.hsmConfiguration(at: location)
        hsmConfiguration.workers = 1
        hsm = try HSM(hsmConfiguration, at: location)
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        // A port is bound to one loop: whoever asks it, and what it answers, meet there and nowhere else.
        port = hsm.port { work in loop.execute(work) }
        store = StateStore(to: try configuration.storeLocation(), on: loop)
        try await store.waitUntilReady(timeout: .seconds(5))
    }

    var state: RedisCardState { RedisCardState(store, settings: configuration.cardStateSettings) }

    func token(of card: CardIdentity) async throws -> CardToken { try await tokens(of: [card])[0] }

    func tokens(of cards: [CardIdentity]) async throws -> [CardToken] {
        let (port, questions) = (port, cards.map { question($0) })
        return try await onLoop(store.eventLoop) {
            let pending = questions.map { port.begin($0) }
            var tokens: [CardToken] = []
            for answer in pending { tokens.append(try await answer.value.token) }
            return tokens
        }
    }

    private func question(_ card: CardIdentity) -> CryptographyQuestion {
        CryptographyQuestion(
            card: card, cryptogram: nil, pin: nil,
            deadline: Deadline(nanoseconds: monotonicNanoseconds() + 10_000_000_000))
    }

    func close() async {
        await store.close()
        hsm.stop()
    }
}

extension Cards {
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create or replace the cards of a file.",
            discussion: """
                The file is JSON with a list `cards`: pan, panSequenceNumber, expiry (YYMM), status (active, \
                lost, stolen, restricted), availableMinorUnits, currency (numeric), cryptogramProfile, and \
                one of pinReference (a format 0 PIN block under the PIN verification key, hex), \
                pinVerificationValue (Visa's, key index and value as 1:1234) or, for test cards in the demo \
                profile only, pin (kept as its range verifies, or as pinVerification says: reference or pvv). A card that is there already keeps its ATCs; its PIN \
                tries and available amount begin anew.
                """)

        @OptionGroup var options: ConfigurationOption
        @Argument(help: "The file of cards.") var file: String
        @Flag(
            name: .customLong("forget-atcs"),
            help:
                "Forget the ATCs seen, so that the next verified one is taken as it comes (demo profile only)."
        )
        var forgetATCs = false
        @Flag(name: .customLong("without-pins"), help: "Leave the PINs out: for a token that serves none.")
        var withoutPINs = false

        func run() async throws {
            let cards = try CardFile.read(file)
            let desk = try await CardDesk(options.config)
            guard !forgetATCs || desk.configuration.profile == .demo else {
                throw ValidationError("--forget-atcs makes old cryptograms good again: demo profile only")
            }
            let ranges = try desk.configuration.rangeTable()
            var pins: TestPINs?
            for start in stride(from: 0, to: cards.count, by: 1_000) {
                let part = try cards[start..<min(start + 1_000, cards.count)].map { card in
                    ImportedCard(
                        identity: try card.identity(),
                        record: try card.record(desk, &pins, withPIN: !withoutPINs),
                        issuerMasterKey: try card.issuerMasterKey(ranges))
                }
                try await store(part, desk)
            }
            await desk.close()
            print("\(cards.count) cards imported")
        }

        /// Many at a time: each waits for the token and for Redis.
        private func store(_ cards: [ImportedCard], _ desk: CardDesk) async throws {
            let (state, forgetATCs, register) = (desk.state, forgetATCs, desk.keyRegister)
            let tokens = try await desk.tokens(of: cards.map(\.identity))
            try await onLoop(desk.store.eventLoop) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (card, token) in zip(cards, tokens) {
                        group.addTask(executorPreference: EventLoopExecutor(desk.store.eventLoop)) {
                            try await state.importCard(card.record, token: token, forgettingATCs: forgetATCs)
                            guard let key = card.issuerMasterKey else { return }
                            try await register.note(
                                issuerMasterKey: key, expiry: card.record.expiry, of: token)
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a card's record, without secrets.")

        @OptionGroup var options: ConfigurationOption
        @Argument(help: "The PAN.") var pan: String
        @Option(name: .long, help: "The PAN sequence number; without it, 00 to 09 are tried.") var psn: UInt8?

        func run() async throws {
            let pan = try PAN(pan)
            let desk = try await CardDesk(options.config)
            var found = 0
            for number in psn.map({ [$0] }) ?? Array(0...9) {
                let card = CardIdentity(pan: pan, panSequenceNumber: PANSequenceNumber(rawValue: number))
                let token = try await desk.token(of: card)
                let state = desk.state
                let read = try await onLoop(desk.store.eventLoop) { try await state.record(token) }
                guard let record = read else { continue }
                found += 1
                show(card, record)
            }
            await desk.close()
            guard found > 0 else {
                print("no card \(pan) in the state store")
                throw ExitCode.failure
            }
        }

        private func pinForm(_ record: CardRecord) -> String {
            if let value = record.pinVerificationValue { return "PVV under key \(value.keyIndex)" }
            return record.pinReference == nil ? "none on record" : "reference block on record"
        }

        private func show(_ card: CardIdentity, _ record: CardRecord) {
            print(
                """
                card          \(card.pan), sequence number \(card.panSequenceNumber?.description ?? "--")
                status        \(record.status.rawValue)
                expiry        \(record.expiry) (YYMM)
                profile       \(record.profile)
                available     \(ISO4217.text(minorUnits: record.availableMinorUnits, numericCode: record.currency.rawValue))
                limits        \(record.limits.map(\.words) ?? "those of its range")
                ATC           \(record.highestATC.map { "\($0.rawValue) highest seen" } ?? "none seen")
                PIN           \(pinForm(record)), \
                \(record.pinTriesMax - record.pinTriesUsed) of \(record.pinTriesMax) tries left
                """)
        }
    }
}
