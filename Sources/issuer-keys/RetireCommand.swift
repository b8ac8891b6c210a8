internal import ArgumentParser
internal import AuditTrail
internal import Foundation
internal import HSM
internal import IssuerConfiguration
internal import KeyManagement
internal import ProgramEntry

struct Retire: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End a key for good, unless cards still need it.",
        discussion: """
            An issuer master key is retired against the list of cards: `issuer-host cards keys --json > FILE`, then \
            --cards FILE. While cards that have not expired need it, the command says how many, until when, and ends \
            nothing. --without-cards is for a key that no card was ever \
            made with. The configuration may not name the key any more.
            """)

    @OptionGroup var token: TokenOption
    @OptionGroup var operators: OperatorOption
    @Argument(help: "Its name, or an RFC 7512 URI.") var name: String
    @Option(name: .long, help: "What `issuer-host cards keys --json` printed.") var cards: String?
    @Flag(name: .customLong("without-cards"), help: "No card was made with this key.") var withoutCards =
        false

    @Flag(name: .long, help: "Do not ask: the label was checked.") var yes = false

    func run() throws {
        let typed = name
        let name = try keyName(typed)
        guard KeyPurpose.named(name.name)?.isIssuerMasterKey != true || withoutCards || cards != nil else {
            throw ValidationError("key \(name): --cards or --without-cards is needed")
        }
        let desk = try token.desk()
        try desk.requireOwnToken(typed)
        if let place = desk.configuration.place(ofKey: name.label) {
            throw KeyManagementError(name.label, "\(place) still names it")
        }
        var store = try desk.changingStore()
        let record = try store.record(labelled: name.label)
        if record.purpose?.isIssuerMasterKey == true, !withoutCards, let cards {
            let needed = try CardNeeds(path: cards).needs(of: name, at: Date())
            guard needed.isEmpty else {
                needed.forEach { print($0) }
                print("key \(name) is not retired: cards still need it")
                throw ExitCode.failure
            }
        }
        if !yes { try confirm(record) }
        let signers = try desk.approval(
            of: AuditEvent(.keyRetired, key: name.label), "Retiring \(name)", files: operators)
        try store.destroy(name)
        try desk.note(
            .keyRetired, record, details: ["cards": withoutCards ? "none were made" : "none need it"],
            signers: signers
        )
        print("key \(name) retired, KCV \(record.checkValue ?? "------")")
    }

    /// A label typed at the terminal; a key that ended does not come back.
    private func confirm(_ record: KeyRecord) throws {
        guard isatty(STDIN_FILENO) == 1 else {
            throw Refusal(
                "key \(name): retire asks at a terminal, and standard input is none; --yes answers for it")
        }
        let console = try TTYConsole()
        console.say("Key \(record.label), KCV \(record.checkValue ?? "------"), ends for good.")
        guard try console.ask("Type its name to end it:") == record.label else {
            throw KeyManagementError(record.label, "is not retired: that is another name")
        }
    }
}

extension IssuerConfiguration {
    /// Where this configuration names a key, nil where it does not. Of a key that changes over the wire it names all versions,
    /// since the newest one is in force: the host ends those whose overlap is over.
    func place(ofKey label: String) -> String? {
        var places: [(String?, String)] = [
            (panHashKey, "keys.panHash"), (pinVerificationKey, "keys.pinVerification"),
            (pinVerificationValueKey, "keys.pinVerificationValue"), (audit.key, "audit.key"),
            (AuditTrail.counterLabel(of: audit.key), "audit.key"),
        ]
        for issuer in issuers {
            for version in issuer.keyVersions {
                let labels = [
                    version.issuerMasterKey, version.secureMessagingIntegrityKey,
                    version.secureMessagingConfidentialityKey,
                ]
                places += labels.map { ($0, "issuers.\(issuer.name)") }
            }
            places += (issuer.authenticationValue?.keyLabels ?? []).map {
                ($0, "issuers.\(issuer.name).authenticationValue")
            }
            places += [
                (issuer.nonChip?.cardVerificationKey, "issuers.\(issuer.name).nonChip"),
                (issuer.nonChip?.contactlessStripeKey, "issuers.\(issuer.name).nonChip.contactlessStripeKey"),
            ]
        }
        for link in links {
            places += [
                (link.zonePINKey, "links.\(link.name).zonePINKey"),
                (link.pins.aesKey, "links.\(link.name).pin.aesKey"),
                (link.mac?.key, "links.\(link.name).mac.key"),
                (link.keyChange?.zoneMasterKey, "links.\(link.name).keyChange.zoneMasterKey"),
            ]
        }
        if let place = places.first(where: { $0.0 == label }) { return place.1 }
        for link in links where link.keyChange != nil {
            for (key, place) in [(link.zonePINKey, "zonePINKey"), (link.mac?.key, "mac.key")] {
                guard let key, label.hasPrefix(key + ".v") else { continue }
                return "links.\(link.name).\(place), with every version that came over the wire,"
            }
        }
        return nil
    }
}
