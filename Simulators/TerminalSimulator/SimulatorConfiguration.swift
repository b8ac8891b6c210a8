package import EMV
internal import Foundation
package import ISO8583
internal import IssuerConfiguration
package import IssuerMessages

/// A configuration that the simulator cannot use. Names the file, key or name at fault, and the valid names.
package enum ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A file or folder cannot be read.
    case unreadable(path: String)
    /// The host's own reader refuses the file: place, key and reason.
    case refused(String)
    /// A result cannot be written there.
    case unwritable(path: String, reason: String)
    /// No YAML of the expected form.
    case malformed(path: String, reason: String)
    /// No link of this name.
    case noLink(String, valid: [String])
    /// No dialect of this name.
    case noDialect(String, valid: [String])
    /// No framing of this name.
    case noFraming(String, valid: [String])
    /// No card of this name.
    case noCard(String, valid: [String])
    /// A padding of MACs that does not exist.
    case noPadding(Int)
    /// No key of this name.
    case noKey(String, valid: [String])

    /// One line for people.
    package var description: String {
        switch self {
        case .unreadable(let path): "cannot read \(path)"
        case .refused(let words): words
        case .unwritable(let path, let reason): "\(path) cannot be written: \(reason)"
        case .malformed(let path, let reason): "\(path): \(reason)"
        case .noLink(let name, let valid): ConfigurationError.words("link", name, valid: valid)
        case .noDialect(let name, let valid): ConfigurationError.words("dialect", name, valid: valid)
        case .noFraming(let name, let valid): ConfigurationError.words("framing", name, valid: valid)
        case .noCard(let name, let valid): ConfigurationError.words("card", name, valid: valid)
        case .noKey(let name, let valid): ConfigurationError.words("key", name, valid: valid)
        case .noPadding(let number): "there is no padding \(number) of MACs; choose 1, 2 or 3"
        }
    }

    private static func words(_ kind: String, _ name: String, valid: [String]) -> String {
        "there is no \(kind) \(name); choose one of: \(valid.joined(separator: ", "))"
    }
}

/// The MACs of a link as the configuration describes them.
package struct MACDescription: Hashable, Sendable {
    /// Name of a zone authentication key in the demo issuer's file.
    package var key: String
    /// One of `LinkMAC.Algorithm`.
    package var algorithm: LinkMAC.Algorithm
    /// 1…3, of the two ISO algorithms.
    package var padding: Int

    package init(key: String, algorithm: LinkMAC.Algorithm, padding: Int) {
        self.key = key
        self.algorithm = algorithm
        self.padding = padding
    }
}

/// A link as the configuration describes it.
package struct LinkDescription: Hashable, Sendable {
    /// Its name, or the address where the user gave one.
    package var name: String
    /// Where the host listens.
    package var endpoint: Endpoint
    /// Name of a file in the folder of dialects, without `.json`.
    package var dialect: String
    /// One of `Framing.names`.
    package var framing: String
    /// Bytes of a TPDU between length and message that are no part of the dialect; 0 if there is none.
    package var tpduBytes: Int
    /// How the objects of DE55 stand in it; nil: as the dialect says.
    package var chipData: ElementDefinition.ChipDataForm?
    /// Name of a key in the demo issuer's file; nil for a link without PINs.
    package var zonePINKey: String?
    /// How PIN blocks are made where nothing else is said.
    package var pinFormat = PINBlockFormat.iso0
    /// Another format that is wanted all the same; DE53 says so where the link has digits for it.
    package var wantedPINFormat: PINBlockFormat?
    /// Digits 5 and 6 of DE53 for a format that is not the link's usual one; empty where it is not said there.
    package var pinFormatCodes: [PINBlockFormat: String] = [:]
    /// Name of the AES key of format 4; nil where `zonePINKey` is one, or none is needed.
    package var aesPINKey: String?
    /// Where CVV2 is; nil for a link without.
    package var printedValue: PrintedValuePosition?
    /// Where 3-D Secure is; nil for a link without.
    package var authentication: AuthenticationPlace?
    /// Nil for a link without MACs.
    package var mac: MACDescription?
    /// Nil for a link without TLS.
    package var tls: TLSIdentity?

    package init(
        name: String, endpoint: Endpoint, dialect: String, framing: String, tpduBytes: Int = 0,
        zonePINKey: String?
    ) {
        self.name = name
        self.endpoint = endpoint
        self.dialect = dialect
        self.framing = framing
        self.tpduBytes = tpduBytes
        self.zonePINKey = zonePINKey
    }
}

/// The parts of `issuer-host.yaml` that a terminal needs. Everything else in the file is the host's.
package struct SimulatorConfiguration: Sendable {
    /// The demo issuer's keys and cards.
    package let issuerPath: String
    /// Folder of the cards' counters.
    package let cardStatePath: String
    /// Folder of dialects.
    package let dialectsPath: String
    /// Files of CA keys beside those of the demo issuer: the environment's own.
    package let caKeyPaths: [String]
    /// Relative paths count from here.
    package let folder: String
    /// By name.
    package var links: [LinkDescription]
    /// Ranges with access control servers.
    package let authenticationRanges: [AuthenticationRange]

    /// Reads the file as the host does, overrides of the environment included.
    package init(contentsOf path: String) throws(ConfigurationError) {
        let host: IssuerConfiguration
        do {
            host = try IssuerConfiguration(path: path)
            issuerPath = try host.demoIssuer()
        } catch { throw .refused("\(error)") }
        cardStatePath = host.demo.cardState
        dialectsPath = host.dialects
        caKeyPaths = host.demo.caKeys
        folder = host.folder
        let identity = TLSIdentity(host.demo.tls)
        authenticationRanges = host.issuers.compactMap(AuthenticationRange.init)
        links = host.links.sorted { $0.name < $1.name }.map { LinkDescription($0, identity) }
    }

    /// Without a file and without links: for hosts that are named by their address.
    package init(issuerPath: String, dialectsPath: String, cardStatePath: String) {
        self.issuerPath = issuerPath
        self.dialectsPath = dialectsPath
        caKeyPaths = []
        self.cardStatePath = cardStatePath
        folder = "."
        links = []
        authenticationRanges = []
    }

    /// The demo issuer and the dialects that this program was shipped with, found above its own place or above the
    /// folder it is used in; nil where they are not there.
    package static func shipped(above places: [String], cardStatePath: String) -> SimulatorConfiguration? {
        for place in places {
            var folder = URL(filePath: place).standardizedFileURL
            while folder.path() != "/" {
                let issuer = folder.appending(path: "Config/demo/demo-issuer.json").path()
                if FileManager.default.isReadableFile(atPath: issuer) {
                    return SimulatorConfiguration(
                        issuerPath: issuer, dialectsPath: folder.appending(path: "Config/iso8583").path(),
                        cardStatePath: cardStatePath)
                }
                folder = folder.deletingLastPathComponent()
            }
        }
        return nil
    }

    /// The link with this name.
    package func link(_ name: String) throws(ConfigurationError) -> LinkDescription {
        guard let link = links.first(where: { $0.name == name }) else {
            throw .noLink(name, valid: links.map(\.name))
        }
        return link
    }
}

extension LinkDescription {
    fileprivate init(_ link: IssuerConfiguration.Link, _ identity: TLSIdentity) {
        self.init(
            name: link.name, endpoint: Endpoint(host: link.reachableHost, port: UInt16(clamping: link.port)),
            dialect: link.dialect, framing: link.framing, tpduBytes: link.tpduBytes,
            zonePINKey: link.zonePINKey)
        mac = link.mac.map {
            MACDescription(
                key: $0.key, algorithm: LinkMAC.Algorithm(rawValue: $0.algorithm) ?? .algorithm3,
                padding: $0.padding)
        }
        pinFormat = PINBlockFormat(rawValue: UInt8(clamping: link.pins.format)) ?? .iso0
        tls = link.tls == nil ? nil : identity
        chipData = link.iccData.flatMap(ElementDefinition.ChipDataForm.init(rawValue:))
        aesPINKey = link.pins.aesKey
        pinFormatCodes = Self.codes(link.pins.formatCodes)
        printedValue = link.cvv2Element.flatMap { DataElement(rawValue: UInt8(clamping: $0)) }.map {
            PrintedValuePosition(element: $0, offset: link.cvv2Offset)
        }
        authentication = link.authenticationValue.flatMap(Self.place)
    }

    /// As the host reads it; what that refuses, no host serves.
    private static func place(_ file: IssuerConfiguration.LinkAuthentication) -> AuthenticationPlace? {
        func element(_ number: Int) -> DataElement? {
            UInt8(exactly: number).flatMap(DataElement.init(rawValue:))
        }
        guard let value = element(file.element) else { return nil }
        var place = AuthenticationPlace(element: value)
        place.offset = file.offset
        place.encoding = AuthenticationPlace.Encoding(rawValue: file.encoding) ?? .base64
        place.indicatorElement = file.eciElement.flatMap(element)
        place.indicatorOffset = file.eciOffset
        place.indicatorLength = file.eciLength
        place.recurring = file.recurring.compactMap { AuthenticationPlace.Mark($0) }
        return place
    }

    /// `01:0`: digits 5 and 6 of DE53, and what they stand for.
    private static func codes(_ texts: [String]) -> [PINBlockFormat: String] {
        let pairs = texts.compactMap { text -> (PINBlockFormat, String)? in
            let parts = text.split(separator: ":")
            guard parts.count == 2, let number = UInt8(parts[1]) else { return nil }
            return PINBlockFormat(rawValue: number).map { ($0, String(parts[0])) }
        }
        return Dictionary(pairs) { first, _ in first }
    }
}

extension AuthenticationRange {
    fileprivate init?(_ issuer: IssuerConfiguration.Issuer) {
        guard let file = issuer.authenticationValue, let form = AuthenticationValueForm(rawValue: file.form),
            let key = file.keyLabels.first
        else { return nil }
        self.init(prefix: issuer.prefix, form: form, key: key, numberIsTime: file.numberIsTime)
    }
}

extension TLSIdentity {
    fileprivate init(_ identity: IssuerConfiguration.Demo.TLS?) {
        self.init()
        trustedFile = identity?.trustedFile
        certificateFile = identity?.certificateFile
        privateKeyFile = identity?.privateKeyFile
        serverName = identity?.serverName
    }
}
