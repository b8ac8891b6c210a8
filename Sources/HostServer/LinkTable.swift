internal import IssuerMessages
internal import Logging
internal import NIOCore
internal import Synchronization

/// The links that are served now.
final class LinkTable: Sendable {
    private struct State {
        var links: [ServedLink]
        /// Of all links that there ever were: counts stay with them.
        var names: [String]
    }

    private let state: Mutex<State>
    private let loops: LoopTable
    private let group: any EventLoopGroup
    private let logger: Logger
    private let clock: @Sendable () -> UInt64

    init(
        _ configurations: [LinkConfiguration], loops: LoopTable, group: any EventLoopGroup, logger: Logger,
        clock: @escaping @Sendable () -> UInt64
    ) throws {
        self.loops = loops
        self.group = group
        self.logger = logger
        self.clock = clock
        let links = try configurations.enumerated().map {
            ServedLink(try ServedLink.Settings($0.element), slot: $0.offset)
        }
        state = Mutex(State(links: links, names: links.map(\.name)))
    }

    var all: [ServedLink] { state.withLock { $0.links } }

    var namesBySlot: [String] { state.withLock { $0.names } }

    var connections: MetricFamily {
        .labelled(
            "issuer_link_connections", .gauge, help: "Connections of a link that are open.",
            values: all.map { ([("link", $0.name)], "\($0.openConnections)") })
    }

    /// As they are served: a file that was put in place and not reloaded changes nothing here. Empty where no link has any.
    var revocationLists: [MetricFamily] {
        let ends = all.flatMap { link in
            (link.settings.tls?.trust.listEnds ?? []).map { (link: link.name, end: $0) }
        }
        guard !ends.isEmpty else { return [] }
        func family(_ name: String, _ help: String, value: (PeerTrust.ListEnd) -> Int64) -> MetricFamily {
            .labelled(
                name, .gauge, help: help,
                values: ends.map { link, end in
                    ([("link", link), ("authority", end.authority)], "\(value(end))")
                })
        }
        return [
            family(
                "issuer_revocation_list_issued_timestamp_seconds",
                "When the list of revoked certificates of an authority was issued, seconds since 1970.",
                value: \.issued),
            family(
                "issuer_revocation_list_expiry_timestamp_seconds",
                "When the next list of revoked certificates of an authority is due, seconds since 1970.",
                value: \.next),
            family(
                "issuer_revocation_list_usable_until_timestamp_seconds",
                "Until when new peers are let in by the list that is here, seconds since 1970.",
                value: \.usable),
        ]
    }

    func open() async throws {
        for link in all { _ = link.replace(try await endpoint(of: link)) }
    }

    func close() async {
        for link in all { await link.replace(nil)?.stop() }
    }

    /// Everything that can fail comes before the first thing that changes.
    func reload(_ configurations: [LinkConfiguration]) async throws {
        let old = all
        let settings = try configurations.map { try ServedLink.Settings($0) }
        var opened: [String: any Endpoint] = [:]
        var links: [ServedLink] = []
        do {
            for new in settings {
                let name = new.configuration.profile.name
                let known = old.first { $0.name == name && new.hasSamePlace(as: $0.settings) }
                let link = known ?? ServedLink(new, slot: slot(of: name))
                links.append(link)
                if known == nil, new.configuration.role == .server {
                    opened[name] = try await endpoint(of: link)
                }
            }
        } catch {
            for endpoint in opened.values { await endpoint.stop() }
            throw error
        }
        for (link, new) in zip(links, settings) {
            link.replace(new)
            if let endpoint = opened[link.name] { _ = link.replace(endpoint) }
            // A dialler begins with the configuration that it is to have.
            if link.endpoint == nil { _ = link.replace(try? await endpoint(of: link)) }
        }
        let serving = links
        state.withLock { $0.links = serving }
        for link in old where !links.contains(where: { $0 === link }) { await link.replace(nil)?.stop() }
        adopt(links)
    }

    /// Tells every open connection.
    private func adopt(_ links: [ServedLink]) {
        for loop in loops.contexts {
            loop.services.eventLoop.execute {
                for connection in loop.connections() {
                    if links.contains(where: { $0 === connection.served }) {
                        connection.adopt(connection.served.settings)
                    } else {
                        connection.drain()
                    }
                }
            }
        }
    }

    private func slot(of name: String) -> Int {
        state.withLock { state in
            if let index = state.names.firstIndex(of: name) { return index }
            state.names.append(name)
            return state.names.count - 1
        }
    }

    private func endpoint(of link: ServedLink) async throws -> any Endpoint {
        let configuration = link.settings.configuration
        switch configuration.role {
        case .server:
            do { return try await ListeningEndpoint(link, loops, group: group) } catch {
                throw EndpointError(
                    description:
                        "links.\(link.name): cannot listen on \(configuration.host):\(configuration.port): \(error)"
                )
            }
        case .client: return DiallingEndpoint(link, loops, group: group, logger: logger, clock: clock)
        }
    }
}

/// A link that cannot be opened.
struct EndpointError: Error, CustomStringConvertible {
    let description: String
}
