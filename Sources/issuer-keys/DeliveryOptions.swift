internal import ArgumentParser
internal import CardReaders
internal import EMV
internal import Issuance

/// Options of `personalise` for cards in readers.
struct DeliveryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the cards are: a card-rack of this machine, one elsewhere, or a reader.",
            valueName: "rack|tcp:HOST:PORT|pcsc:READER"))
    var to: String?
    @Option(help: "With --to: the bureau's master key kmc-NAME, which fresh cards' keys follow from.")
    var kmc: String?
    @Option(
        help: "With --to: how they follow: emv-cps, visa2 or kdf3; by default as the key's cipher has it.")
    var diversification: String?
    @Option(
        name: .customLong("new-master"),
        help: "With --to: kmc-NAME or imk-dek-NAME, which the keys follow from that PUT KEY gives each card.")
    var newMaster: String?
    @Option(name: .customLong("new-version"), help: "With --new-master: version of those keys, 1 to 127.")
    var newVersion: UInt8 = 1
    @Option(help: "With --to: cards side by side, at most.") var readers: Int?
    @Option(
        name: .customLong("keys-ahead"),
        help: "With --to: key pairs that are made before the first card, so that no card waits for its own.")
    var keysAhead: Int?
    @Option(
        name: .customLong("security-level"),
        help: "With --to: 01, 03, 11, 13 or 33; by default the strongest that a card offers.")
    var securityLevel: String?

    /// For a run without --to.
    func requireNone() throws {
        guard kmc == nil, diversification == nil, newMaster == nil, readers == nil, keysAhead == nil,
            securityLevel == nil
        else {
            throw ValidationError(
                "--kmc, --diversification, --new-master, --readers, --keys-ahead and --security-level go with --to"
            )
        }
    }

    func place() throws -> CardPlace {
        guard let to, let place = CardPlace(to) else {
            throw ValidationError("--to \(to ?? ""): rack, tcp:HOST:PORT or pcsc:READER is needed")
        }
        return place
    }

    /// Throws for what is wrong by itself, whatever token and cards there are.
    func check() throws {
        _ = (try place(), try masterKey(), try form(), try level(), try ahead(), try replacement())
        _ = try count(1, place())
    }

    /// The master key whose keys PUT KEY gives each card, and their version; nil leaves the card's own.
    func replacement() throws -> (label: String, version: UInt8)? {
        guard let newMaster else { return nil }
        guard (1...127).contains(newVersion) else {
            throw ValidationError("--new-version has to be 1 to 127")
        }
        return (newMaster, newVersion)
    }

    func masterKey() throws -> String {
        guard let kmc else { throw ValidationError("--kmc is needed with --to: the bureau's master key") }
        return kmc
    }

    func form() throws -> KeyDiversification? {
        try diversification.map { name in
            guard let form = KeyDiversification(rawValue: name) else {
                let known = KeyDiversification.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--diversification \(name): it has to be one of \(known)")
            }
            return form
        }
    }

    func level() throws -> SecurityLevel? {
        try securityLevel.map { text in
            let level = UInt8(text, radix: 16).map(SecurityLevel.init(rawValue:))
            guard let level, level.isDefined, level.contains(.commandMAC) else {
                throw ValidationError("--security-level \(text): it has to be 01, 03, 11, 13 or 33")
            }
            return level
        }
    }

    func ahead() throws -> Int {
        guard (0...10_000).contains(keysAhead ?? 0) else {
            throw ValidationError("--keys-ahead has to be 0 to 10000")
        }
        return keysAhead ?? 0
    }

    func count(_ cards: Int, _ place: CardPlace) throws -> Int {
        if case .pcsc = place {
            guard readers ?? 1 == 1 else { throw ValidationError("--readers: a real reader holds one card") }
            return 1
        }
        guard (1...1_000).contains(readers ?? 1) else {
            throw ValidationError("--readers has to be 1 to 1000")
        }
        return min(cards, readers ?? 100)
    }
}
