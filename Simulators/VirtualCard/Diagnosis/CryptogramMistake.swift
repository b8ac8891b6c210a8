internal import EMV

/// One thing that may have been done otherwise where the cryptogram was made.
package struct CryptogramMistake: Sendable {
    /// Short and stable, for tests and scripts: `padding-1`, `tag-9F03-missing`.
    package let name: String
    /// For people: what was done instead of what.
    package let words: String
    /// Two mistakes of one group exclude each other.
    let group: String
    /// Tried along with a second one.
    let combines: Bool
    let apply: @Sendable (inout CryptogramRecipe) -> Void

    init(
        _ name: String, _ words: String, group: String, combines: Bool = true,
        apply: @escaping @Sendable (inout CryptogramRecipe) -> Void
    ) {
        self.name = name
        self.words = words
        self.group = group
        self.combines = combines
        self.apply = apply
    }
}

extension CryptogramMistake {
    /// Everything that is tried for this evidence, the commonest first: of two that come to the same the
    /// first one is named.
    static func all(for evidence: CryptogramEvidence, keyNames: [String]) -> [CryptogramMistake] {
        padding + tails + sessionKeys + cards(evidence) + keys(keyNames) + values(evidence)
            + objects + profiles + bruteForce(evidence)
    }

    private static let padding: [CryptogramMistake] = [
        .init("padding-1", "padding method 1 (zeros) instead of 2", group: "padding") {
            $0.padding = .method1
        },
        .init("padding-2", "padding method 2 (80, zeros) instead of 1", group: "padding") {
            $0.padding = .method2
        },
        .init("mac-algorithm-1", "triple DES in every block (MAC algorithm 1 instead of 3)", group: "mac") {
            $0.algorithm = .tripleThroughout
        },
        .init("tags-signed", "tags and lengths signed along with the values", group: "mac") {
            $0.withTags = true
        },
    ]

    private static func tail(_ name: String, _ words: String, tail: CryptogramTail?) -> CryptogramMistake {
        .init(name, words, group: "tail") { $0.tail = tail }
    }

    private static let tails: [CryptogramMistake] = [
        tail("iad-whole", "the whole IAD signed instead of parts of it", tail: .wholeIAD),
        tail("iad-none", "no part of the IAD signed", tail: nil),
        tail("cvr-visa", "only the CVR of a Visa IAD signed (bytes 4 to 7)", tail: .iadBytes(3..<7, 0..<0)),
        tail(
            "cvr-visa-no-length", "the CVR of a Visa IAD signed without its length byte (bytes 5 to 7)",
            tail: .iadBytes(4..<7, 0..<0)),
        tail(
            "cvr-mchip", "only the CVR of an M/Chip IAD signed (bytes 3 to 8), counters left out",
            tail: .iadBytes(2..<8, 0..<0)),
        tail(
            "cvr-mchip-counters", "CVR and counters of an M/Chip IAD signed", tail: .iadBytes(2..<8, 10..<18)),
        tail("cvr-format-2", "only the CVR of the IAD signed (bytes 4 to 8)", tail: .iadBytes(3..<8, 0..<0)),
    ]

    private static func session(
        _ name: String, _ words: String, key: CryptogramRecipe.SessionKey
    ) -> CryptogramMistake {
        .init(name, words, group: "session") { $0.sessionKey = key }
    }

    private static let sessionKeys: [CryptogramMistake] = [
        session("session-none", "the ICC master key signs, no session key", key: .method(.none)),
        session("session-common", "EMV common session key (ATC only)", key: .method(.common)),
        session("session-mastercard", "Mastercard session key (ATC and 9F37)", key: .method(.mastercard)),
        session(
            "session-tree-4", "EMV2000 session key tree (4 branches)", key: .tree(branchFactor: 4, height: 8)),
        session(
            "session-tree-2", "EMV2000 session key tree (2 branches)", key: .tree(branchFactor: 2, height: 16)
        ),
        .init("session-atc-0", "session key from an ATC of 0000", group: "session-atc") { $0.atc = 0 },
        .init("session-atc-next", "session key from the next ATC", group: "session-atc") { $0.atc &+= 1 },
        .init("session-atc-before", "session key from the ATC before", group: "session-atc") {
            $0.atc &-= 1
        },
        .init("session-un-0", "session key from an unpredictable number of zeros", group: "session-un") {
            $0.unpredictableNumber = 0
        },
    ]

    private static let profiles: [CryptogramMistake] = CryptogramRecipe.profiles.map { profile in
        .init("profile-\(profile.name)", "made as \(profile.name)", group: "profile", combines: false) {
            $0.padding = profile.padding
            $0.tail = profile.tail
            $0.sessionKey = .method(profile.sessionKey)
        }
    }

    private static func cards(_ evidence: CryptogramEvidence) -> [CryptogramMistake] {
        var found: [CryptogramMistake] = [
            .init("psn-00", "PAN sequence number 00 instead of the card's", group: "psn") {
                $0.sequenceNumber = 0
            }
        ]
        found += [MasterKeyOption.a, .b].map { option in
            .init(
                "option-\(option.rawValue.lowercased())",
                "ICC master key by option \(option.rawValue) (EMV Book 2 A1.4)", group: "derivation"
            ) { $0.derivation = .option(option) }
        }
        found.append(
            .init("imk-not-derived", "the issuer master key used without derivation", group: "derivation") {
                $0.derivation = .none
            })
        if let pan = evidence.trackPAN {
            found.append(.init("pan-of-track-2", "PAN of DE35 instead of DE2", group: "pan") { $0.pan = pan })
        }
        found += PANVariant.all(of: evidence.identity.pan).map { variant in
            .init(variant.name, variant.words, group: "pan") { $0.pan = variant.pan }
        }
        return found
    }

    private static func keys(_ names: [String]) -> [CryptogramMistake] {
        names.map { name in
            .init("key-\(name)", "key \(name) instead of the expected one", group: "key") {
                $0.keyName = name
            }
        }
    }
}

/// Ways in which a PAN is taken wrongly for the derivation of keys.
struct PANVariant {
    let name: String
    let words: String
    let pan: PAN

    static func all(of pan: PAN) -> [PANVariant] {
        let digits = (0..<pan.digitCount).map { String(pan.digit(at: $0)) }
        var found: [PANVariant] = []
        func add(_ name: String, _ words: String, digits: ArraySlice<String>) {
            guard let other = try? PAN(digits.joined()), other != pan else { return }
            found.append(PANVariant(name: name, words: words, pan: other))
        }
        add("pan-without-check-digit", "PAN without its check digit", digits: digits.dropLast())
        add(
            "pan-leftmost-16", "leftmost 16 digits of the PAN instead of the rightmost",
            digits: digits.prefix(16))
        add("pan-leftmost-14", "leftmost 14 digits of the PAN", digits: digits.prefix(14))
        add(
            "pan-rightmost-12", "rightmost 12 digits without check digit",
            digits: digits.dropLast().suffix(12))
        return found
    }
}
