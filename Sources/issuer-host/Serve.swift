internal import ArgumentParser
internal import Authorisation
internal import BuildVersion
internal import CardStateStore
internal import Foundation
internal import HSM
internal import HostServer
internal import IssuerConfiguration
internal import IssuerMessages
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Redis
internal import ServiceLifecycle
internal import UnixSignals

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve the links of the configuration.",
        discussion: """
            Refuses to start while the token or the state store is not as it has to be, and says why. Prints \
            one line starting with `ready` once requests are accepted. SIGHUP reads the configuration and the \
            certificates again without dropping a connection; what is wrong with them is logged, and nothing \
            changes then. SIGINT and SIGTERM finish what is under way, then end the process.
            """)

    @OptionGroup var options: ConfigurationOption

    func run() async throws {
        let configuration = try IssuerConfiguration(path: options.config)
        let logger = try makeLogger(configuration)
        try announce(configuration, logger)
        let location = try configuration.tokenLocation()
        let hsmConfiguration = try configuration.hsmConfiguration(at: location)
        let trail = StartUpTrail(configuration, hsmConfiguration, at: location, logger: logger)
        let failures = HSMCheck.run(hsmConfiguration, at: location).filter { !$0.passed }
        guard failures.isEmpty else {
            for line in failures { logger.critical("\(line.subject): \(line.detail)") }
            trail.refused(failures.map { "\($0.subject): \($0.detail)" })
            throw ExitCode.failure
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.eventLoops)
        let stores = try await openStores(configuration, group, logger: logger)
        let assembly = try HostAssembly(
            path: options.config, configuration, hsmConfiguration: hsmConfiguration, at: location,
            stores: stores,
            logger: logger)
        let server = try HostServer(
            links: try configuration.linkConfigurations(), group: group, loops: try assembly.loops(),
            admin: configuration.adminPort.map { .init(host: configuration.adminHost, port: $0) },
            drainTimeout: .seconds(configuration.drainTimeoutSeconds), logger: logger,
            clock: Surroundings.system.monotonicNanoseconds, unixSeconds: Surroundings.system.unixSeconds,
            moreMetrics: { await hostMetrics(assembly, stores) },
            health: { await health(assembly.hsm, stores) }, ready: printReady)
        assembly.serve(with: server)
        try trail.started()
        let reloads = await UnixSignalsSequence(trapping: .sighup)
        let services = ServiceGroup(
            services: [
                server, ReloadOnSignal(assembly: assembly, signals: reloads),
                ZoneKeyWatch(assembly: assembly), StoreWatching(side: stores),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await services.run()
        let unwritten = await assembly.notes.finish(within: .seconds(2))
        if unwritten > 0 {
            logger.warning("notes that the journal has not got", metadata: ["count": "\(unwritten)"])
        }
        await stores.close()
        // A token that answers no more cannot seal a line either.
        if assembly.hsm.stop() {
            trail.stopped()
        } else {
            logger.warning("a worker is left in a call of the token")
        }
        try await group.shutdownGracefully()
    }

    private func openStores(
        _ configuration: IssuerConfiguration, _ group: MultiThreadedEventLoopGroup, logger: Logger
    ) async throws -> StoreSide {
        do {
            let stores = try StoreSide(configuration, group, logger: logger)
            try await stores.waitUntilReady()
            return stores
        } catch {
            logger.critical("state store: \(error)")
            throw ExitCode.failure
        }
    }

    /// What starts here and by whose word, whatever the level; then what keeps it from starting.
    private func announce(_ configuration: IssuerConfiguration, _ logger: Logger) throws {
        let level = max(Logger.Level.notice, logger.logLevel)
        logger.log(
            level: level, "issuer-host starts: \(BuildVersion.text)",
            metadata: ["configuration": "\(options.config)", "profile": "\(configuration.profile.rawValue)"])
        for (key, variable) in configuration.settings.overrides {
            logger.log(
                level: level, "the environment sets \(key)",
                metadata: ["variable": "\(variable)", "value": "***"])
        }
        let findings = configuration.examination()
        for finding in findings where finding.outcome == .warning { logger.warning("\(finding.detail)") }
        let failures = findings.filter { $0.outcome == .failed }
        for failure in failures { logger.critical("\(failure.subject): \(failure.detail)") }
        guard failures.isEmpty else { throw ExitCode.failure }
    }

    private func makeLogger(_ configuration: IssuerConfiguration) throws -> Logger {
        guard let level = Logger.Level(rawValue: configuration.logLevel) else {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw WiringError("log.level: \(configuration.logLevel) is none of \(levels)")
        }
        switch configuration.logFormat {
        case "text": LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        case "json": LoggingSystem.bootstrap { JSONLogHandler(label: $0) }
        default: throw WiringError("log.format: text or json, not \(configuration.logFormat)")
        }
        var logger = Logger(label: "issuer-host")
        logger.logLevel = level
        return logger
    }

    private func printReady(_ links: [HostServer.BoundLink]) {
        let places = links.map { "\($0.name) \($0.address) (\($0.dialect))" }.joined(separator: ", ")
        print("ready: \(places)")
        fflush(nil)
    }
}
