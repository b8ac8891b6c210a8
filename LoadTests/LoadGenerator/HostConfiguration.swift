internal import FoundationEssentials
public import ISO8583
internal import NIOCore
internal import NIOSSL
internal import VirtualCard
internal import Yams

/// Where a link is and what it speaks.
public struct LoadLink: Sendable {
    /// Its name in the host's configuration.
    public let name: String
    /// Address to connect to.
    public let host: String
    /// TCP port.
    public let port: Int
    /// Dialect.
    public let codec: MessageCodec
    /// Framing.
    public let framing: Framing
    let zonePINKey: [UInt8]?
    /// For a link with TLS.
    var tls: LoadTLS?

    /// - Parameter zonePINKey: a test key; nil for a link without PINs.
    public init(
        name: String, host: String, port: Int, codec: MessageCodec, framing: Framing, zonePINKey: [UInt8]?
    ) {
        self.name = name
        self.host = host
        self.port = port
        self.codec = codec
        self.framing = framing
        self.zonePINKey = zonePINKey
    }
}

/// The parts of `issuer-host.yaml` that a load needs. Everything else in the file is the host's.
public struct HostConfiguration: Sendable {
    /// By name.
    public let links: [LoadLink]
    /// Test keys and kinds of card.
    public let issuerPath: String
    /// Host and port of `/metrics`; nil if the host has none.
    public let admin: (host: String, port: Int)?

    /// Reads the file and the dialects that it names; relative paths count from its folder.
    public init(contentsOf path: String) throws(LoadSetupError) {
        guard let text = try? String(contentsOf: URL(filePath: path), encoding: .utf8) else {
            throw LoadSetupError("cannot read \(path)")
        }
        let file: ConfigurationFile
        do { file = try YAMLDecoder().decode(ConfigurationFile.self, from: text) } catch {
            throw LoadSetupError("\(path): \(describe(error))")
        }
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        func absolute(_ name: String) -> String { name.hasPrefix("/") ? name : "\(folder)/\(name)" }
        issuerPath = absolute(file.demo.issuer)
        admin = file.admin.map { (reachable($0.host), $0.port) }
        do {
            let issuer = try DemoIssuer(contentsOf: issuerPath)
            links = try file.links.sorted { $0.key < $1.key }.map { name, link in
                let form = link.framing ?? "2be"
                let inclusive = form.hasSuffix("-incl")
                guard let length = Framing.LengthForm(rawValue: inclusive ? String(form.dropLast(5)) : form)
                else { throw LoadSetupError("\(path): link \(name): framing \(form) is unknown") }
                let dialect = try Dialect(
                    contentsOf: "\(absolute(file.dialects))/\(link.dialect).json")
                var found = LoadLink(
                    name: name, host: reachable(link.host), port: link.port,
                    codec: MessageCodec(dialect: dialect),
                    framing: Framing(length, includesItself: inclusive, tpduLength: link.tpduBytes ?? 0),
                    zonePINKey: try link.zonePINKey.map { try issuer.key($0) })
                if link.tls != nil {
                    guard let identity = file.demo.tls else {
                        throw LoadSetupError(
                            "\(path): link \(name) has TLS; demo.tls has to name the terminals' certificate")
                    }
                    found.tls = try LoadTLS(identity, absolute)
                }
                return found
            }
        } catch {
            throw LoadSetupError("\(path): \(error)")
        }
    }

    /// The links with these names, in this order; all of them for none.
    public func links(named names: [String]) throws(LoadSetupError) -> [LoadLink] {
        guard !names.isEmpty else { return links }
        var found: [LoadLink] = []
        for name in names {
            guard let link = links.first(where: { $0.name == name }) else {
                let valid = links.map(\.name).joined(separator: ", ")
                throw LoadSetupError("there is no link \(name); choose one of: \(valid)")
            }
            found.append(link)
        }
        return found
    }
}

/// Addresses that mean "every interface" to a listener mean nothing to a caller.
private func reachable(_ host: String?) -> String {
    switch host {
    case nil, "0.0.0.0": "127.0.0.1"
    case "::": "::1"
    case .some(let host): host
    }
}

/// How the connections of a link with TLS show themselves, and whom they trust.
struct LoadTLS: Sendable {
    let context: NIOSSLContext
    /// The name that the host's certificate bears; nil: the address.
    let serverName: String?

    fileprivate init(_ identity: ConfigurationFile.Identity, _ absolute: (String) -> String) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if let file = identity.trustedFile { configuration.trustRoots = .file(absolute(file)) }
        if let file = identity.certificateFile {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(absolute(file)).map {
                .certificate($0)
            }
        }
        if let file = identity.privateKeyFile {
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: absolute(file), format: .pem))
        }
        context = try NIOSSLContext(configuration: configuration)
        serverName = identity.serverName
    }

    func handler(for host: String) throws -> NIOSSLClientHandler {
        // A certificate's name is compared; an address is none (RFC 6066 3).
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(
            context: context, serverHostname: serverName ?? (isAddress ? nil : host))
    }
}

private struct ConfigurationFile: Decodable {
    struct Identity: Decodable {
        let trustedFile: String?
        let certificateFile: String?
        let privateKeyFile: String?
        let serverName: String?
    }
    struct TLS: Decodable {}
    struct Demo: Decodable {
        let issuer: String
        let tls: Identity?
    }
    struct Admin: Decodable { let host: String?, port: Int }
    struct Link: Decodable {
        let host: String?
        let port: Int
        let dialect: String
        let framing: String?
        let tpduBytes: Int?
        let zonePINKey: String?
        let tls: TLS?
    }

    let demo: Demo
    let dialects: String
    let links: [String: Link]
    let admin: Admin?
}
