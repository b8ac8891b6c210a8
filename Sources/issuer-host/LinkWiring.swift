internal import Authorisation
internal import HSM
internal import HostServer
internal import ISO8583
internal import IssuerConfiguration
internal import IssuerMessages

/// From the links of a configuration to those of the server.
extension IssuerConfiguration {
    func linkConfigurations() throws -> [LinkConfiguration] {
        try links.map { try linkConfiguration($0) }
    }

    func linkConfiguration(_ link: Link) throws -> LinkConfiguration {
        let dialect = try dialect(link)
        var profile = try linkProfile(link, dialect)
        profile.printedValue = try printedValue(link)
        profile.authentication = try link.authenticationValue.map {
            try AuthenticationPlace($0, dialect, place: "links.\(link.name).authenticationValue")
        }
        profile.responses.echo = try echo(link, dialect)
        profile.responses.hasNumericCodes = dialect.element(holding: .numericResponseCode) == .responseCode
        do throws(RemoteIndicators.Unknown) {
            profile.remote = try RemoteIndicators(dialect.indicators)
        } catch {
            throw WiringError("links.\(link.name).dialect: \(link.dialect): \(error)")
        }
        profile.responses.tellsBilling =
            dialect[.cardholderBillingAmount] != nil && dialect[.cardholderBillingCurrency] != nil
        var configuration = LinkConfiguration(
            profile: profile,
            host: link.host, port: link.port, codec: MessageCodec(dialect: dialect),
            framing: try framing(link), inFlightMax: link.inFlightMax,
            answerTimeoutNanoseconds: UInt64(link.answerTimeoutMilliseconds) * 1_000_000)
        try complete(&configuration, link)
        try AnswerCheck(codec: configuration.codec, hasScripts: hasScripts).check(configuration, link)
        return configuration
    }

    private var hasScripts: Bool {
        issuers.contains { $0.keyVersions.contains { $0.secureMessagingIntegrityKey != nil } }
    }

    /// The dialect of the link with what the link says of it.
    private func dialect(_ link: Link) throws -> Dialect {
        let place = "links.\(link.name)"
        var dialect: Dialect
        do { dialect = try Dialect(contentsOf: "\(dialects)/\(link.dialect).json") } catch {
            throw WiringError("\(place).dialect: \(error)")
        }
        if link.tpduBytes > 0 {
            guard dialect.header.bytes == 0 else {
                throw WiringError("\(place).tpduBytes: \(link.dialect) has a header already")
            }
            dialect = dialect.withHeader(bytes: link.tpduBytes)
        }
        if let name = link.headerAnswer {
            guard let answer = Dialect.Header.Answer(rawValue: name) else {
                throw WiringError("\(place).headerAnswer: kept or exchanged, not \(name)")
            }
            guard dialect.header.bytes > 0 else {
                throw WiringError("\(place).headerAnswer: neither tpduBytes nor the dialect gives a header")
            }
            dialect = dialect.withHeader(bytes: dialect.header.bytes, answer: answer)
        }
        guard let name = link.iccData else { return dialect }
        guard let form = ElementDefinition.ChipDataForm(rawValue: name) else {
            throw WiringError("\(place).iccData: tlv or dataSet01, not \(name)")
        }
        return try dialect.withChipData(form)
    }

    private func echo(_ link: Link, _ dialect: Dialect) throws -> [DataElement] {
        let usual =
            dialect.messageType.version == 1
            ? ResponseMapping.usualEcho1993.filter { dialect[$0] != nil } : ResponseMapping.usualEcho
        guard let numbers = link.echo else { return usual }
        return try numbers.map { text in
            guard let element = UInt8(text).flatMap(DataElement.init(rawValue:)), element.rawValue > 1 else {
                throw WiringError("links.\(link.name).echo: numbers of 2 to 128, not \(text)")
            }
            guard !ResponseMapping.neverEchoed.contains(element) else {
                throw WiringError("links.\(link.name).echo: \(element) is never sent back")
            }
            return element
        }
    }

    private func complete(_ configuration: inout LinkConfiguration, _ link: Link) throws {
        configuration.role = link.role == "client" ? .client : .server
        configuration.connectionsMax = link.connectionsMax
        configuration.frameTimeoutNanoseconds = UInt64(link.frameTimeoutMilliseconds) * 1_000_000
        configuration.echoAfterNanoseconds = link.echoAfterSeconds.map { UInt64($0) * 1_000_000_000 }
        configuration.echoAnswerNanoseconds = UInt64(link.echoAnswerMilliseconds) * 1_000_000
        configuration.signsOn = link.signOn
        configuration.signOnRequired = link.signOnRequired
        configuration.isRequired = link.isRequired
        configuration.allowedPeers = try link.allowedPeers.map { text in
            guard let network = PeerNetwork(text) else {
                throw WiringError("links.\(link.name).allowedPeers: \(text) is no address or network")
            }
            return network
        }
        configuration.mac = try link.mac.map {
            try messageMAC($0, "links.\(link.name).mac", codec: configuration.codec)
        }
        configuration.keyChange = try link.keyChange.map {
            try keyChange($0, link, dialect: configuration.codec.dialect)
        }
        configuration.tls = link.tls.map { tls in
            LinkTLS(
                certificateFile: tls.certificateFile, privateKeyFile: tls.privateKeyFile,
                trustedFile: tls.trustedFile, revokedFile: tls.revokedFile,
                revokedGraceSeconds: Int64(tls.revokedGraceHours) * 3_600, peerNames: tls.peerNames,
                minimumVersion: tls.minimumVersion == "1.3" ? .tls13 : .tls12, serverName: tls.serverName)
        }
    }

    private func macAlgorithm(_ mac: Link.MAC, _ place: String) throws -> MACAlgorithm {
        guard let algorithm = MACAlgorithm(rawValue: mac.algorithm) else {
            let known = MACAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw WiringError("\(place).algorithm: \(mac.algorithm) is none of \(known)")
        }
        return algorithm
    }

    private func messageMAC(_ mac: Link.MAC, _ place: String, codec: MessageCodec) throws -> MessageMAC {
        let algorithm = try macAlgorithm(mac, place)
        guard MACPadding(rawValue: mac.padding) != nil else {
            throw WiringError("\(place).padding: 1, 2 or 3, not \(mac.padding)")
        }
        guard MessageMAC.hasPlace(in: codec) else {
            throw WiringError(
                "\(place): the dialect \(codec.dialect.name) has no eight bytes for DE64 and DE128")
        }
        return MessageMAC(key: KeyName(mac.key), algorithm: algorithm.onLinks, padding: mac.padding)
    }

    private func framing(_ link: Link) throws -> Framing {
        guard let framing = Framing(name: link.framing, frameBytesMax: link.frameBytesMax) else {
            let known = Framing.names.joined(separator: ", ")
            throw WiringError("links.\(link.name).framing: \(link.framing) is none of \(known)")
        }
        return framing
    }

    /// The keys of all links with MACs, each with its one algorithm.
    func zoneAuthenticationKeys() throws -> [KeyName: MACAlgorithm] {
        var keys: [KeyName: MACAlgorithm] = [:]
        for link in links {
            guard let mac = link.mac else { continue }
            let algorithm = try macAlgorithm(mac, "links.\(link.name).mac")
            let known = keys.updateValue(algorithm, forKey: KeyName(mac.key))
            // One purpose and one way of use for a key: another algorithm under it is a help to a forger.
            guard known == nil || known == algorithm else {
                throw WiringError("links.\(link.name).mac.algorithm: another link uses \(mac.key) otherwise")
            }
        }
        return keys
    }
}

extension MACAlgorithm {
    fileprivate var onLinks: MessageMAC.Algorithm {
        switch self {
        case .iso9797Algorithm1: .iso9797Algorithm1
        case .iso9797Algorithm3: .iso9797Algorithm3
        case .tripleDESCMAC: .tripleDESCMAC
        case .aesCMAC: .aesCMAC
        }
    }

    init(_ algorithm: MessageMAC.Algorithm) {
        self =
            switch algorithm {
            case .iso9797Algorithm1: .iso9797Algorithm1
            case .iso9797Algorithm3: .iso9797Algorithm3
            case .tripleDESCMAC: .tripleDESCMAC
            case .aesCMAC: .aesCMAC
            }
    }
}
