internal import ISO8583
internal import IssuerMessages
internal import Logging
internal import NIOCore

/// One connection, as `/links` shows it.
struct ConnectionStatus: Sendable {
    let name: String
    let peer: String
    let inFlight: Int
    let heardMillisecondsAgo: UInt64
    let peerSignedOn: Bool
    let hostSignedOn: Bool
    /// Why the host's sign-on came to nothing.
    let signOnFault: String?
    let waits: Bool

    var json: String {
        JSONText.object([
            ("connection", .text(name)), ("peer", .text(peer)), ("inFlight", .number(inFlight)),
            ("heardMillisecondsAgo", .number(Int(clamping: heardMillisecondsAgo))),
            ("peerSignedOn", .flag(peerSignedOn)), ("hostSignedOn", .flag(hostSignedOn)),
            ("signOn", .text(signOnFault ?? "")),
            ("readingStopped", .flag(waits)),
        ])
    }
}

/// One link, as `/links` shows it.
struct LinkStatus {
    private let link: ServedLink
    private let connections: [ConnectionStatus]

    init(_ link: ServedLink, connections: [ConnectionStatus]) {
        self.link = link
        self.connections = connections
    }

    var json: String {
        let configuration = link.settings.configuration
        let trouble = link.endpoint?.trouble
        return JSONText.object([
            ("link", .text(link.name)), ("role", .text(configuration.role.rawValue)),
            ("address", .text(link.endpoint?.address ?? "")),
            ("dialect", .text(configuration.codec.dialect.name)),
            ("tls", .flag(configuration.tls != nil)), ("mac", .flag(configuration.mac != nil)),
            ("state", .text(trouble ?? (configuration.role == .server ? "listening" : "connected"))),
            ("connections", .raw("[" + connections.map(\.json).joined(separator: ",") + "]")),
        ])
    }
}

extension AcquirerConnection {
    /// On the loop.
    var status: ConnectionStatus {
        ConnectionStatus(
            name: logger[metadataKey: "connection"].map { "\($0)" } ?? "",
            peer: context?.remoteAddress.map { "\($0.ipAddress ?? "?"):\($0.port ?? 0)" } ?? "?",
            inFlight: state.inFlight, heardMillisecondsAgo: (loop.clock() &- state.heardAt) / 1_000_000,
            peerSignedOn: network.peerSignedOn, hostSignedOn: network.hostSignedOn,
            signOnFault: network.signOnFault,
            waits: state.readingStopped)
    }
}
