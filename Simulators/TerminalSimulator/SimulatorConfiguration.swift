public import EMV
internal import FoundationEssentials
public import ISO8583
internal import Yams

/// A configuration that the simulator cannot use. Names the file, key or name at fault, and the valid names.
public enum ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file cannot be read.
    case unreadable(path: String)
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
    public var description: String {
        switch self {
        case .unreadable(let path): "cannot read \(path) (`make demo` and `make run` write one)"
        case .malformed(let path, let reason): "\(path): \(reason)"
        case .noLink(let name, let valid): ConfigurationError.words("link", name, valid)
        case .noDialect(let name, let valid): ConfigurationError.words("dialect", name, valid)
        case .noFraming(let name, let valid): ConfigurationError.words("framing", name, valid)
        case .noCard(let name, let valid): ConfigurationError.words("card", name, valid)
        case .noKey(let name, let valid): ConfigurationError.words("key", name, valid)
        case .noPadding(let number): "there is no padding \(number) of MACs; choose 1, 2 or 3"
        }
    }

    private static func words(_ kind: String, _ name: String, _ valid: [String]) -> String {
        "there is no \(kind) \(name); choose one of: \(valid.joined(separator: ", "))"
    }
}

/// The MACs of a link as the configuration describes them.
public struct MACDescription: Hashable, Sendable {
    /// Name of a zone authentication key in the demo issuer's file.
    public var key: String
    /// One of `LinkMAC.Algorithm`.
    public var algorithm: LinkMAC.Algorithm
    /// 1…3, of the two ISO algorithms.
    public var padding: Int

    /// Takes the parts.
    public init(key: String, algorithm: LinkMAC.Algorithm, padding: Int) {
        self.key = key
        self.algorithm = algorithm
        self.padding = padding
    }
}

/// A link as the configuration describes it.
public struct LinkDescription: Hashable, Sendable {
    /// Its name, or the address where the user gave one.
    public var name: String
    /// Where the host listens.
    public var endpoint: Endpoint
    /// Name of a file in the folder of dialects, without `.json`.
    public var dialect: String
    /// One of `FramingName`.
    public var framing: String
    /// Bytes of a TPDU between length and message that are no part of the dialect; 0 if there is none.
    public var tpduBytes: Int
    /// Name of a key in the demo issuer's file; nil for a link without PINs.
    public var zonePINKey: String?
    /// How PIN blocks are made where nothing else is said.
    public var pinFormat = PINBlockFormat.iso0
    /// Another format that is wanted all the same; DE53 says so where the link has digits for it.
    public var wantedPINFormat: PINBlockFormat?
    /// Digits 5 and 6 of DE53 for a format that is not the link's usual one; empty where it is not said there.
    public var pinFormatCodes: [PINBlockFormat: String] = [:]
    /// Name of the AES key of format 4; nil where `zonePINKey` is one, or none is needed.
    public var aesPINKey: String?
    /// Where CVV2 is; nil for a link without.
    public var printedValue: PrintedValuePosition?
    /// Nil for a link without MACs.
    public var mac: MACDescription?
    /// Nil for a link without TLS.
    public var tls: TLSIdentity?

    /// Takes the parts.
    public init(
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

/// The framings by the names that configurations use.
public enum FramingName {
    /// In the order in which they are shown to people.
    public static let all = ["2be", "4ascii", "2be-incl", "4ascii-incl"]

    /// - Parameter tpduBytes: 0 or 5.
    /// - Throws: `.noFraming` with the valid names.
    public static func framing(_ name: String, tpduBytes: Int = 0) throws(ConfigurationError) -> Framing {
        let suffix = "-incl"
        let includesItself = name.hasSuffix(suffix)
        let form = includesItself ? String(name.dropLast(suffix.count)) : name
        guard let form = Framing.LengthForm(rawValue: form) else { throw .noFraming(name, valid: all) }
        return Framing(form, includesItself: includesItself, tpduLength: tpduBytes)
    }
}

/// The parts of `issuer-host.yaml` that a terminal needs. Everything else in the file is the host's.
public struct SimulatorConfiguration: Sendable {
    /// The demo issuer's keys and cards.
    public let issuerPath: String
    /// Folder of the cards' counters.
    public let cardStatePath: String
    /// Folder of dialects.
    public let dialectsPath: String
    /// Relative paths count from here.
    public let folder: String
    /// By name.
    public let links: [LinkDescription]

    /// Reads the file; relative paths in it count from its folder.
    public init(contentsOf path: String) throws(ConfigurationError) {
        guard let text = try? String(contentsOf: URL(filePath: path), encoding: .utf8) else {
            throw .unreadable(path: path)
        }
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try self.init(yaml: text, path: path, folder: folder.isEmpty ? "/" : folder)
    }

    /// - Parameters:
    ///   - path: for error texts.
    ///   - folder: relative paths count from here.
    public init(yaml: String, path: String, folder: String) throws(ConfigurationError) {
        let file: ConfigurationFile
        do {
            file = try YAMLDecoder().decode(ConfigurationFile.self, from: yaml)
        } catch let error as DecodingError {
            throw .malformed(path: path, reason: error.place)
        } catch {
            throw .malformed(path: path, reason: "\(error)")
        }
        func absolute(_ name: String) -> String { name.hasPrefix("/") ? name : "\(folder)/\(name)" }
        issuerPath = absolute(file.demo.issuer)
        cardStatePath = absolute(file.demo.cardState)
        dialectsPath = absolute(file.dialects)
        self.folder = folder
        let identity = file.demo.tls?.identity(absolute) ?? TLSIdentity()
        links = file.links.sorted { $0.key < $1.key }.map { $1.description(name: $0, identity) }
    }

    /// Without a file and without links: for hosts that are named by their address.
    public init(issuerPath: String, dialectsPath: String, cardStatePath: String) {
        self.issuerPath = issuerPath
        self.dialectsPath = dialectsPath
        folder = "."
        self.cardStatePath = cardStatePath
        links = []
    }

    /// The link with this name.
    public func link(_ name: String) throws(ConfigurationError) -> LinkDescription {
        guard let link = links.first(where: { $0.name == name }) else {
            throw .noLink(name, valid: links.map(\.name))
        }
        return link
    }
}

private struct ConfigurationFile: Decodable {
    struct Demo: Decodable {
        let issuer: String
        let cardState: String
        let tls: TLS?

        /// What terminals show on links with TLS.
        struct TLS: Decodable {
            let trustedFile: String?
            let certificateFile: String?
            let privateKeyFile: String?
            let serverName: String?

            func identity(_ absolute: (String) -> String) -> TLSIdentity {
                var identity = TLSIdentity()
                identity.trustedFile = trustedFile.map(absolute)
                identity.certificateFile = certificateFile.map(absolute)
                identity.privateKeyFile = privateKeyFile.map(absolute)
                identity.serverName = serverName
                return identity
            }
        }
    }

    struct Link: Decodable {
        let host: String?
        let port: UInt16
        let dialect: String
        let framing: String?
        let tpduBytes: Int?
        let zonePINKey: String?
        let mac: MAC?
        let pin: PINs?
        /// The host's; that it is there is what a terminal wants to know.
        let tls: TLS?

        struct TLS: Decodable {}
        let cvv2Element: UInt8?
        let cvv2Offset: Int?

        struct PINs: Decodable {
            let format: UInt8?
            let aesKey: String?
            let formatCodes: [String]?

            /// `01:0`: digits 5 and 6 of DE53, and what they stand for.
            var codes: [PINBlockFormat: String] {
                let pairs = (formatCodes ?? []).compactMap { text -> (PINBlockFormat, String)? in
                    let parts = text.split(separator: ":")
                    guard parts.count == 2, let number = UInt8(parts[1]) else { return nil }
                    return PINBlockFormat(rawValue: number).map { ($0, String(parts[0])) }
                }
                return Dictionary(pairs) { first, _ in first }
            }
        }

        struct MAC: Decodable {
            let key: String
            let algorithm: LinkMAC.Algorithm?
            let padding: Int?
        }

        func description(name: String, _ identity: TLSIdentity) -> LinkDescription {
            // Addresses that mean "every interface" to a listener mean nothing to a caller.
            let reachable = ["0.0.0.0": "127.0.0.1", "::": "::1"]
            let host = host ?? "127.0.0.1"
            var link = LinkDescription(
                name: name, endpoint: Endpoint(host: reachable[host] ?? host, port: port), dialect: dialect,
                framing: framing ?? "2be", tpduBytes: tpduBytes ?? 0, zonePINKey: zonePINKey)
            link.mac = mac.map {
                MACDescription(
                    key: $0.key, algorithm: $0.algorithm ?? .algorithm3, padding: $0.padding ?? 1)
            }
            link.pinFormat = pin?.format.flatMap(PINBlockFormat.init(rawValue:)) ?? .iso0
            link.tls = tls == nil ? nil : identity
            link.aesPINKey = pin?.aesKey
            link.pinFormatCodes = pin?.codes ?? [:]
            link.printedValue = cvv2Element.flatMap(DataElement.init(rawValue:)).map {
                PrintedValuePosition(element: $0, offset: cvv2Offset ?? 0)
            }
            return link
        }
    }

    let demo: Demo
    let dialects: String
    let links: [String: Link]
}

extension DecodingError {
    /// Key and reason; no values.
    fileprivate var place: String {
        func path(_ context: Context, _ last: String? = nil) -> String {
            (context.codingPath.map(\.stringValue) + (last.map { [$0] } ?? [])).joined(separator: ".")
        }
        switch self {
        case .keyNotFound(let key, let context): return "key \(path(context, key.stringValue)) is missing"
        case .valueNotFound(_, let context): return "key \(path(context)) is empty"
        case .typeMismatch(_, let context): return "key \(path(context)) has a value of the wrong type"
        case .dataCorrupted(let context):
            let place = path(context)
            return place.isEmpty ? "no valid YAML" : "key \(place) has an impossible value"
        @unknown default: return "not of the expected form"
        }
    }
}
