package import ISO8583
internal import IssuerConfiguration
internal import NIOCore
internal import NIOSSL
package import VirtualCard

/// Where a link is and what it speaks.
package struct LoadLink: Sendable {
    /// Its name in the host's configuration.
    package let name: String
    /// Address to connect to.
    package let host: String
    /// TCP port.
    package let port: Int
    /// Dialect.
    package let codec: MessageCodec
    /// Framing.
    package let framing: Framing
    let zonePINKey: [UInt8]?
    /// For a link whose PIN blocks are of format 4.
    var aesPINKey: [UInt8]?
    /// For a link with 3-D Secure.
    var authentication: LoadAuthentication?
    /// For a link with TLS.
    var tls: LoadTLS?
    /// For a link with MACs.
    var mac: LoadMAC?

    /// - Parameter zonePINKey: a test key; nil for a link without PINs.
    package init(
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

extension LoadLink {
    /// A link without a configuration.
    /// - Parameters:
    ///   - target: `HOST:PORT` or `[IPV6]:PORT`.
    ///   - dialect: a file of the folder, without `.json`.
    ///   - framing: one of `framings`.
    ///   - zonePINKey: name of a test key of the issuer's file; nil sends no PINs.
    package init(
        target: String, dialect: String, dialects folder: String, framing: String, zonePINKey: String?,
        issuer: DemoIssuer
    ) throws(LoadSetupError) {
        guard let colon = target.lastIndex(of: ":"), let port = Int(target[target.index(after: colon)...]),
            (1...65_535).contains(port), colon > target.startIndex
        else { throw LoadSetupError("target \(target) is no HOST:PORT") }
        let name = target[..<colon]
        let isBracketed = name.hasPrefix("[") && name.hasSuffix("]")
        do {
            self.init(
                name: target, host: String(isBracketed ? name.dropFirst().dropLast() : name), port: port,
                codec: MessageCodec(dialect: try Dialect(contentsOf: "\(folder)/\(dialect).json")),
                framing: try LoadLink.framing(framing), zonePINKey: try zonePINKey.map { try issuer.key($0) })
        } catch {
            throw LoadSetupError("target \(target): \(error)")
        }
    }

    /// Names that `framing` may have.
    package static let framings = Framing.names

    private static func framing(_ name: String) throws(LoadSetupError) -> Framing {
        guard let framing = Framing(name: name) else {
            throw LoadSetupError("there is no framing \(name); choose \(framings.joined(separator: ", "))")
        }
        return framing
    }
}

/// The parts of `issuer-host.yaml` that a load needs. Everything else in the file is the host's.
package struct HostConfiguration: Sendable {
    /// By name.
    package let links: [LoadLink]
    /// Test keys and kinds of card.
    package let issuerPath: String
    /// Host and port of `/metrics`; nil if the host has none.
    package let admin: (host: String, port: Int)?

    /// Reads the file as the host does, overrides of the environment included, and the dialects that it names.
    package init(contentsOf path: String) throws(LoadSetupError) {
        do {
            let host = try IssuerConfiguration(path: path)
            issuerPath = try host.demoIssuer()
            admin = host.reachableAdmin
            let issuer = try DemoIssuer(contentsOf: issuerPath)
            links = try host.links.sorted { $0.name < $1.name }.map { try LoadLink($0, host, issuer: issuer) }
        } catch let error as LoadSetupError {
            throw error
        } catch {
            throw LoadSetupError("\(error)")
        }
    }

    /// The links with these names, in this order; all of them for none.
    package func links(named names: [String]) throws(LoadSetupError) -> [LoadLink] {
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

extension LoadLink {
    fileprivate init(_ link: IssuerConfiguration.Link, _ host: IssuerConfiguration, issuer: DemoIssuer)
        throws
    {
        guard let framing = Framing(name: link.framing, tpduLength: link.tpduBytes) else {
            throw LoadSetupError("link \(link.name): framing \(link.framing) is unknown")
        }
        var dialect = try Dialect(contentsOf: "\(host.dialects)/\(link.dialect).json")
        if let form = link.iccData.flatMap(ElementDefinition.ChipDataForm.init(rawValue:)) {
            dialect = try dialect.withChipData(form)
        }
        self.init(
            name: link.name, host: link.reachableHost, port: link.port, codec: MessageCodec(dialect: dialect),
            framing: framing, zonePINKey: try link.zonePINKey.map { try issuer.key($0) })
        if link.pins.format == 4 { aesPINKey = try link.pins.aesKey.map { try issuer.key($0) } }
        mac = try link.mac.map { try LoadMAC($0, issuer) }
        authentication = LoadAuthentication(link, host.issuers, keys: issuer)
        guard link.tls != nil else { return }
        guard let identity = host.demo.tls else {
            throw LoadSetupError(
                "link \(link.name) has TLS; demo.tls has to name the terminals' certificate")
        }
        tls = try LoadTLS(identity)
    }
}

/// How the connections of a link with TLS show themselves, and whom they trust.
struct LoadTLS: Sendable {
    let context: NIOSSLContext
    /// The name that the host's certificate bears; nil: the address.
    let serverName: String?

    fileprivate init(_ identity: IssuerConfiguration.Demo.TLS) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if let file = identity.trustedFile { configuration.trustRoots = .file(file) }
        if let file = identity.certificateFile {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map {
                .certificate($0)
            }
        }
        if let file = identity.privateKeyFile {
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: file, format: .pem))
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
