internal import EventLoops
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
internal import ProgramEntry
internal import Redis

struct Cards: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Cards in the state store: import, look, change.",
        subcommands: [
            Import.self, Show.self, ATC.self, UnblockPIN.self, Status.self, Replace.self, Script.self,
            Keys.self,
        ])
}

/// A token and a store for a command that looks at cards.
final class CardDesk: Sendable {
    let configuration: IssuerConfiguration
    let location: TokenLocation
    let store: StateStore
    private let hsm: HSM
    /// Asked on the loop of the store only.
    let port: HSMPort

    /// - Parameter migrates: true claims old records whatever the configuration says.
    init(_ path: String, migrates: Bool = false) async throws {
        configuration = try IssuerConfiguration(path: path)
        location = try configuration.tokenLocation()
        var hsmConfiguration = try configuration.hsmConfiguration(at: location)
        (hsmConfiguration.workers, hsmConfiguration.placement) = (1, .workers)
        hsm = try HSM(hsmConfiguration, at: location)
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        // A port is bound to one loop: whoever asks it, and what it answers, meet there and nowhere else.
        port = hsm.port { work in loop.execute(work) }
        store = StateStore(
            to: try configuration.storeLocation(), on: loop,
            migrates: migrates || configuration.redis.migration)
        // A cluster that was just made takes some seconds until its nodes agree.
        try await store.waitUntilReady(timeout: .seconds(10))
    }

    var orders: CardOrders {
        CardOrders(
            RedisCardRecords(store, settings: configuration.cardStateSettings),
            unixSeconds: Surroundings.system.unixSeconds)
    }

    func token(of pan: PAN) async throws -> CardToken {
        try await tokens(of: [CardIdentity(pan: pan, panSequenceNumber: nil)])[0]
    }

    func tokens(of cards: [CardIdentity]) async throws -> [CardToken] {
        let tokens = try await names(of: cards.map(\.pan))
        if configuration.redis.migration { try await claimOldRecords(cards, tokens) }
        return tokens
    }

    /// Names of accounts, whatever the store has.
    func names(of accounts: [PAN]) async throws -> [CardToken] {
        let (port, questions) = (
            port, accounts.map { question(CardIdentity(pan: $0, panSequenceNumber: nil)) }
        )
        return try await onLoop(store.eventLoop) {
            let pending = questions.map { port.begin($0) }
            var tokens: [CardToken] = []
            for answer in pending { tokens.append(try await answer.answer().token) }
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
                profile only, pin (kept as its range verifies, or as pinVerification says: reference or pvv). Cards of \
                one PAN share one account, and so one available amount. A card that is there already keeps its ATCs \
                and transactions; its PIN tries and available amount begin anew. Each import is journalled.

                The whole file is checked before anything is written: what is wrong is named with file and line. A \
                profile has to be one of the card's range, the check digit has to be right, no card may be there twice.
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

        @Flag(
            name: .customLong("allow-test-pans"),
            help: "Take PANs whose check digit is wrong: numbers that were made up for tests.")
        var allowTestPANs = false

        func run() async throws {
            let configuration = try IssuerConfiguration(path: options.config)
            guard !forgetATCs || configuration.profile == .demo else {
                throw Refusal("--forget-atcs makes old cryptograms good again: demo profile only")
            }
            let ranges = try configuration.rangeTable()
            var cards = try CardFile(path: file)
            cards.check(ranges, allowsTestPANs: allowTestPANs)
            try cards.refuseFaults()
            let desk = try await CardDesk(options.config)
            var pins: TestPINs?
            // All of them before the first is written.
            let imported = try cards.map { card in
                ImportedCard(
                    identity: try card.identity(),
                    definition: try card.definition(desk, &pins, ranges: ranges, withPIN: !withoutPINs),
                    issuerMasterKey: try card.issuerMasterKey(ranges))
            }
            _ = try await StoreLife(desk.store, settings: desk.configuration.cardStateSettings)
                .initialise(path: desk.configuration.redis.placeFile)
            let note = "\(OperatorName.now);\(Surroundings.system.unixSeconds());import"
            for start in stride(from: 0, to: imported.count, by: 1_000) {
                try await store(
                    Array(imported[start..<min(start + 1_000, imported.count)]), desk, note: note)
            }
            await desk.close()
            print("\(imported.count) cards imported")
        }

        /// Many at a time: each waits for the token and for Redis.
        private func store(_ cards: [ImportedCard], _ desk: CardDesk, note: String) async throws {
            let (orders, forgetATCs, register) = (desk.orders, forgetATCs, desk.keyRegister)
            let tokens = try await desk.tokens(of: cards.map(\.identity))
            try await onLoop(desk.store.eventLoop) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (card, token) in zip(cards, tokens) {
                        group.addTask(executorPreference: EventLoopExecutor(desk.store.eventLoop)) {
                            _ = try await orders.carryOut(
                                .importCard(card.definition, forgettingATCs: forgetATCs), for: token,
                                note: note)
                            guard let key = card.issuerMasterKey else { return }
                            try await register.note(
                                issuerMasterKey: key, expiry: card.definition.expiry, of: token,
                                sequenceNumber: card.definition.sequenceNumber)
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an account and its cards, without secrets.",
            discussion: "Without --psn every card with this PAN.")

        @OptionGroup var options: ConfigurationOption
        @OptionGroup var card: CardArguments
        @Flag(help: "Every field of the record by its name.") var raw = false

        func run() async throws {
            let pan = try card.identity()
            let desk = try await CardDesk(options.config)
            let token = try await desk.token(of: pan)
            let orders = desk.orders
            let reading = try await onLoop(desk.store.eventLoop) { try await orders.reading(token) }
            await desk.close()
            guard let record = reading.record else { throw Refusal.unknown(pan) }
            let only = card.psn == nil ? nil : try card.sequenceNumber(record)
            if raw { return print(reading.fieldsByName.joined(separator: "\n")) }
            for (index, plastic) in record.plastics.enumerated()
            where only == nil && !plastic.isOfPANBefore || plastic.sequenceNumber == only {
                show(pan, record, plastic: plastic, index: index)
            }
        }

        private func pinForm(_ plastic: Plastic) -> String {
            switch plastic.pin {
            case .verificationValue(let value): "PVV under key \(value.keyIndex)"
            case .reference: "reference block on record"
            case .none: "none on record"
            }
        }

        private func show(_ pan: PAN, _ record: CardRecord, plastic: Plastic, index: Int) {
            let status = record.status == .active ? plastic.status : record.status
            let number = PANSequenceNumber(rawValue: plastic.sequenceNumber)?.description ?? "--"
            print(
                """
                card          \(pan), sequence number \(number)
                status        \(status.rawValue)
                expiry        \(plastic.expiry) (YYMM)
                profile       \(record.profile(of: index))
                available     \(ISO4217.text(minorUnits: record.availableMinorUnits, numericCode: record.currency.rawValue))
                limits        \(record.limits(of: index).map(\.words) ?? "those of its range")
                ATC           \(plastic.highestATC.map { "\($0) highest seen" } ?? "none seen")
                PIN           \(pinForm(plastic)), \
                \(Int(plastic.pinTriesMax) - Int(plastic.pinTriesUsed)) of \(plastic.pinTriesMax) tries left
                """)
        }
    }
}
