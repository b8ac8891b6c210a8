internal import ArgumentParser
internal import AuditTrail
internal import EMV
internal import Foundation
internal import HSM
internal import Issuance
internal import IssuerConfiguration
internal import KeyManagement
internal import ProgramEntry

struct Personalise: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Personalise a batch of cards: into the bureau's input file, or into chips over a secure channel.",
        discussion: """
            The file of cards is JSON with a list `cards` of pan and panSequenceNumber, as `issuer-host cards import` \
            reads it. The issuer range of the configuration says the master keys: the newest version unless \
            --key-version names one. Keys are derived inside the token (EMV Book 2 A1.4) and leave it only in key \
            blocks under the KBPK, with check values. The file holds PANs: mode 0600.

            With --to the cards are made in readers, side by side: SCP03 or SCP02 as each card says, keys and data by \
            STORE DATA, its channel keys replaced by PUT KEY. --out is the report then. A batch that was broken off goes \
            on with the same command; Ctrl-C ends it after the cards in hand. docs/personalisation.md has it all.
            """)

    @OptionGroup var token: TokenOption
    @OptionGroup var operators: OperatorOption
    @Argument(help: "The file of cards.") var cards: String
    @Option(name: .long, help: "The KBPK that the bureau has too.") var under: String?
    @Option(name: .long, help: "The bureau's input file; with --to the report.") var out: String
    @Option(name: .customLong("key-version"), help: "Name of the range's key version.") var keyVersion:
        String?

    @Option(name: .long, help: "What the cards' records have in common, for certificates.") var application:
        String?
    @Option(
        name: .long, help: "With --application: name of the issuer's certificate; else the one of each PAN.")
    var certificate: String?
    @Option(name: .long, help: "With --application: the DEK that cards' private keys leave under.") var dek:
        String?

    @OptionGroup(title: "Into chips") var delivery: DeliveryOptions

    struct CardList: Decodable {
        struct Card: Decodable {
            let pan: String
            let panSequenceNumber: String?
            let expiry: String?
            let issuerApplicationData: String?
        }
        let cards: [Card]
    }

    func run() throws {
        try requireFittingOptions()
        guard let data = FileManager.default.contents(atPath: cards),
            let list = try? JSONDecoder().decode(CardList.self, from: data)
        else { throw Refusal("\(cards): not a file of cards") }
        guard (1...KeyStore.batchMax).contains(list.cards.count) else {
            throw Refusal(
                "\(cards): a batch has 1 to \(KeyStore.batchMax) cards, not \(list.cards.count)")
        }
        try requireWritable(out)
        let desk = try token.desk()
        let batch = try list.cards.enumerated().map { number, card in
            let place = "\(cards), card \(number + 1)"
            guard let pan = try? PAN(card.pan) else { throw Refusal("\(place): pan is none") }
            let sequenceNumber = try card.panSequenceNumber.map { text in
                guard let value = UInt8(text).flatMap(PANSequenceNumber.init(rawValue:)) else {
                    throw Refusal("\(place): panSequenceNumber has to be 00 to 99")
                }
                return value
            }
            return (
                card: CardIdentity(pan: pan, panSequenceNumber: sequenceNumber),
                keys: try keys(card.pan, desk.configuration, place: place)
            )
        }
        if delivery.to != nil {
            return try deliver(
                zip(batch, list.cards).map { ($0.0.card, $0.0.keys, $0.1) }, data: [UInt8](data),
                desk: desk)
        }
        guard let under else { return }
        var store = try desk.changingStore()
        // Once for the whole list: another list is another approval.
        let hash = try store.listHash([UInt8](data))
        // All that two people would have come in vain for; the token first, since no certificate helps one that cannot.
        try store.requirePersonalisable(batch.map(\.keys), under: under)
        let certification = try certification(desk)
        let orders = try certification.map { certification in
            try zip(batch, list.cards).enumerated().map { number, pair in
                _ = try certification.issuer(of: pair.0.card, number: number + 1)
                return CardToCertify(
                    identity: pair.0.card,
                    expiry: try Personalise.expiry(pair.1.expiry, "\(self.cards), card \(number + 1)"))
            }
        }
        let dek = try dek.map {
            PersonalisationFile.TransportKey(
                label: $0, checkValue: try store.record(labelled: $0).checkValue ?? "unknown")
        }
        let signers = try desk.approval(
            of: AuditEvent(.cardsPersonalised, key: under),
            "Personalising \(batch.count) cards of list \(hash.prefix(16)) under \(under)", files: operators)
        // Who approved which list stands in the trail whatever becomes of the program.
        try desk.note(
            [
                AuditEvent(
                    .commandStarted, key: under,
                    details: ["command": "personalise", "list": hash, "cards": "\(batch.count)", "out": out])
            ], signers: signers)
        var file = try store.personalise(batch, under: under)
        if let certification, let orders {
            file.dataEncryptionKey = dek
            let made = try certification.run(
                orders, desk, approval: Certification.Approval(list: hash, signers: signers), out: out)
            for (index, application) in made.enumerated() { file.cards[index].application = application }
        }
        let labels = Set(batch.flatMap(\.keys.labels.values)).sorted().joined(separator: " ")
        // Before the file: what cannot be noted is not handed out.
        try desk.note(
            [
                AuditEvent(
                    .cardsPersonalised, key: under,
                    details: [
                        "cards": "\(file.cardCount)", "list": hash, "keys": labels,
                        "kcv": file.transportKey.checkValue,
                        "out": out,
                    ])
            ], signers: signers)
        try file.write(to: out)
        for part in Certification.parts(of: out) { try? FileManager.default.removeItem(atPath: part) }
        print(
            "\(file.cardCount) cards, \(file.cards.reduce(0) { $0 + $1.keys.count }) keys under \(under), KCV \(file.transportKey.checkValue)"
        )
    }

    /// Throws for options that do not go together, whatever files and token there are.
    private func requireFittingOptions() throws {
        if delivery.to != nil {
            guard under == nil, dek == nil else {
                throw ValidationError(
                    "--under and --dek are for the bureau's file; a chip has a DEK of its own")
            }
            guard application != nil else {
                throw ValidationError("--application is needed with --to: it says what cards have in common")
            }
            return try delivery.check()
        }
        try delivery.requireNone()
        guard under != nil else { throw ValidationError("--under or --to is needed") }
        guard application != nil || certificate == nil && dek == nil else {
            throw ValidationError("--certificate and --dek go with --application")
        }
    }

    private func deliver(
        _ cards: [(card: CardIdentity, keys: PersonalisationKeys, line: CardList.Card)],
        data: [UInt8], desk: KeyDesk
    ) throws {
        guard let application else { return }
        let profile = try Certification.profile(application).profile
        var store = try desk.changingStore()
        let hash = try store.listHash(data)
        // Before certificates are looked for: none helps a token that cannot.
        let seat = try TokenSeat(at: desk.location)
        try seat.work { keys in
            try PersonalisationAbility.require(profile, masterKey: delivery.masterKey(), keys: &keys)
        }
        guard let certification = try certification(desk) else { return }
        let plan = try DeliveryPlan(
            CardOrders(cards, certification, path: self.cards), certification, options: delivery, seat: seat,
            list: hash, out: out, desk: desk)
        // Once for the whole list, after all that a person would have come in vain for.
        let signers = try desk.approval(
            of: plan.event(.cardsPersonalised, [:]),
            "Personalising \(cards.count) cards of list \(hash.prefix(16)) in \(plan.place)", files: operators
        )
        try CardDelivery(plan, signers: signers).run()
    }

    /// Nothing is written over, and nobody approves what could not be written.
    private func requireWritable(_ path: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw Refusal("\(path) is there already; nothing is written over")
        }
        guard access(PathParts(path).folder, W_OK | X_OK) == 0 else {
            throw Refusal("\(path): its folder is not there, or cannot be written to")
        }
    }

    private func certification(_ desk: KeyDesk) throws -> Certification? {
        guard let application else { return nil }
        return try Certification(
            profile: application, certificate: certificate, dataEncryptionKey: dek, desk: desk)
    }

    /// YYMM.
    static func expiry(_ text: String?, _ place: String) throws -> CertificateMonth {
        guard let text, text.utf8.count == 4, let number = Int(text),
            let month = CertificateMonth(year: 2000 + number / 100, month: number % 100)
        else { throw Refusal("\(place): expiry has to be YYMM, below 2050") }
        return month
    }

    private func keys(
        _ pan: String, _ configuration: IssuerConfiguration, place: String
    ) throws -> PersonalisationKeys {
        let ranges = configuration.issuers.filter { pan.hasPrefix($0.prefix) }
        guard let range = ranges.max(by: { $0.prefix.count < $1.prefix.count }) else {
            throw Refusal("\(place): no issuer range of the configuration has its PAN")
        }
        let versions = range.keyVersions.filter { keyVersion == nil || $0.name == keyVersion }
        guard let version = versions.last else {
            throw Refusal("issuers.\(range.name) has no key version \(keyVersion ?? "")")
        }
        var labels: [KeyPurpose: String] = [.issuerMasterKeyAC: version.issuerMasterKey]
        labels[.issuerMasterKeySMI] = version.secureMessagingIntegrityKey
        labels[.issuerMasterKeySMC] = version.secureMessagingConfidentialityKey
        guard let option = MasterKeyOption(rawValue: range.masterKeyOption) else {
            throw Refusal("issuers.\(range.name).masterKeyOption has to be A or B")
        }
        return PersonalisationKeys(labels: labels, option: option)
    }
}
