internal import ArgumentParser
internal import CardStateStore
internal import IssuerConfiguration
internal import NIOPosix

/// `issuer-host store`: which store this host knows, and what to do when it is another one.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "The state store as a whole: status, initialise, accept, migrate.",
        discussion: """
            A host keeps in redis.placeFile which store it serves and the last journal entries that were acknowledged \
            to it. A store that is empty, another one, or cut short is refused until it is accepted.
            """,
        subcommands: [Status.self, Initialise.self, Accept.self, Migrate.self])

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what this host knows of its store, and what is missing.",
            discussion: "Exit code 1 if a host would refuse the store.")

        @OptionGroup var options: ConfigurationOption

        func run() async throws {
            let open = try await OpenStore(options.config)
            let lines = try await open.life.status(path: open.path)
            await open.close()
            print(lines.joined(separator: "\n"))
            if lines.contains(where: { $0.hasPrefix("refused") }) { throw ExitCode.failure }
        }
    }

    struct Initialise: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a new store its name; `cards import` does it as well.",
            discussion:
                "A store that has one keeps it. A host that knows another store is given none: see `accept`.")

        @OptionGroup var options: ConfigurationOption

        func run() async throws {
            let open = try await OpenStore(options.config)
            let generation = try await open.life.initialise(path: open.path)
            await open.close()
            print("generation \(generation)")
        }
    }

    struct Accept: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take the store as it is, after a restore or a loss.",
            discussion: """
                What the store lacks is gone from then on: approvals of the time between are not known, their ATCs \
                pass a second time, and reversals of them find no original. A host that runs goes on by itself. To \
                be run for each host. It is journalled with user, time and reason.
                """)

        @OptionGroup var options: ConfigurationOption
        @OptionGroup var reason: Cards.Reason

        func run() async throws {
            let note = try reason.note()
            let open = try await OpenStore(options.config)
            let (lacking, generation) = try await open.life.accept(path: open.path, note: note)
            await open.close()
            print(
                "accepted: generation \(generation), \(lacking) buckets lacked the last entry that this host saw"
            )
        }
    }
}

/// A store that nothing is checked of.
private struct OpenStore {
    let life: StoreLife
    let path: String
    private let store: StateStore

    init(_ path: String) async throws {
        let configuration = try IssuerConfiguration(path: path)
        self.path = configuration.redis.placeFile
        store = StateStore(
            to: try configuration.storeLocation(), on: MultiThreadedEventLoopGroup.singleton.any())
        try await store.waitUntilReady(timeout: .seconds(5))
        life = StoreLife(store, settings: configuration.cardStateSettings)
    }

    func close() async { await store.close() }
}
