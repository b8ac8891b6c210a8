internal import ArgumentParser
internal import Foundation
internal import HSM
internal import IssuerConfiguration
internal import KeyManagement

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
    @Argument(help: "Its name, or an RFC 7512 URI.") var name: String
    @Option(name: .long, help: "What `issuer-host cards keys --json` printed.") var cards: String?
    @Flag(name: .customLong("without-cards"), help: "No card was made with this key.") var withoutCards =
        false

    func run() throws {
        let desk = try token.desk()
        let name = try keyName(name)
        if let place = desk.configuration.place(ofKey: name.label) {
            throw ValidationError("key \(name): \(place) still names it")
        }
        var store = try KeyStore(at: desk.location)
        let record = try store.record(labelled: name.label)
        if record.purpose?.isIssuerMasterKey == true, !withoutCards {
            guard let cards else {
                throw ValidationError("key \(name): --cards or --without-cards is needed")
            }
            let needed = try CardNeeds(path: cards).needs(of: name, at: Date())
            guard needed.isEmpty else {
                needed.forEach { print($0) }
                print("key \(name) is not retired: cards still need it")
                throw ExitCode.failure
            }
        }
        try store.destroy(name)
        print("key \(name) retired, KCV \(record.checkValue ?? "------")")
    }
}

extension IssuerConfiguration {
    /// Where this configuration names a key, nil where it does not.
    func place(ofKey label: String) -> String? {
        if panHashKey == label { return "keys.panHash" }
        if pinVerificationKey == label { return "keys.pinVerification" }
        for issuer in issuers {
            for version in issuer.keyVersions {
                let labels = [
                    version.issuerMasterKey, version.secureMessagingIntegrityKey,
                    version.secureMessagingConfidentialityKey,
                ]
                if labels.contains(label) { return "issuers.\(issuer.name)" }
            }
        }
        return links.first { $0.zonePINKey == label }.map { "links.\($0.name).zonePINKey" }
    }
}
