internal import EMV
internal import FoundationEssentials
package import VirtualCard

/// A personalised application and the demo card that it belongs to.
package struct ChipFile: Sendable {
    /// Name of the card in the issuer's file.
    package let card: String
    /// What is on the chip.
    package private(set) var application: ChipApplication
    /// The terminal that goes with it.
    package private(set) var risk: TerminalRisk
    /// What is wrong with its certificates; nil for nothing.
    package private(set) var fault: AuthenticationFault?
    /// PINs are enciphered under a key of their own.
    private var hasPINKey = false
    /// In a few words, for people.
    package private(set) var about = ""

    private static let keys = [
        "about", "card", "label", "aid", "aip", "cvm-list", "cdol1", "cdol2", "iac-default", "iac-denial",
        "iac-online", "tac-default", "tac-denial", "tac-online", "floor-limit", "offline-authentication",
        "authentication-fault", "pin-key", "attitude", "interface", "contactless-limit", "cvm-limit",
        "random-selection", "consecutive-offline",
        "offline-only",
    ]

    init(card: String, application: ChipApplication, risk: TerminalRisk) {
        self.card = card
        self.application = application
        self.risk = risk
    }

    private static func folder(_ bench: Bench) -> String {
        let issuer = bench.configuration.issuerPath
        return (issuer.lastIndex(of: "/").map { String(issuer[..<$0]) } ?? ".") + "/cards"
    }

    /// The chips beside the issuer's file, by name.
    package static func names(_ bench: Bench) -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder(bench))) ?? []
        return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
    }

    /// Reads `NAME.yaml` in the folder `cards` beside the issuer's file.
    /// - Parameter given: what is wrong with its certificates, in place of what the file says.
    package init(_ name: String, bench: Bench, fault given: AuthenticationFault? = nil) throws {
        let path = "\(ChipFile.folder(bench))/\(name).yaml"
        guard let text = try? String(contentsOf: URL(filePath: path), encoding: .utf8) else {
            throw ConfigurationError.unreadable(path: path)
        }
        try self.init(yaml: text, file: path, issuer: bench.issuer)
        if let given { fault = given }
        risk.caKeys = bench.caKeys
        try bench.certify(
            &application, of: try bench.issuer.card(card), fault: fault, pinKey: hasPINKey)
    }

    /// - Parameter file: for error texts.
    package init(yaml: String, file: String, issuer: DemoIssuer) throws {
        let document = try ScenarioNode(yaml: yaml, file: file)
        let entries = try document.entries(ChipFile.keys)
        guard let name = entries.first(where: { $0.key == "card" }) else {
            throw document.fault("key card is missing")
        }
        card = try name.value.text()
        var application = ChipApplication(for: try issuer.card(card).product)
        var risk = TerminalRisk()
        for entry in entries {
            switch entry.key {
            case "about": about = try entry.value.text()
            case "authentication-fault": fault = try ChipFile.fault(entry.value)
            case "pin-key": hasPINKey = try entry.value.flag()
            default: break
            }
            if try ChipFile.read(entry, &risk) { continue }
            try ChipFile.read(entry, &application)
        }
        self.application = application
        self.risk = risk
    }

    private static func read(
        _ entry: ScenarioNode.Entry, _ application: inout ChipApplication
    ) throws(ScenarioError) {
        let value = entry.value
        switch entry.key {
        case "label": application.label = try value.text()
        case "aid": application.identifier = try ScenarioStepReader.hex(value)
        case "aip": application.interchangeProfile = UInt16(try number(value, 2))
        case "cvm-list": application.verificationMethods = try ScenarioStepReader.hex(value)
        case "cdol1": application.firstObjects = try objects(value)
        case "cdol2": application.secondObjects = try objects(value)
        case "iac-default": application.actionDefault = try number(value, 5)
        case "iac-denial": application.actionDenial = try number(value, 5)
        case "iac-online": application.actionOnline = try number(value, 5)
        case "consecutive-offline": application.consecutiveOffline = try consecutive(value)
        case "offline-authentication":
            let methods: KeyValuePairs<String, UInt16> = [
                "none": 0, "sda": OfflineAuthenticationMethod.static.rawValue,
                "dda": OfflineAuthenticationMethod.dynamic.rawValue,
                "cda": OfflineAuthenticationMethod.combined.rawValue,
            ]
            let profile = application.interchangeProfile & ~OfflineAuthenticationMethod.mask
            application.interchangeProfile = profile | (try value.choice(methods))
        case "attitude":
            application.attitude = try value.choice([
                "agrees": .agrees, "online": .online, "declines": .declines,
            ])
        default: break
        }
    }

    static func fault(_ node: ScenarioNode) throws(ScenarioError) -> AuthenticationFault {
        let name = try node.text()
        guard let fault = AuthenticationFault(rawValue: name) else {
            let known = AuthenticationFault.allCases.map(\.rawValue).joined(separator: ", ")
            throw node.fault("\(name) is unknown; known here: \(known)")
        }
        return fault
    }

    /// - Returns: false for a key that is not the terminal's.
    private static func read(
        _ entry: ScenarioNode.Entry, _ risk: inout TerminalRisk
    ) throws(ScenarioError) -> Bool {
        let value = entry.value
        switch entry.key {
        case "tac-default": risk.actionDefault = try number(value, 5)
        case "tac-denial": risk.actionDenial = try number(value, 5)
        case "tac-online": risk.actionOnline = try number(value, 5)
        case "floor-limit": risk.floorLimit = try ScenarioStepReader.amount(value).lowerBound
        case "interface":
            risk.interface = try value.choice(["contact": .contact, "contactless": .contactless])
        case "contactless-limit": risk.contactlessLimit = try ScenarioStepReader.amount(value).lowerBound
        case "cvm-limit": risk.verificationLimit = try ScenarioStepReader.amount(value).lowerBound
        case "random-selection": risk.randomSelection = try selection(value)
        case "offline-only": risk.isOfflineOnly = try value.flag()
        default: return false
        }
        return true
    }

    /// `{target: 20, maximum: 60, threshold: 10.00}`.
    private static func selection(
        _ node: ScenarioNode
    ) throws(ScenarioError) -> TerminalRisk.RandomSelection {
        var selection = TerminalRisk.RandomSelection(
            threshold: 0, targetPercentage: 0, maximumPercentage: 0)
        for entry in try node.entries(["target", "maximum", "threshold"]) {
            switch entry.key {
            case "target": selection.targetPercentage = UInt64(try entry.value.integer(0...99))
            case "maximum": selection.maximumPercentage = UInt64(try entry.value.integer(0...99))
            default: selection.threshold = try ScenarioStepReader.amount(entry.value).lowerBound
            }
        }
        return selection
    }

    /// `{lower: 2, upper: 3}`.
    private static func consecutive(_ node: ScenarioNode) throws(ScenarioError) -> (lower: Int, upper: Int) {
        var limits = (lower: 0, upper: 0)
        for entry in try node.entries(["lower", "upper"]) {
            let number = try entry.value.integer(0...255)
            if entry.key == "lower" { limits.lower = number } else { limits.upper = number }
        }
        return limits
    }

    private static func number(_ node: ScenarioNode, _ count: Int) throws(ScenarioError) -> UInt64 {
        let bytes = try ScenarioStepReader.hex(node)
        guard bytes.count == count else { throw node.fault("\(count) bytes of hex are expected here") }
        return bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// `[9F02 6, 95 5]`.
    private static func objects(_ node: ScenarioNode) throws(ScenarioError) -> [(tag: Tag, count: Int)] {
        var result: [(tag: Tag, count: Int)] = []
        for item in try node.items() {
            let parts = try item.text().split(separator: " ")
            guard parts.count == 2, let tag = Tag(hex: parts[0]), let count = Int(parts[1]),
                (1...32).contains(count)
            else { throw item.fault("a tag and its length are expected here, such as 9F02 6") }
            result.append((tag, count))
        }
        return result
    }
}
