internal import ArgumentParser
internal import Authorisation
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
            one line starting with `ready` once requests are accepted. SIGINT and SIGTERM finish what is under \
            way, then end the process.
            """)

    @OptionGroup var options: ConfigurationOption

    func run() async throws {
        let configuration = try IssuerConfiguration(path: options.config)
        let logger = try makeLogger(configuration)
        let location = try configuration.tokenLocation()
        let hsmConfiguration = try configuration.hsmConfiguration()
        let trail = StartUpTrail(configuration, hsmConfiguration, at: location, logger: logger)
        let failures = HSMCheck.run(hsmConfiguration, at: location).filter { !$0.passed }
        guard failures.isEmpty else {
            for line in failures { logger.critical("\(line.subject): \(line.detail)") }
            trail.refused(failures.map { "\($0.subject): \($0.detail)" })
            throw ExitCode.failure
        }
        let hsm = try HSM(hsmConfiguration, at: location)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.eventLoops)
        let storeLocation = try configuration.storeLocation()
        let stores = group.makeIterator().map {
            StateStore(to: storeLocation, on: $0, durable: configuration.profile == .production)
        }
        for store in stores {
            do { try await store.waitUntilReady(timeout: .seconds(5)) } catch {
                logger.critical("state store: \(error)")
                throw ExitCode.failure
            }
        }
        let server = HostServer(
            links: try configuration.linkConfigurations(), group: group,
            loops: try loops(configuration, hsm, stores),
            admin: configuration.adminPort.map { .init(host: configuration.adminHost, port: $0) },
            drainTimeout: .seconds(configuration.drainTimeoutSeconds), logger: logger,
            clock: Surroundings.system.monotonicNanoseconds,
            moreMetrics: { metrics(hsm, stores) }, ready: printReady)
        try trail.started()
        let services = ServiceGroup(
            services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await services.run()
        for store in stores { await store.close() }
        // A token that answers no more cannot seal a line either.
        if hsm.stop() { trail.stopped() } else { logger.warning("a worker is left in a call of the token") }
        try await group.shutdownGracefully()
    }

    private func loops(
        _ configuration: IssuerConfiguration, _ hsm: HSM, _ stores: [StateStore]
    ) throws -> [LoopServices] {
        let ranges = try configuration.rangeTable()
        return stores.map { store in
            let loop = store.eventLoop
            let authoriser = Authoriser(
                ranges: ranges, codes: ResponseCode.authorisationResponseCodes,
                cryptography: hsm.port(
                    after: { milliseconds, work in
                        loop.scheduleTask(in: .milliseconds(milliseconds), work)
                    }, wake: { work in loop.execute(work) }),
                state: RedisCardState(store, settings: configuration.cardStateSettings),
                surroundings: .system)
            return LoopServices(eventLoop: loop) { request in
                do throws(CouldNotDecide) {
                    return .success(try await authoriser.authorise(request))
                } catch {
                    return .failure(error)
                }
            }
        }
    }

    private func makeLogger(_ configuration: IssuerConfiguration) throws -> Logger {
        guard let level = Logger.Level(rawValue: configuration.logLevel) else {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw WiringError("log.level: \(configuration.logLevel) is none of \(levels)")
        }
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
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

/// Counters of token and state store, beside those of the links.
private func metrics(_ hsm: HSM, _ stores: [StateStore]) -> String {
    let statistics = hsm.statistics
    let commands = stores.reduce(0) { $0 + $1.commandsSent }
    return """
        # TYPE issuer_hsm_jobs_total counter
        issuer_hsm_jobs_total \(statistics.jobs)
        # TYPE issuer_hsm_calls_total counter
        issuer_hsm_calls_total \(statistics.calls)
        # TYPE issuer_hsm_sessions_dropped_total counter
        issuer_hsm_sessions_dropped_total \(statistics.evictions)
        # TYPE issuer_hsm_late_answers_total counter
        issuer_hsm_late_answers_total \(statistics.lateAnswers)
        # TYPE issuer_hsm_queued_jobs gauge
        issuer_hsm_queued_jobs \(statistics.queuedJobs)
        # TYPE issuer_redis_commands_total counter
        issuer_redis_commands_total \(commands)

        """
}
