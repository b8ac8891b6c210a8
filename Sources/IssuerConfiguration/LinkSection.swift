internal import Configuration

extension IssuerConfiguration {
    /// One link.
    public struct Link: Sendable {
        /// TLS of a link; both sides show a certificate.
        public struct TLS: Sendable {
            /// PEM file of the host's certificate chain.
            public var certificateFile: String
            /// PEM file of its private key.
            public var privateKeyFile: String
            /// PEM file of the authorities of the peers.
            public var trustedFile: String
            /// Names of which a peer's certificate has to bear one; empty: any.
            public var peerNames: [String]
            /// `1.2` or `1.3`.
            public var minimumVersion: String
            /// Client links: the name that the switch's certificate has to bear; nil: that of `host`.
            public var serverName: String?
        }

        /// MACs on the messages of a link.
        public struct MAC: Sendable {
            /// Label of the ZAK.
            public var key: String
            /// `iso9797-1`, `iso9797-3`, `tdes-cmac` or `aes-cmac`.
            public var algorithm: String
            /// Of the two ISO algorithms: method 1, 2 or 3.
            public var padding: Int
        }

        /// How the switch of a link sends new keys over the wire.
        public struct KeyChange: Sendable {
            /// Label of the ZMK that they come under.
            public var zoneMasterKey: String
            /// DE70 of such messages.
            public var codes: [String]
            /// Number of the data element that carries the key.
            public var element: Int
            /// `plain` or `subelement11`.
            public var form: String
            /// How long the key before still passes.
            public var overlapSeconds: Int
        }

        /// The name that the operator chose.
        public var name: String
        /// `server`: the switch connects; `client`: the host does.
        public var role: String
        /// Address or name.
        public var host: String
        /// TCP port.
        public var port: Int
        /// Name of the dialect file, without its ending.
        public var dialect: String
        /// `2be`, `2be-incl`, `4ascii` or `4ascii-incl`.
        public var framing: String
        /// Bytes between length and message that are no part of it: echoed, five with addresses exchanged.
        public var tpduBytes: Int
        /// Nil: plain TCP.
        public var tls: TLS?
        /// Nil: no MACs.
        public var mac: MAC?
        /// Nil: keys do not change over the wire.
        public var keyChange: KeyChange?
        /// Addresses and networks of the peers that may connect; empty: any.
        public var allowedPeers: [String]
        /// Connections that may be open (server), or are held open (client).
        public var connectionsMax: Int
        /// Label of the ZPK; nil: no TDES PIN blocks on this link.
        public var zonePINKey: String?
        /// Where a request says that less than its amount will do: `de48-61`, `de60-12` or `never`.
        public var partialApproval: String
        /// Number of the data element that carries CVV2; nil: none does.
        public var cvv2Element: Int?
        /// Characters of it before the three digits.
        public var cvv2Offset: Int
        /// Their format.
        public var pins: IssuerConfiguration.LinkPINs
        /// Requests of one connection that may be under way.
        public var inFlightMax: Int
        /// How long an answer may take.
        public var answerTimeoutMilliseconds: Int
        /// From the first byte of a frame or TLS handshake to its last; also how long answers may stay unread.
        public var frameTimeoutMilliseconds: Int
        /// Silence after which the host sends an echo; nil: never.
        public var echoAfterSeconds: Int?
        /// How long the peer may take to answer it.
        public var echoAnswerMilliseconds: Int
        /// Whether the host signs on and off.
        public var signOn: Bool
        /// Whether requests are served between the peer's sign-on and sign-off only.
        public var signOnRequired: Bool
    }
}

extension IssuerConfiguration.Link {
    /// - Parameters:
    ///   - hasTLS: whether the file has the section `tls` for this link.
    ///   - hasMAC: the same for `mac`.
    ///   - hasKeyChange: the same for `keyChange`.
    ///   - absolute: a path that starts from the configuration's folder.
    init(
        _ reader: ConfigReader, _ name: String, hasTLS: Bool, hasMAC: Bool, hasKeyChange: Bool,
        _ path: String, absolute: (String) -> String
    ) throws {
        let reader = reader.scoped(to: ConfigKey(["links", name]))
        func positive(_ key: String, _ standard: Int) throws -> Int {
            let value = reader.int(forKey: ConfigKey([key]), default: standard)
            guard value > 0 else {
                throw ConfigurationError("\(path): links.\(name).\(key) has to be over zero")
            }
            return value
        }
        self.name = name
        role = reader.string(forKey: "role", default: "server")
        guard role == "server" || role == "client" else {
            throw ConfigurationError("\(path): links.\(name).role has to be server or client, not \(role)")
        }
        host = reader.string(forKey: "host", default: "127.0.0.1")
        port = try reader.requiredInt(forKey: "port")
        dialect = try reader.requiredString(forKey: "dialect")
        framing = reader.string(forKey: "framing", default: "2be")
        tpduBytes = reader.int(forKey: "tpduBytes", default: 0)
        tls = hasTLS ? try TLS(reader.scoped(to: "tls"), name, path, absolute) : nil
        mac = hasMAC ? try MAC(reader.scoped(to: "mac"), name, path) : nil
        keyChange = hasKeyChange ? try KeyChange(reader.scoped(to: "keyChange"), name, path) : nil
        allowedPeers = reader.stringArray(forKey: "allowedPeers", default: [])
        connectionsMax = try positive("connectionsMax", role == "server" ? 1_024 : 1)
        zonePINKey = reader.string(forKey: "zonePINKey")
        partialApproval = reader.string(forKey: "partialApproval", default: "de48-61")
        cvv2Element = reader.int(forKey: "cvv2Element")
        cvv2Offset = reader.int(forKey: "cvv2Offset", default: 0)
        pins = IssuerConfiguration.LinkPINs(reader.scoped(to: "pin"))
        inFlightMax = try positive("inFlightMax", 256)
        answerTimeoutMilliseconds = try positive("answerTimeoutMilliseconds", 5_000)
        frameTimeoutMilliseconds = try positive("frameTimeoutMilliseconds", 10_000)
        echoAfterSeconds = try reader.int(forKey: "echoAfterSeconds").map { _ in
            try positive("echoAfterSeconds", 1)
        }
        echoAnswerMilliseconds = try positive("echoAnswerMilliseconds", 5_000)
        signOn = reader.bool(forKey: "signOn", default: false)
        signOnRequired = reader.bool(forKey: "signOnRequired", default: false)
    }
}

extension IssuerConfiguration.Link.TLS {
    init(
        _ reader: ConfigReader, _ link: String, _ path: String, _ absolute: (String) -> String
    ) throws {
        certificateFile = absolute(try reader.requiredString(forKey: "certificateFile"))
        privateKeyFile = absolute(try reader.requiredString(forKey: "privateKeyFile"))
        trustedFile = absolute(try reader.requiredString(forKey: "trustedFile"))
        peerNames = reader.stringArray(forKey: "peerNames", default: [])
        minimumVersion = reader.string(forKey: "minimumVersion", default: "1.2")
        serverName = reader.string(forKey: "serverName")
        guard minimumVersion == "1.2" || minimumVersion == "1.3" else {
            throw ConfigurationError(
                "\(path): links.\(link).tls.minimumVersion has to be \"1.2\" or \"1.3\", not \(minimumVersion)"
            )
        }
    }
}

extension IssuerConfiguration.Link.MAC {
    init(_ reader: ConfigReader, _ link: String, _ path: String) throws {
        key = try reader.requiredString(forKey: "key")
        algorithm = reader.string(forKey: "algorithm", default: "iso9797-3")
        padding = reader.int(forKey: "padding", default: 1)
    }
}

extension IssuerConfiguration.Link.KeyChange {
    init(_ reader: ConfigReader, _ link: String, _ path: String) throws {
        zoneMasterKey = try reader.requiredString(forKey: "zoneMasterKey")
        codes = reader.stringArray(forKey: "codes", default: ["101", "161"])
        element = reader.int(forKey: "element", default: 48)
        form = reader.string(forKey: "form", default: "plain")
        overlapSeconds = reader.int(forKey: "overlapSeconds", default: 300)
        let place = "\(path): links.\(link).keyChange"
        let areDigits = codes.allSatisfy { code in
            code.utf8.count == 3 && code.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
        guard areDigits else {
            throw ConfigurationError("\(place).codes: three digits each are needed")
        }
        guard (2...128).contains(element) else {
            throw ConfigurationError("\(place).element has to be 2 to 128, not \(element)")
        }
        guard (1...86_400).contains(overlapSeconds) else {
            throw ConfigurationError("\(place).overlapSeconds has to be 1 to 86400, not \(overlapSeconds)")
        }
    }
}
