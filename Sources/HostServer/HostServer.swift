internal import Authorisation
internal import ISO8583
package import Logging
package import NIOCore
internal import NIOPosix
import ServiceLifecycle
internal import Synchronization

/// All links, as one service that drains before it ends.
package final class HostServer: Service {
    let loops: LoopTable
    private let links: LinkTable
    private let group: any EventLoopGroup
    private let admin: AdminAddress?
    /// The admin port's own: links' loops may be held up.
    private let adminGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let drainTimeout: Duration
    private let logger: Logger
    private let moreMetrics: @Sendable () async -> [MetricFamily]
    private let health: @Sendable () async -> [HealthLine]
    private let ready: @Sendable ([BoundLink]) -> Void
    private let serving = Atomic<Bool>(false)

    /// A link with the port that it really listens on.
    package struct BoundLink: Sendable {
        /// The link's name.
        package let name: String
        /// Address and port.
        package let address: String
        /// The dialect's name.
        package let dialect: String
    }

    /// Where the admin port listens.
    package struct AdminAddress: Sendable {
        /// Loopback unless the operator decides otherwise.
        package var host: String
        /// 0 takes a free one.
        package var port: Int

        /// Takes both.
        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// - Parameters:
    ///   - links: to serve.
    ///   - group: the loops; `loops` has one entry for each of them.
    ///   - loops: how each loop decides.
    ///   - admin: the admin port, nil for none.
    ///   - drainTimeout: how long what is under way may take to finish at the end.
    ///   - clock: monotonic nanoseconds.
    ///   - unixSeconds: for DE7 of the host's own requests.
    ///   - moreMetrics: what others have to say on `/metrics`.
    ///   - health: what `/ready` depends on.
    ///   - ready: called once every link accepts connections.
    /// - Throws: where the files of a TLS link cannot be used.
    package init(
        links: [LinkConfiguration], group: any EventLoopGroup, loops: [LoopServices], admin: AdminAddress?,
        drainTimeout: Duration = .seconds(10), logger: Logger, clock: @escaping @Sendable () -> UInt64,
        unixSeconds: @escaping @Sendable () -> Int64,
        moreMetrics: @escaping @Sendable () async -> [MetricFamily] = { [] },
        health: @escaping @Sendable () async -> [HealthLine] = { [] },
        ready: @escaping @Sendable ([BoundLink]) -> Void
    ) throws {
        let table = LoopTable(
            contexts: loops.enumerated().map {
                LoopContext(
                    $0.element, number: $0.offset, logger: logger, clock: clock, unixSeconds: unixSeconds)
            })
        if loops.count > 1 {
            let balancing = LoopBalancing(table.contexts)
            for loop in table.contexts { loop.balancing = balancing }
        }
        self.loops = table
        self.group = group
        self.admin = admin
        self.drainTimeout = drainTimeout
        self.logger = logger
        self.moreMetrics = moreMetrics
        self.health = health
        self.ready = ready
        self.links = try LinkTable(links, loops: table, group: group, logger: logger, clock: clock)
    }

    /// Serves until a graceful shutdown is asked for, then drains.
    package func run() async throws {
        for loop in loops.contexts { loop.services.eventLoop.execute { loop.start() } }
        try await links.open()
        var bound = links.all.map { link in
            BoundLink(
                name: link.name, address: link.endpoint?.address ?? "?",
                dialect: link.settings.configuration.codec.dialect.name)
        }
        var adminListener: (any Channel)?
        if let admin {
            let channel = try await AdminServer.listen(admin, group: adminGroup, answer: adminAnswer)
            adminListener = channel
            let address = channel.localAddress
            bound.append(
                BoundLink(
                    name: "admin", address: "\(address?.ipAddress ?? "?"):\(address?.port ?? 0)",
                    dialect: "http"))
        }
        serving.store(true, ordering: .relaxed)
        ready(bound)
        try? await gracefulShutdown()
        serving.store(false, ordering: .relaxed)
        logger.notice("draining")
        await links.close()
        await drain()
        try? await adminListener?.close()
        for loop in loops.contexts { loop.services.eventLoop.execute { loop.stop() } }
        try? await adminGroup.shutdownGracefully()
    }

    /// Goes over to another configuration while connections stay open. Links that are gone drain, new ones open, the
    /// others take what is new at once, but for how messages look and TLS: that is for new connections.
    ///
    /// - Parameter loops: as for `init`, for requests from now on.
    /// - Throws: where a link cannot be opened or a certificate not be used; nothing has changed then.
    package func reload(links configurations: [LinkConfiguration], loops services: [LoopServices])
        async throws
    {
        try await links.reload(configurations)
        await replace(loops: services)
    }

    /// Requests are decided so from when this returns; nothing else changes.
    ///
    /// - Parameter services: as for `init`, in the same order.
    package func replace(loops services: [LoopServices]) async {
        for (loop, new) in zip(loops.contexts, services) {
            // A loop that has ended has no requests any more.
            try? await new.eventLoop.submit { loop.replace(new) }.get()
        }
    }

    /// Waits for what is under way, but not for ever.
    private func drain() async {
        for loop in loops.contexts {
            loop.services.eventLoop.execute { for each in loop.connections() { each.drain() } }
        }
        let end = ContinuousClock.now + drainTimeout
        while ContinuousClock.now < end {
            if await open() == 0 { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
        let left = await open()
        logger.warning("drain took too long, closing what is left", metadata: ["connections": "\(left)"])
        for loop in loops.contexts {
            loop.services.eventLoop.execute { for each in loop.connections() { each.close() } }
        }
    }

    /// A loop that says nothing counts as one that has something open.
    private func open() async -> Int {
        await onEachLoop { $0.connectionCount + $0.arriving.load(ordering: .relaxed) }
            .reduce(0) { $0 + ($1 ?? 1) }
    }

    /// How long a loop may take to say something of itself.
    private static let loopAnswerTime = TimeAmount.milliseconds(100)
    /// How long all that `/ready` depends on may take.
    private static let healthMilliseconds: Int64 = 200

    /// What each loop said last of its counts, by its number.
    private let metricsKnown = Mutex<[Int: LoopMetrics]>([:])

    /// What each loop says; nil for one that is held up.
    private func onEachLoop<Value: Sendable>(_ body: @escaping @Sendable (LoopContext) -> Value) async
        -> [Value?]
    {
        let clock = MultiThreadedEventLoopGroup.singleton.any()
        let asked = loops.contexts.map { loop in
            let answer = FirstAnswer<Value>()
            loop.services.eventLoop.execute { answer.give(body(loop)) }
            clock.scheduleTask(in: Self.loopAnswerTime) { answer.give(nil) }
            return answer
        }
        var values: [Value?] = []
        for answer in asked { values.append(await answer.value()) }
        return values
    }

    // MARK: - Admin port

    private func adminAnswer(_ path: String) async -> AdminAnswer {
        switch path {
        case "/live": return .text("ok\n")
        case "/ready": return await readiness()
        case "/links": return .json(await linksText())
        case "/metrics": return .text(await metricsText())
        default: return .notFound
        }
    }

    private func readiness() async -> AdminAnswer {
        async let stirring = onEachLoop { _ in true }
        let silent = [HealthLine("machinery", passed: false, detail: "says nothing")]
        var lines = await inTime(Self.healthMilliseconds, late: silent, body: health)
        for (number, answer) in await stirring.enumerated() where answer == nil {
            lines.append(HealthLine("loop \(number)", passed: false, detail: "held up"))
        }
        lines += await dialledLinks()
        if !serving.load(ordering: .relaxed) {
            lines.append(HealthLine("host", passed: false, detail: "draining"))
        }
        let text = lines.map { "\($0.passed ? "ok" : "FAILED") \($0.subject): \($0.detail)\n" }.joined()
        return lines.allSatisfy(\.passed) ? .text("ready\n" + text) : .unavailable("not ready\n" + text)
    }

    /// Links that the host dials and that it has to have: connected, and signed on where it signs on.
    private func dialledLinks() async -> [HealthLine] {
        let required = links.all.filter {
            let configuration = $0.settings.configuration
            return configuration.role == .client && configuration.isRequired
        }
        guard !required.isEmpty else { return [] }
        let connections = await onEachLoop { loop in loop.connections().map { ($0.served.slot, $0.status) } }
            .compactMap(\.self).joined()
        return required.map { link in
            let open = connections.filter { $0.0 == link.slot }.map { $0.1 }
            guard !open.isEmpty else {
                return HealthLine(
                    "link \(link.name)", passed: false, detail: link.endpoint?.trouble ?? "no connection")
            }
            guard link.settings.configuration.signsOn, !open.contains(where: \.hostSignedOn) else {
                return HealthLine("link \(link.name)", passed: true, detail: "connected")
            }
            return HealthLine(
                "link \(link.name)", passed: false,
                detail: open.compactMap(\.signOnFault).first ?? "the sign-on is not answered yet")
        }
    }

    private func metricsText() async -> String {
        var sum = LoopMetrics()
        let said = await onEachLoop { loop in
            var metrics = loop.metrics
            metrics.inFlight = loop.load.inFlight
            return metrics
        }
        // What a loop that is held up said last counts: without it counters would fall, and a rate over them be that of a start.
        let known = metricsKnown.withLock { known in
            for (number, metrics) in said.enumerated() { known[number] = metrics ?? known[number] }
            return known
        }
        for metrics in known.values { sum.add(metrics) }
        let families =
            sum.families(links: links.namesBySlot)
            + [links.connections] + links.revocationLists
            + (await moreMetrics())
        return families.map(\.text).joined()
    }

    private func linksText() async -> String {
        let connections = await onEachLoop { loop in
            loop.connections().map { ($0.served.slot, $0.status) }
        }.compactMap(\.self).joined()
        let links = links.all.map { link in
            LinkStatus(link, connections: connections.filter { $0.0 == link.slot }.map { $0.1 }).json
        }
        return "[" + links.joined(separator: ",\n ") + "]\n"
    }
}
