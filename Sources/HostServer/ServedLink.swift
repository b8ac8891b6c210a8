internal import IssuerMessages
internal import NIOCore
internal import Synchronization

/// One link as it is served: its configuration of now, what keeps it open, and how many connections it has.
final class ServedLink: Sendable {
    /// What new connections get.
    struct Settings: Sendable {
        var configuration: LinkConfiguration
        var tls: TLSContext?

        init(_ configuration: LinkConfiguration) throws {
            self.configuration = configuration
            tls = try configuration.tls.map {
                try TLSContext($0, role: configuration.role, link: configuration.profile.name)
            }
        }

        /// Whether a listener, or connections that the host opened, can stay as they are.
        func hasSamePlace(as other: Settings) -> Bool {
            (configuration.role, configuration.host, configuration.port)
                == (other.configuration.role, other.configuration.host, other.configuration.port)
        }
    }

    /// A connection that is not let in, and why.
    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    private struct State {
        var settings: Settings
        var open = 0
        /// Channels that end and whose connections do not.
        var left: Set<ObjectIdentifier> = []
        var endpoint: (any Endpoint)?
    }

    let name: String
    /// Place of its counts in the metrics. Never used for another link again.
    let slot: Int
    private let state: Mutex<State>

    init(_ settings: Settings, slot: Int) {
        name = settings.configuration.profile.name
        self.slot = slot
        state = Mutex(State(settings: settings))
    }

    var settings: Settings { state.withLock { $0.settings } }

    var openConnections: Int { state.withLock { $0.open } }

    var endpoint: (any Endpoint)? { state.withLock { $0.endpoint } }

    func replace(_ settings: Settings) { state.withLock { $0.settings = settings } }

    /// - Returns: what it replaces.
    func replace(_ endpoint: (any Endpoint)?) -> (any Endpoint)? {
        state.withLock { state in
            defer { state.endpoint = endpoint }
            return state.endpoint
        }
    }

    /// Counts a connection until its channel closes, unless it may not be.
    func admit(_ channel: any Channel) throws(Refused) -> Settings {
        let peer = channel.remoteAddress
        let outcome: Result<Settings, Refused> = state.withLock { state in
            let configuration = state.settings.configuration
            guard configuration.allows(peer) else {
                return .failure(Refused(description: "the peer is none of allowedPeers"))
            }
            guard configuration.role == .client || state.open < configuration.connectionsMax else {
                return .failure(Refused(description: "connectionsMax are open"))
            }
            state.open += 1
            return .success(state.settings)
        }
        let settings = try outcome.get()
        discount(channel)
        return settings
    }

    /// A connection goes to another channel, and is open all the time.
    func leaves(_ channel: any Channel) { state.withLock { _ = $0.left.insert(ObjectIdentifier(channel)) } }

    /// The connection that is counted ends with this channel, unless it leaves it.
    func discount(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { state in if state.left.remove(id) == nil { state.open -= 1 } }
        }
    }
}

/// What keeps a link open: a listener, or the dialling of the host.
protocol Endpoint: Sendable {
    /// The address that is listened on or connected to.
    var address: String { get }
    /// Nil while all is well; otherwise why connections are missing.
    var trouble: String? { get }
    /// Accepts or opens no connections any more; those that are open stay.
    func stop() async
}
