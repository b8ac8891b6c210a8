internal import Authorisation
internal import CardStateStore
internal import Foundation
internal import HSM
internal import HostServer
internal import IssuerConfiguration
internal import IssuerMessages
internal import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import Synchronization
internal import UnixSignals

/// The running parts that a configuration makes, and how they go over to another one.
final class HostAssembly: Sendable {
    private struct Parts {
        var configuration: IssuerConfiguration
        var hsm: HSM
    }

    private let path: String
    private let location: TokenLocation
    private let stores: [StateStore]
    private let logger: Logger
    /// What the journal has to know of requests beside their decisions.
    let notes: NoteWriter
    private let parts: Mutex<Parts>

    init(
        path: String, _ configuration: IssuerConfiguration, at location: TokenLocation, stores: [StateStore],
        logger: Logger
    ) throws {
        self.path = path
        self.location = location
        self.stores = stores
        notes = NoteWriter(stores[0], settings: configuration.cardStateSettings)
        self.logger = logger
        let hsm = try HSM(try configuration.hsmConfiguration(), at: location)
        parts = Mutex(Parts(configuration: configuration, hsm: hsm))
    }

    var hsm: HSM { parts.withLock { $0.hsm } }

    /// How each loop decides.
    func loops() throws -> [LoopServices] {
        let (configuration, hsm) = parts.withLock { ($0.configuration, $0.hsm) }
        return try loops(configuration, hsm)
    }

    private func loops(_ configuration: IssuerConfiguration, _ hsm: HSM) throws -> [LoopServices] {
        let ranges = try configuration.rangeTable()
        let notes = notes
        return stores.map { store in
            let loop = store.eventLoop
            let port = hsm.port(
                after: { milliseconds, work in loop.scheduleTask(in: .milliseconds(milliseconds), work) },
                wake: { work in loop.execute(work) })
            let authoriser = Authoriser(
                ranges: ranges, codes: ResponseCode.authorisationResponseCodes, cryptography: port,
                state: RedisCardState(store, settings: configuration.cardStateSettings),
                surroundings: .system)
            return LoopServices(
                eventLoop: loop,
                decide: { request in
                    do throws(CouldNotDecide) {
                        return .success(try await authoriser.authorise(request))
                    } catch {
                        return .failure(error)
                    }
                },
                mac: { mac, message, deadline in
                    let question = MACQuestion(
                        key: mac.key, algorithm: MACAlgorithm(mac.algorithm),
                        padding: MACPadding(rawValue: mac.padding) ?? .method1, data: message)
                    do throws(CryptographyUnavailable) {
                        return .success(try await port.mac(question, deadline: deadline))
                    } catch {
                        return .failure(error)
                    }
                },
                note: { request, event in
                    notes.add(
                        JournalNote(
                            request, event, card: port.knownToken(of: request.card),
                            unixSeconds: Surroundings.system.unixSeconds()))
                })
        }
    }

    // MARK: - Reload

    /// Reads the file again and goes over to it. What is wrong with it is logged, and nothing changes then.
    func reload(_ server: HostServer) async {
        do {
            try await adopt(try IssuerConfiguration(path: path), server)
            logger.notice("configuration reloaded")
        } catch {
            logger.error("configuration not reloaded, the one before stays", metadata: ["reason": "\(error)"])
        }
    }

    private func adopt(_ new: IssuerConfiguration, _ server: HostServer) async throws {
        let (old, hsm) = parts.withLock { ($0.configuration, $0.hsm) }
        if let key = new.firstKeyThatNeedsARestart(since: old) {
            throw WiringError("\(key): cannot change while the host runs; restart it")
        }
        let links = try new.linkConfigurations()
        let hsmConfiguration = try new.hsmConfiguration()
        var nextHSM = hsm
        if try hsmConfiguration != old.hsmConfiguration() {
            if let failed = HSMCheck.run(hsmConfiguration, at: location).first(where: { !$0.passed }) {
                throw WiringError("\(failed.subject): \(failed.detail)")
            }
            nextHSM = try HSM(hsmConfiguration, at: location)
        }
        do { try await server.reload(links: links, loops: try loops(new, nextHSM)) } catch {
            if nextHSM !== hsm { nextHSM.stop() }
            throw error
        }
        let current = nextHSM
        parts.withLock { $0 = Parts(configuration: new, hsm: current) }
        if current !== hsm { retire(hsm, after: links) }
    }

    /// Requests that were begun with the old sessions still end with them.
    private func retire(_ hsm: HSM, after links: [LinkConfiguration]) {
        let longest = links.map(\.answerTimeoutNanoseconds).max() ?? 0
        Task.detached {
            try? await Task.sleep(for: .nanoseconds(Int64(clamping: longest)))
            hsm.stop()
        }
    }
}

extension IssuerConfiguration {
    /// Parts that are made once: a token's library, connections to the store, threads.
    fileprivate func firstKeyThatNeedsARestart(since old: IssuerConfiguration) -> String? {
        let same: [(String, Bool)] = [
            ("profile", profile == old.profile), ("token.module", token.module == old.token.module),
            ("token.initArguments", token.initArguments == old.token.initArguments),
            ("token.uri", token.uri == old.token.uri), ("token.pinFile", token.pinFile == old.token.pinFile),
            ("keys.panHash", panHashKey == old.panHashKey),
            ("redis", redis == old.redis), ("admin.host", adminHost == old.adminHost),
            ("admin.port", adminPort == old.adminPort),
            ("server.eventLoops", eventLoops == old.eventLoops),
            ("server.drainTimeoutSeconds", drainTimeoutSeconds == old.drainTimeoutSeconds),
            ("log", logLevel == old.logLevel && logFormat == old.logFormat),
        ]
        return same.first { !$0.1 }?.0
    }
}

/// SIGHUP reads the configuration again.
struct ReloadOnSignal: Service {
    let assembly: HostAssembly
    let server: HostServer

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            await assembly.reload(server)
        }
    }
}
