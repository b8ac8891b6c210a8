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
        /// Versions of zone keys that its sessions have.
        var zoneKeyLabels: [KeyName: ZoneKeyLabels]
        var server: HostServer?
        /// Sessions of before that have not ended yet.
        var leaving = 0
        /// The end of the last change, for the next to wait for.
        var lastChange: Task<Void, Never>?
    }

    let location: TokenLocation
    let logger: Logger
    private let path: String
    private let stores: [StateStore]
    /// What the journal has to know of requests beside their decisions.
    let notes: NoteWriter
    private let parts: Mutex<Parts>

    init(
        path: String, _ configuration: IssuerConfiguration, _ hsmConfiguration: HSMConfiguration,
        at location: TokenLocation, stores: [StateStore], logger: Logger
    ) throws {
        self.path = path
        self.location = location
        self.stores = stores
        notes = NoteWriter(stores[0], settings: configuration.cardStateSettings)
        self.logger = logger
        let hsm = try HSM(hsmConfiguration, at: location)
        parts = Mutex(
            Parts(
                configuration: configuration, hsm: hsm, zoneKeyLabels: hsmConfiguration.zoneKeyLabels))
    }

    var hsm: HSM { parts.withLock { $0.hsm } }
    var configuration: IssuerConfiguration { parts.withLock { $0.configuration } }
    var zoneKeyLabels: [KeyName: ZoneKeyLabels] { parts.withLock { $0.zoneKeyLabels } }
    /// No session is left that may have a version which is not in force any more.
    var mayRetireZoneKeys: Bool { parts.withLock { $0.leaving == 0 } }

    /// Says who is to be told of changes.
    func serve(with server: HostServer) { parts.withLock { $0.server = server } }

    /// How each loop decides.
    func loops() throws -> [LoopServices] {
        let (configuration, hsm, labels) = parts.withLock { ($0.configuration, $0.hsm, $0.zoneKeyLabels) }
        return try loops(configuration, hsm, labels)
    }

    private func loops(
        _ configuration: IssuerConfiguration, _ hsm: HSM, _ labels: [KeyName: ZoneKeyLabels]
    ) throws -> [LoopServices] {
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
            var services = LoopServices(
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
            services.zoneKeys = ZoneKeysInForce(labels)
            services.changeKey = { [weak self] request, link in
                await self?.changeKey(request, link: link) ?? .issuerUnavailable
            }
            return services
        }
    }

    // MARK: - Changes

    /// One change after the other, in the order in which they are asked for.
    func inTurn<Result: Sendable>(_ body: @escaping @Sendable () async -> Result) async -> Result {
        let change = parts.withLock { parts in
            let before = parts.lastChange
            let change = Task {
                await before?.value
                return await body()
            }
            parts.lastChange = Task { _ = await change.value }
            return change
        }
        return await change.value
    }

    /// Reads the file again and goes over to it. What is wrong with it is logged, and nothing changes then.
    func reload() async {
        await inTurn {
            guard let server = self.parts.withLock({ $0.server }) else { return }
            do {
                try await self.adopt(try IssuerConfiguration(path: self.path), server)
                self.logger.notice("configuration reloaded")
            } catch {
                self.logger.error(
                    "configuration not reloaded, the one before stays", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func adopt(_ new: IssuerConfiguration, _ server: HostServer) async throws {
        let (old, hsm, oldLabels) = parts.withLock { ($0.configuration, $0.hsm, $0.zoneKeyLabels) }
        if let key = new.firstKeyThatNeedsARestart(since: old) {
            throw WiringError("\(key): cannot change while the host runs; restart it")
        }
        let links = try new.linkConfigurations()
        let isOther = try new.hsmConfiguration() != old.hsmConfiguration()
        var (nextHSM, labels) = (hsm, oldLabels)
        if isOther {
            let next = try await onTokenThread { try new.hsmConfiguration(at: self.location) }
            let failed = await onTokenThread {
                HSMCheck.run(next, at: self.location).first { !$0.passed }
            }
            if let failed { throw WiringError("\(failed.subject): \(failed.detail)") }
            (nextHSM, labels) = (try await sessions(next, after: hsm), next.zoneKeyLabels)
        }
        do { try await server.reload(links: links, loops: try loops(new, nextHSM, labels)) } catch {
            if nextHSM !== hsm { nextHSM.stop() }
            throw error
        }
        let (current, inForce) = (nextHSM, labels)
        parts.withLock { ($0.configuration, $0.hsm, $0.zoneKeyLabels) = (new, current, inForce) }
        if current !== hsm { retire(hsm) }
    }

    /// Goes over to sessions with other versions of zone keys. All else stays.
    func replaceHSM(_ next: HSMConfiguration) async throws {
        let (configuration, hsm, server) = parts.withLock { ($0.configuration, $0.hsm, $0.server) }
        let nextHSM = try await sessions(next, after: hsm)
        parts.withLock { ($0.hsm, $0.zoneKeyLabels) = (nextHSM, next.zoneKeyLabels) }
        await server?.replace(loops: try loops(configuration, nextHSM, next.zoneKeyLabels))
        retire(hsm)
    }

    /// Ready before the first request comes to them.
    private func sessions(_ next: HSMConfiguration, after hsm: HSM) async throws -> HSM {
        try await onTokenThread {
            let nextHSM = try HSM(next, at: self.location, after: hsm)
            guard nextHSM.waitUntilReady(seconds: 10) else {
                let why = nextHSM.health.lastFailure ?? "they take too long"
                nextHSM.stop()
                throw WiringError("token: the workers' new sessions do not open: \(why)")
            }
            return nextHSM
        }
    }

    /// Requests that were begun with the old sessions still end with them.
    private func retire(_ hsm: HSM) {
        let longest = parts.withLock { parts in
            parts.leaving += 1
            return parts.configuration.links.map(\.answerTimeoutMilliseconds).max() ?? 0
        }
        Task.detached {
            try? await Task.sleep(for: .milliseconds(longest))
            _ = await onTokenThread { hsm.stop() }
            self.parts.withLock { $0.leaving -= 1 }
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

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            await assembly.reload()
        }
    }
}
