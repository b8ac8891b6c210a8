extension ConfigurationSchema {
    static let link: [ConfigurationKey] = [
        .init(
            "links.*.role", .choice(["server", "client"]), standard: .value("server"),
            sentence: "`server`: the switch connects; `client`: the host does."),
        .init(
            "links.*.host", .text, standard: .value("127.0.0.1"),
            sentence: "Address or name to listen on or to connect to."),
        .init("links.*.port", .number(1...65_535), standard: .required, sentence: "TCP port."),
        .init(
            "links.*.dialect", .text, standard: .required,
            sentence: "Name of the dialect file, without its ending."),
        .init(
            "links.*.framing",
            .choice([
                "2be", "2be-incl", "4ascii", "4ascii-incl", "4be", "4be-incl", "2ascii", "2ascii-incl",
                "2bcd",
                "2bcd-incl", "2be-zeros", "2be-zeros-incl", "4hex", "4hex-incl",
            ]), standard: .value("2be"),
            sentence: "Form of the length before each message; `-incl`: it counts itself."),
        .init(
            "links.*.tpduBytes", .number(0...64), standard: .value("0"), unit: "bytes",
            sentence: "Between length and message, echoed; five make a TPDU, whose addresses are exchanged."),
        .init(
            "links.*.headerAnswer", .choice(["kept", "exchanged"]), standard: .absent("as `tpduBytes` says"),
            sentence: "What an answer does with the bytes between length and message."),
        .init(
            "links.*.frameBytesMax", .number(64...65_535), standard: .value("8192"), unit: "bytes",
            sentence: "The most that a frame may have behind its length."),
        .init(
            "links.*.iccData", .choice(["tlv", "dataSet01"]), standard: .absent("as the dialect says"),
            sentence: "Whether the chip data stand in DE55 as they are, or behind a data set identifier 01."),
        .init(
            "links.*.echo", .list, standard: .absent("the usual ones"),
            sentence: "Numbers of the data elements that answers repeat."),
        .init(
            "links.*.zonePINKey", .text, standard: .absent("no TDES PIN blocks"),
            sentence: "Label of the zone PIN key (ZPK)."),
        .init(
            "links.*.cvv2Element", .number(2...128), standard: .absent("none"),
            sentence: "Number of the data element with CVV2."),
        .init(
            "links.*.cvv2Offset", .number(0...999), standard: .value("0"), unit: "characters",
            sentence: "Characters of that element before the three digits."),
        .init(
            "links.*.partialApproval", .choice(["de48-61", "de60-12", "never"]), standard: .value("de48-61"),
            sentence: "Where a request says that a part of its amount will do."),
        .init(
            "links.*.pin.format", .choice(["0", "1", "3", "4"]), standard: .value("0"),
            sentence: "ISO 9564 format of PIN blocks where DE53 does not say it."),
        .init(
            "links.*.pin.aesKey", .text, standard: .absent("no format 4"),
            sentence: "Label of the AES zone PIN key."),
        .init(
            "links.*.pin.formatCodes", .list, standard: .absent("DE53 is not looked at"),
            sentence: "Digits 5 and 6 of DE53 and the format that they stand for, as `01:0`."),
        .init(
            "links.*.inFlightMax", .number(1...65_536), standard: .value("4096"), unit: "requests",
            sentence: "Requests of one connection that may be under way."),
        .init(
            "links.*.answerTimeoutMilliseconds", .number(1...600_000), standard: .value("5000"),
            unit: "milliseconds",
            sentence: "How long an answer may take."),
        .init(
            "links.*.allowedPeers", .list, standard: .absent("any"),
            sentence: "Addresses and networks of the peers that may connect."),
        .init(
            "links.*.connectionsMax", .number(1...65_536), standard: .computed("1024 (server) or 1 (client)"),
            unit: "connections", sentence: "Connections that may be open (server) or are held open (client)."),
        .init(
            "links.*.frameTimeoutMilliseconds", .number(1...600_000), standard: .value("10000"),
            unit: "milliseconds",
            sentence:
                "From the first byte of a frame or TLS handshake to its last; also how long answers may stay unread."
        ),
        .init(
            "links.*.echoAfterSeconds", .number(1...86_400), standard: .absent("never"), unit: "seconds",
            sentence: "Silence after which the host sends an echo."),
        .init(
            "links.*.echoAnswerMilliseconds", .number(1...600_000), standard: .value("5000"),
            unit: "milliseconds",
            sentence: "How long the peer may take to answer it."),
        .init(
            "links.*.signOn", .flag, standard: .value("false"), sentence: "Whether the host signs on and off."
        ),
        .init(
            "links.*.signOnRequired", .flag, standard: .value("false"),
            sentence:
                "Whether requests are served only while the peer has signed on, or has accepted the host's sign-on."
        ),
        .init(
            "links.*.required", .flag, standard: .value("true"),
            sentence:
                "Role client: the host is not ready while this link is not connected, or not signed on with `signOn`."
        ),
    ]

    static let linkSecurity: [ConfigurationKey] = [
        .init(
            "links.*.tls.certificateFile", .file, standard: .required,
            sentence: "PEM file of the host's certificate and those between it and the root."),
        .init(
            "links.*.tls.privateKeyFile", .file, standard: .required,
            sentence: "PEM file of its private key, not readable by others."),
        .init(
            "links.*.tls.trustedFile", .file, standard: .required,
            sentence:
                "PEM file of the authorities of the peers: roots, and what stands between them and the peers."
        ),
        .init(
            "links.*.tls.revokedFile", .file, standard: .absent("revocation is not looked at"),
            sentence:
                "PEM file of the certificates that those authorities have revoked: a list (CRL) of each authority of `trustedFile`, signed by it."
        ),
        .init(
            "links.*.tls.revokedGraceHours", .number(0...720), standard: .value("0"), unit: "hours",
            sentence:
                "How long a list of `revokedFile` still counts after its next one was due; then no new peer of that authority is let in."
        ),
        .init(
            "links.*.tls.peerNames", .list, standard: .absent("any"),
            sentence: "Names of which a peer's certificate has to bear one."),
        .init(
            "links.*.tls.minimumVersion", .choice(["1.2", "1.3"]), standard: .value("1.2"),
            sentence: "Lowest version of TLS."),
        .init(
            "links.*.tls.serverName", .text, standard: .absent("`links.*.host`"),
            sentence: "Client links: the name that the switch's certificate has to bear."),
        .init(
            "links.*.mac.key", .text, standard: .required, sentence: "Label of the key of message MACs (ZAK)."
        ),
        .init(
            "links.*.mac.algorithm", .choice(["iso9797-1", "iso9797-3", "tdes-cmac", "aes-cmac"]),
            standard: .value("iso9797-3"), sentence: "Algorithm of message MACs."),
        .init(
            "links.*.mac.padding", .number(1...3), standard: .value("1"),
            sentence: "Padding method of the two ISO 9797-1 algorithms."),
        .init(
            "links.*.keyChange.zoneMasterKey", .text, standard: .required,
            sentence: "Label of the key that new keys come under (ZMK)."),
        .init(
            "links.*.keyChange.codes", .list, standard: .value("101,161"),
            sentence:
                "DE70 of messages that bring a key; in ISO 8583:1993 DE24, and 811 where nothing is said."),
        .init(
            "links.*.keyChange.element", .number(2...128), standard: .value("48"),
            sentence: "Number of the data element that carries it."),
        .init(
            "links.*.keyChange.form", .choice(["plain", "subelement11"]), standard: .value("plain"),
            sentence: "How the element holds it."),
        .init(
            "links.*.keyChange.overlapSeconds", .number(1...86_400), standard: .value("300"), unit: "seconds",
            sentence: "How long the key before still passes."),
    ]
}
