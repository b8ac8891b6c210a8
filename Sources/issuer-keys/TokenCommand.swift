internal import ArgumentParser
internal import Authorisation
internal import Foundation
internal import HSM
internal import IssuerConfiguration

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "What the token can do of what this product does, and in which way.",
        discussion: """
            Does each operation with a known answer and tells calls and time of it. Nothing stays in the token. \
            `issuer-host check --token` says as well which of them the configuration needs.
            """)

    @OptionGroup var token: TokenOption
    @Flag(name: .long, help: "As JSON.") var json = false

    func run() throws {
        let desk = try token.desk()
        // A token that cannot be opened is an error, no row of a table.
        _ = try desk.location.openSession(readWrite: false)
        let nothing = HSMConfiguration(
            panHashKey: KeyName(desk.configuration.panHashKey), pinVerificationKey: nil, zonePINKeys: [],
            issuerMasterKeys: [])
        let rows = CapabilityTable.rows(nothing, at: desk.location)
        guard json else { return print(CapabilityTable.text(rows), terminator: "") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(rows), as: UTF8.self))
    }
}
