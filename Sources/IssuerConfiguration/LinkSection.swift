extension IssuerConfiguration {
    /// One link.
    package struct Link: Sendable {
        /// TLS of a link; both sides show a certificate.
        package struct TLS: Sendable {
            /// PEM file of the host's certificate chain.
            package var certificateFile: String
            /// PEM file of its private key.
            package var privateKeyFile: String
            /// PEM file of the authorities of the peers.
            package var trustedFile: String
            /// PEM file of their lists of revoked certificates; nil: nobody asks.
            package var revokedFile: String?
            /// How long an overdue list still counts.
            package var revokedGraceHours: Int
            /// Names of which a peer's certificate has to bear one; empty: any.
            package var peerNames: [String]
            /// `1.2` or `1.3`.
            package var minimumVersion: String
            /// Client links: the name that the switch's certificate has to bear; nil: that of `host`.
            package var serverName: String?
        }

        /// MACs on the messages of a link.
        package struct MAC: Sendable {
            /// Label of the ZAK.
            package var key: String
            /// `iso9797-1`, `iso9797-3`, `tdes-cmac` or `aes-cmac`.
            package var algorithm: String
            /// Of the two ISO algorithms: method 1, 2 or 3.
            package var padding: Int
        }

        /// How the switch of a link sends new keys over the wire.
        package struct KeyChange: Sendable {
            /// Label of the ZMK that they come under.
            package var zoneMasterKey: String
            /// DE70 of such messages.
            package var codes: [String]
            /// Number of the data element that carries the key.
            package var element: Int
            /// `plain` or `subelement11`.
            package var form: String
            /// How long the key before still passes.
            package var overlapSeconds: Int
        }

        /// The name that the operator chose.
        package var name: String
        /// `server`: the switch connects; `client`: the host does.
        package var role: String
        /// Address or name.
        package var host: String
        /// TCP port.
        package var port: Int
        /// Name of the dialect file, without its ending.
        package var dialect: String
        /// A name of `Framing.names`, such as `2be` or `4ascii-incl`.
        package var framing: String
        /// Bytes between length and message that are no part of it: echoed, five with addresses exchanged.
        package var tpduBytes: Int
        /// `kept` or `exchanged`; nil: as `tpduBytes` says.
        package var headerAnswer: String?
        /// The most bytes that a frame may have behind its length.
        package var frameBytesMax: Int
        /// `tlv` or `dataSet01`; nil: as the dialect says.
        package var iccData: String?
        /// Numbers of the data elements that answers repeat; nil: the usual ones.
        package var echo: [String]?
        /// Nil: plain TCP.
        package var tls: TLS?
        /// Nil: no MACs.
        package var mac: MAC?
        /// Nil: keys do not change over the wire.
        package var keyChange: KeyChange?
        /// Addresses and networks of the peers that may connect; empty: any.
        package var allowedPeers: [String]
        /// Connections that may be open (server), or are held open (client).
        package var connectionsMax: Int
        /// Label of the ZPK; nil: no TDES PIN blocks on this link.
        package var zonePINKey: String?
        /// Where a request says that less than its amount will do: `de48-61`, `de60-12` or `never`.
        package var partialApproval: String
        /// Number of the data element that carries CVV2; nil: none does.
        package var cvv2Element: Int?
        /// Characters of it before the three digits.
        package var cvv2Offset: Int
        /// Where it has what 3-D Secure brings; nil: nowhere.
        package var authenticationValue: IssuerConfiguration.LinkAuthentication?
        /// Their format.
        package var pins: IssuerConfiguration.LinkPINs
        /// Requests of one connection that may be under way.
        package var inFlightMax: Int
        /// How long an answer may take.
        package var answerTimeoutMilliseconds: Int
        /// From the first byte of a frame or TLS handshake to its last; also how long answers may stay unread.
        package var frameTimeoutMilliseconds: Int
        /// Silence after which the host sends an echo; nil: never.
        package var echoAfterSeconds: Int?
        /// How long the peer may take to answer it.
        package var echoAnswerMilliseconds: Int
        /// Whether the host signs on and off.
        package var signOn: Bool
        /// Whether requests are served between the peer's sign-on and sign-off only.
        package var signOnRequired: Bool
        /// Role client: whether the host is ready only with this link.
        package var isRequired: Bool
    }
}

extension IssuerConfiguration.Link {
    init(_ section: Section) throws(ConfigurationError) {
        name = section.path[1]
        role = try section.text("role")
        host = try section.text("host")
        port = try section.number("port")
        dialect = try section.text("dialect")
        framing = try section.text("framing")
        tpduBytes = try section.number("tpduBytes")
        headerAnswer = section.textIfThere("headerAnswer")
        frameBytesMax = try section.number("frameBytesMax")
        iccData = section.textIfThere("iccData")
        echo = section.listIfThere("echo")
        let (tls, mac, keyChange) = (
            section.section("tls"), section.section("mac"), section.section("keyChange")
        )
        self.tls = tls.isThere ? try TLS(tls) : nil
        self.mac = mac.isThere ? try MAC(mac) : nil
        self.keyChange = keyChange.isThere ? try KeyChange(keyChange) : nil
        allowedPeers = try section.list("allowedPeers")
        connectionsMax = section.numberIfThere("connectionsMax") ?? (role == "server" ? 1_024 : 1)
        zonePINKey = section.textIfThere("zonePINKey")
        partialApproval = try section.text("partialApproval")
        cvv2Element = section.numberIfThere("cvv2Element")
        cvv2Offset = try section.number("cvv2Offset")
        let authentication = section.section("authenticationValue")
        authenticationValue =
            authentication.isThere ? try IssuerConfiguration.LinkAuthentication(authentication) : nil
        pins = try IssuerConfiguration.LinkPINs(section.section("pin"))
        inFlightMax = try section.number("inFlightMax")
        answerTimeoutMilliseconds = try section.number("answerTimeoutMilliseconds")
        frameTimeoutMilliseconds = try section.number("frameTimeoutMilliseconds")
        echoAfterSeconds = section.numberIfThere("echoAfterSeconds")
        echoAnswerMilliseconds = try section.number("echoAnswerMilliseconds")
        signOn = try section.flag("signOn")
        signOnRequired = try section.flag("signOnRequired")
        isRequired = try section.flag("required")
        // A rule that nobody would keep.
        guard role == "server" || allowedPeers.isEmpty else {
            throw section.fault("allowedPeers", "is for server links: a client link connects to `host` alone")
        }
        guard role == "client" || self.tls?.serverName == nil else {
            throw section.fault(
                "tls.serverName", "is for client links: peerNames holds what a switch has to show")
        }
    }
}

extension IssuerConfiguration.Link.TLS {
    init(_ section: Section) throws(ConfigurationError) {
        certificateFile = try section.file("certificateFile")
        privateKeyFile = try section.file("privateKeyFile")
        trustedFile = try section.file("trustedFile")
        revokedFile = section.fileIfThere("revokedFile")
        revokedGraceHours = try section.number("revokedGraceHours")
        guard revokedFile != nil || revokedGraceHours == 0 else {
            throw section.fault(
                "revokedGraceHours", "needs revokedFile: there is no list that could be overdue")
        }
        peerNames = try section.list("peerNames")
        minimumVersion = try section.text("minimumVersion")
        serverName = section.textIfThere("serverName")
    }
}

extension IssuerConfiguration.Link.MAC {
    init(_ section: Section) throws(ConfigurationError) {
        key = try section.text("key")
        algorithm = try section.text("algorithm")
        padding = try section.number("padding")
    }
}

extension IssuerConfiguration.Link.KeyChange {
    init(_ section: Section) throws(ConfigurationError) {
        zoneMasterKey = try section.text("zoneMasterKey")
        codes = try section.list("codes")
        element = try section.number("element")
        form = try section.text("form")
        overlapSeconds = try section.number("overlapSeconds")
        let areDigits = codes.allSatisfy { code in
            code.utf8.count == 3 && code.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
        guard areDigits, !codes.isEmpty else { throw section.fault("codes", "has to hold three digits each") }
    }
}
