internal import Authorisation
internal import CardStateStore
internal import EMV
internal import EventLoops
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
    private let stores: StoreSide
    /// What the journal has to know of requests beside their decisions.
    let notes: NoteWriter
    let reloads = ReloadRecord(started: Surroundings.system.unixSeconds())
    /// One change of a zone key at a time across hosts.
    let changeLock: KeyChangeLock
    private let parts: Mutex<Parts>

    init(
        path: String, _ configuration: IssuerConfiguration, hsmConfiguration: HSMConfiguration,
        at location: TokenLocation, stores: StoreSide, logger: Logger
    ) throws {
        self.path = path
        self.location = location
        self.stores = stores
        notes = NoteWriter(stores.stores[0], settings: configuration.cardStateSettings)
        changeLock = KeyChangeLock(stores.stores[0])
        self.logger = logger
        let hsm = try HSM(hsmConfiguration, at: location, hung: endProcess(logger))
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
        return try loops(configuration, hsm, labels: labels)
    }

    private func loops(
        _ configuration: IssuerConfiguration, _ hsm: HSM, labels: [KeyName: ZoneKeyLabels]
    ) throws -> [LoopServices] {
        let ranges = try configuration.rangeTable()
        let notes = notes
        let (clock, watch) = (stores.clock, stores.watch)
        return stores.stores.map { store in
            let loop = store.eventLoop
            let port = hsm.loopPort(
                after: { milliseconds, work in loop.scheduleTask(in: .milliseconds(milliseconds), work) },
                wake: EventLoopExecutor.handover(to: loop))
            let authoriser = Authoriser(
                ranges: ranges, codes: ResponseCode.authorisationResponseCodes, cryptography: port,
                records: RedisCardRecords(store, settings: configuration.cardStateSettings),
                surroundings: clock.held.surroundings,
                oldRecords: configuration.oldRecords(store, port, who: "host"),
                conflicts: stores.conflicts, lost: { watch.lost })
            var services = LoopServices(
                eventLoop: loop,
                decide: authoriser.decide,
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
                            request, event, card: port.knownToken(of: request.card.pan),
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
                self.reloads.succeeded(at: Surroundings.system.unixSeconds())
                self.logger.notice("configuration reloaded")
            } catch {
                self.reloads.refused()
                self.logger.error(
                    "configuration not reloaded, the one before stays", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func adopt(_ new: IssuerConfiguration, _ server: HostServer) async throws {
        let (old, hsm, oldLabels) = parts.withLock { ($0.configuration, $0.hsm, $0.zoneKeyLabels) }
        if let key = new.settings.firstKeyThatNeedsARestart(since: old.settings) {
            throw WiringError("\(key): cannot change while the host runs; restart it")
        }
        let findings = new.examination()
        if let failure = findings.first(where: { $0.outcome == .failed }) {
            throw WiringError("\(failure.subject): \(failure.detail)")
        }
        for finding in findings where finding.outcome == .warning { logger.warning("\(finding.detail)") }
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
        do { try await server.reload(links: links, loops: try loops(new, nextHSM, labels: labels)) } catch {
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
        await server?.replace(loops: try loops(configuration, nextHSM, labels: next.zoneKeyLabels))
        retire(hsm)
    }

    /// Ready before the first request comes to them.
    private func sessions(_ next: HSMConfiguration, after hsm: HSM) async throws -> HSM {
        try await onTokenThread {
            let nextHSM = try HSM(
                next, at: self.location, after: hsm, hung: endProcess(self.logger))
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

/// Whoever supervises the process starts it anew: nothing else takes an event loop out of a call. What was under way is as
/// after a kill: the store has each change whole or not at all, and acquirers repeat or reverse what nobody answered.
private func endProcess(_ logger: Logger) -> @Sendable (String) -> Void {
    { words in
        logger.critical("the process ends", metadata: ["reason": "\(words)"])
        _exit(70)
    }
}

/// SIGHUP reads the configuration again.
struct ReloadOnSignal: Service {
    let assembly: HostAssembly
    /// Trapped from before the host says that it is ready: until then the signal would end the process.
    let signals: UnixSignalsSequence

    func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() {
            await assembly.reload()
        }
    }
}
