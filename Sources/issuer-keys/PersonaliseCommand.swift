internal import ArgumentParser
internal import AuditTrail
internal import EMV
internal import Foundation
internal import HSM
internal import IssuerConfiguration
internal import KeyManagement

struct Personalise: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Derive the keys of a batch of cards, each under a transport key: the bureau's input file.",
        discussion: """
            The file of cards is JSON with a list `cards` of pan and panSequenceNumber, as `issuer-host cards import` \
            reads it. The issuer range of the configuration says the master keys: the newest version unless \
            --key-version names one. Keys are derived inside the token (EMV Book 2 A1.4) and leave it only in key \
            blocks under the KBPK, with check values. The file holds PANs: mode 0600.
            """)

    @OptionGroup var token: TokenOption
    @Argument(help: "The file of cards.") var cards: String
    @Option(name: .long, help: "The KBPK that the bureau has too.") var under: String
    @Option(name: .long, help: "The bureau's input file.") var out: String
    @Option(name: .customLong("key-version"), help: "Name of the range's key version.") var keyVersion:
        String?

    private struct CardList: Decodable {
        struct Card: Decodable {
            let pan: String
            let panSequenceNumber: String?
        }
        let cards: [Card]
    }

    func run() throws {
        guard let data = FileManager.default.contents(atPath: cards),
            let list = try? JSONDecoder().decode(CardList.self, from: data)
        else { throw ValidationError("\(cards): not a file of cards") }
        guard !FileManager.default.fileExists(atPath: out) else {
            throw ValidationError("\(out) is there already; nothing is written over")
        }
        let desk = try token.desk()
        let batch = try list.cards.enumerated().map { number, card in
            let place = "\(cards), card \(number + 1)"
            guard let pan = try? PAN(card.pan) else { throw ValidationError("\(place): pan is none") }
            let sequenceNumber = try card.panSequenceNumber.map { text in
                guard let value = UInt8(text).flatMap(PANSequenceNumber.init(rawValue:)) else {
                    throw ValidationError("\(place): panSequenceNumber has to be 00 to 99")
                }
                return value
            }
            return (
                card: CardIdentity(pan: pan, panSequenceNumber: sequenceNumber),
                keys: try keys(card.pan, desk.configuration, place)
            )
        }
        var store = try desk.changingStore()
        let file = try store.personalise(batch, under: under)
        let labels = Set(batch.flatMap(\.keys.labels.values)).sorted().joined(separator: " ")
        // Before the file: what cannot be noted is not handed out.
        try desk.note([
            AuditEvent(
                .cardsPersonalised, key: under,
                details: [
                    "cards": "\(file.cardCount)", "keys": labels, "kcv": file.transportKey.checkValue,
                    "out": out,
                ])
        ])
        try file.write(to: out)
        print(
            "\(file.cardCount) cards, \(file.cards.reduce(0) { $0 + $1.keys.count }) keys under \(under), KCV \(file.transportKey.checkValue)"
        )
    }

    private func keys(
        _ pan: String, _ configuration: IssuerConfiguration, _ place: String
    ) throws -> PersonalisationKeys {
        let ranges = configuration.issuers.filter { pan.hasPrefix($0.prefix) }
        guard let range = ranges.max(by: { $0.prefix.count < $1.prefix.count }) else {
            throw ValidationError("\(place): no issuer range of the configuration has its PAN")
        }
        let versions = range.keyVersions.filter { keyVersion == nil || $0.name == keyVersion }
        guard let version = versions.last else {
            throw ValidationError("issuers.\(range.name) has no key version \(keyVersion ?? "")")
        }
        var labels: [KeyPurpose: String] = [.issuerMasterKeyAC: version.issuerMasterKey]
        labels[.issuerMasterKeySMI] = version.secureMessagingIntegrityKey
        labels[.issuerMasterKeySMC] = version.secureMessagingConfidentialityKey
        guard let option = MasterKeyOption(rawValue: range.masterKeyOption) else {
            throw ValidationError("issuers.\(range.name).masterKeyOption has to be A or B")
        }
        return PersonalisationKeys(labels: labels, option: option)
    }
}
