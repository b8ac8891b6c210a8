public import EMV
internal import FoundationEssentials
internal import ISO8583
internal import LibCrypto
public import VirtualCard

/// A link with everything loaded that belongs to it. It describes itself without its key.
public struct Link: Sendable, CustomStringConvertible, CustomReflectable {
    /// Its name, or its address.
    public let name: String
    /// Where the host listens.
    public let endpoint: Endpoint
    /// Dialect and framing.
    public let form: LinkForm
    /// Test key, TDES or for format 4 AES; nil for a link without PINs.
    public let zonePINKey: [UInt8]?
    /// Its name.
    public let zonePINKeyName: String?
    /// Of format 4 on a link that has another key for the others.
    let aesPINKey: [UInt8]?
    /// How PIN blocks are made where nothing else is said.
    public let pinFormat: PINBlockFormat
    /// Another format that is wanted all the same.
    let wantedPINFormat: PINBlockFormat?
    /// By format, two digits of DE53; nothing is said of `pinFormat`.
    let pinFormatCodes: [PINBlockFormat: String]
    /// Where CVV2 is; nil for a link without.
    public let printedValue: PrintedValuePosition?
    /// Nil for a link without TLS.
    public var tls: TLSIdentity?

    /// The key that PIN blocks of a format are under.
    public func zonePINKey(for format: PINBlockFormat) -> [UInt8]? {
        format == .iso4 ? aesPINKey ?? zonePINKey : zonePINKey
    }

    /// Name and address.
    public var description: String { "\(name) (\(endpoint))" }
    /// Empty, so that a dump shows nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a configuration comes to once its files are read: keys, cards and links to test with.
public struct Bench: Sendable {
    /// As read.
    public let configuration: SimulatorConfiguration
    /// Keys and cards.
    public let issuer: DemoIssuer

    /// Cards whose keys come from a bureau's file; nil derives all from the issuer's.
    private let bureau: BureauFile?

    /// Reads the demo issuer's file.
    public init(_ configuration: SimulatorConfiguration) throws(DemoIssuerError) {
        self.configuration = configuration
        issuer = try DemoIssuer(contentsOf: configuration.issuerPath)
        bureau = nil
    }

    /// The same with cards that a bureau has personalised: their keys come from its file alone.
    /// - Parameters:
    ///   - path: what `issuer-keys personalise` wrote.
    ///   - transportKey: name of a test key in the issuer's file.
    public init(_ configuration: SimulatorConfiguration, bureau path: String, transportKey: String) throws {
        self.configuration = configuration
        issuer = try DemoIssuer(contentsOf: configuration.issuerPath)
        bureau = try BureauFile(path: path, transportKey: try issuer.key(transportKey))
    }

    /// The card with this name, its counter kept in the environment's folder.
    public func card(_ name: String) throws -> VirtualCard {
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
    public func link(_ description: LinkDescription) throws -> Link {
        let dialects = try dialectNames()
        guard dialects.contains(description.dialect) else {
            throw ConfigurationError.noDialect(description.dialect, valid: dialects)
        }
        let dialect = try Dialect(
            contentsOf: "\(configuration.dialectsPath)/\(description.dialect).json")
        return Link(
            name: description.name, endpoint: description.endpoint,
            form: LinkForm(
                codec: MessageCodec(dialect: dialect),
                framing: try FramingName.framing(description.framing, tpduBytes: description.tpduBytes),
                mac: try description.mac.map { try mac($0) }),
            zonePINKey: try description.zonePINKey.map { try key($0) },
            zonePINKeyName: description.zonePINKey,
            aesPINKey: try description.aesPINKey.map { try key($0) }, pinFormat: description.pinFormat,
            wantedPINFormat: description.wantedPINFormat,
            pinFormatCodes: description.pinFormatCodes,
            printedValue: description.printedValue, tls: description.tls)
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
    public init(to link: Link, timeout: Duration) throws(ConnectionError) {
        try self.init(to: link.endpoint, form: link.form, identity: link.tls, timeout: timeout)
    }
}
