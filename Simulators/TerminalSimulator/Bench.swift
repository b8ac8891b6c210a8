package import EMV
internal import FoundationEssentials
internal import ISO8583
internal import LibCrypto
package import VirtualCard

/// A link with everything loaded that belongs to it. It describes itself without its key.
package struct Link: Sendable, CustomStringConvertible, CustomReflectable {
    /// Its name, or its address.
    package let name: String
    /// Where the host listens.
    package let endpoint: Endpoint
    /// Dialect and framing.
    package let form: WireForm
    /// Test key, TDES or for format 4 AES; nil for a link without PINs.
    package let zonePINKey: [UInt8]?
    /// Its name.
    package let zonePINKeyName: String?
    /// Of format 4 on a link that has another key for the others.
    let aesPINKey: [UInt8]?
    /// How PIN blocks are made where nothing else is said.
    package let pinFormat: PINBlockFormat
    /// Another format that is wanted all the same.
    let wantedPINFormat: PINBlockFormat?
    /// By format, two digits of DE53; nothing is said of `pinFormat`.
    let pinFormatCodes: [PINBlockFormat: String]
    /// Where CVV2 is; nil for a link without.
    package let printedValue: PrintedValuePosition?
    /// Nil for a link without 3-D Secure.
    package let threeDSecure: ThreeDSecure?
    /// Nil for a link without TLS.
    package var tls: TLSIdentity?
    /// Sees every byte of its connections; nil for none.
    package var tap: WireTap?

    /// The key that PIN blocks of a format are under.
    package func zonePINKey(for format: PINBlockFormat) -> [UInt8]? {
        format == .iso4 ? aesPINKey ?? zonePINKey : zonePINKey
    }

    /// Name and address.
    package var description: String { "\(name) (\(endpoint))" }
    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a configuration comes to once its files are read: keys, cards and links to test with.
package struct Bench: Sendable {
    /// As read.
    package let configuration: SimulatorConfiguration
    /// Keys and cards.
    package let issuer: DemoIssuer

    /// Cards whose keys come from a bureau's file; nil derives all from the issuer's.
    private let bureau: BureauFile?
    /// By which terminals check cards: `ca-keys.json` beside the issuer's file, and the environment's own.
    package let caKeys: CAKeys
    /// Certifies cards that no bureau has; nil where there is no `test-scheme.json` beside the issuer's file.
    private let scheme: TestScheme?

    /// Reads the demo issuer's file and what lies beside it. Cards are personalised from the environment's bureau file
    /// where the configuration names one.
    package init(_ configuration: SimulatorConfiguration) throws {
        self.configuration = configuration
        issuer = try DemoIssuer(contentsOf: configuration.issuerPath)
        bureau = nil
        caKeys = try Bench.caKeys(configuration)
        scheme = try Bench.scheme(configuration)
    }

    /// The same with cards that a bureau has personalised: their keys come from its file alone.
    /// - Parameters:
    ///   - path: what `issuer-keys personalise` wrote.
    ///   - transportKey: name of a test key in the issuer's file.
    ///   - dataEncryptionKey: the same, for private keys; nil for a file without.
    package init(
        _ configuration: SimulatorConfiguration, bureau path: String, transportKey: String,
        dataEncryptionKey: String? = nil
    ) throws {
        self.configuration = configuration
        issuer = try DemoIssuer(contentsOf: configuration.issuerPath)
        let issuer = issuer
        bureau = try BureauFile(
            path: path, transportKey: try issuer.key(transportKey),
            dataEncryptionKey: try dataEncryptionKey.map { try issuer.key($0) })
        caKeys = try Bench.caKeys(configuration)
        scheme = try Bench.scheme(configuration)
    }

    private static func beside(_ configuration: SimulatorConfiguration, _ name: String) -> String {
        let issuer = configuration.issuerPath
        return (issuer.lastIndex(of: "/").map { String(issuer[..<$0]) } ?? ".") + "/" + name
    }

    private static func scheme(_ configuration: SimulatorConfiguration) throws -> TestScheme? {
        let path = beside(configuration, "test-scheme.json")
        return FileManager.default.fileExists(atPath: path) ? try TestScheme(contentsOf: path) : nil
    }

    private static func caKeys(_ configuration: SimulatorConfiguration) throws -> CAKeys {
        try caKeys(at: [beside(configuration, "ca-keys.json")] + configuration.caKeyPaths)
    }

    /// CA keys of files; those that are not there have none.
    package static func caKeys(at paths: [String]) throws -> CAKeys {
        var entries: [CAKeyFile.Entry] = []
        for path in paths {
            guard let data = FileManager.default.contents(atPath: path) else { continue }
            do { entries += try JSONDecoder().decode(CAKeyFile.self, from: data).keys } catch {
                throw ConfigurationError.malformed(path: path, reason: "no file of CA keys")
            }
        }
        do throws(CAKeyFault) { return try CAKeys(CAKeyFile(keys: entries), .libcrypto) } catch {
            throw ConfigurationError.malformed(path: paths.joined(separator: ", "), reason: "\(error)")
        }
    }

    /// Gives an application its certificates and private key: the bureau's, or where it has none, or one with a fault is
    /// wanted, the test scheme's.
    func certify(
        _ application: inout ChipApplication, of card: CardDefinition, fault: AuthenticationFault? = nil,
        pinKey: Bool = false
    ) throws {
        if fault == nil, !pinKey,
            let found = bureau?.cards.first(where: { $0.identity == card.identity }),
            let authentication = found.authentication, let profile = found.interchangeProfile
        {
            application.interchangeProfile = profile
            application.authentication = authentication
            return
        }
        application.authentication = try scheme?.authentication(
            of: card, application, fault: fault, pinKey: pinKey)
    }

    /// The card with this name, its counter kept in the environment's folder.
    package func card(_ name: String) throws -> VirtualCard {
        guard issuer.cards.contains(where: { $0.name == name }) else {
            throw ConfigurationError.noCard(name, valid: issuer.cards.map(\.name))
        }
        let definition = try issuer.card(name)
        var personalised: BureauFile.PersonalisedCard?
        if let bureau {
            personalised = bureau.cards.first { $0.identity == definition.identity }
            guard personalised != nil else { throw StepError("the bureau's file has no card \(name)") }
        }
        return try VirtualCard(
            issuer, definition: definition, bureau: personalised, stateDirectory: configuration.cardStatePath)
    }

    /// The card that nobody issued: a right cryptogram, an unknown number.
    func stranger() throws -> VirtualCard {
        let model = try issuer.card(DemoTable.strangerModel)
        let definition = model.renumbered(try PAN(DemoTable.strangerPAN), name: DemoTable.stranger)
        return try VirtualCard(issuer, definition: definition)
    }

    /// Loads dialect and key of a link.
    package func link(_ description: LinkDescription) throws -> Link {
        var dialect = try dialect(description.dialect)
        if let form = description.chipData { dialect = try dialect.withChipData(form) }
        guard let framing = Framing(name: description.framing, tpduLength: description.tpduBytes) else {
            throw ConfigurationError.noFraming(description.framing, valid: Framing.names)
        }
        return Link(
            name: description.name, endpoint: description.endpoint,
            form: WireForm(
                codec: MessageCodec(dialect: dialect),
                framing: framing,
                mac: try description.mac.map { try mac($0) }),
            zonePINKey: try description.zonePINKey.map { try key($0) },
            zonePINKeyName: description.zonePINKey,
            aesPINKey: try description.aesPINKey.map { try key($0) }, pinFormat: description.pinFormat,
            wantedPINFormat: description.wantedPINFormat,
            pinFormatCodes: description.pinFormatCodes,
            printedValue: description.printedValue, threeDSecure: threeDSecure(description),
            tls: description.tls)
    }

    private func threeDSecure(_ description: LinkDescription) -> ThreeDSecure? {
        guard let place = description.authentication else { return nil }
        let servers = configuration.authenticationRanges.compactMap { range in
            issuer.authenticationServer(key: range.key).map { (range: range, server: $0) }
        }
        return ThreeDSecure(
            place: place, servers: servers.sorted { $0.range.prefix.count > $1.range.prefix.count })
    }

    /// - Parameter name: of a dialect in the folder, or the path of a file.
    private func dialect(_ name: String) throws -> Dialect {
        if name.contains("/") || name.hasSuffix(".json") { return try Dialect(contentsOf: name) }
        let known = try dialectNames()
        guard known.contains(name) else { throw ConfigurationError.noDialect(name, valid: known) }
        return try Dialect(contentsOf: "\(configuration.dialectsPath)/\(name).json")
    }

    private func mac(_ description: MACDescription) throws -> LinkMAC {
        guard let padding = MACPadding(rawValue: description.padding) else {
            throw ConfigurationError.noPadding(description.padding)
        }
        return LinkMAC(
            algorithm: description.algorithm, padding: padding, key: try key(description.key))
    }

    private func key(_ name: String) throws -> [UInt8] {
        do throws(DemoIssuerError) { return try issuer.key(name) } catch {
            throw ConfigurationError.noKey(name, valid: issuer.namedKeys.map(\.name))
        }
    }

    private func dialectNames() throws -> [String] {
        let folder = configuration.dialectsPath
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw ConfigurationError.unreadable(path: folder)
        }
        return names.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }
}

extension Exchange {
    /// Connects over a link.
    package init(to link: Link, timeout: Duration) throws(ConnectionError) {
        try self.init(
            to: link.endpoint, form: link.form, identity: link.tls, tap: link.tap, timeout: timeout)
    }
}
