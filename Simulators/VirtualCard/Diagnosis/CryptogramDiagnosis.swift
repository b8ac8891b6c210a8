package import EMV
internal import LibCrypto

/// A way to come by the received cryptogram.
package struct CryptogramExplanation: Sendable {
    /// Under which profile.
    package let profile: CryptogramProfile
    /// What was done otherwise; one or two.
    package let mistakes: [CryptogramMistake]

    /// One line for people.
    package var words: String { mistakes.map(\.words).joined(separator: ", and ") }
}

/// Why an ARQC does not verify: every plausible mistake is tried, alone and in pairs.
package struct CryptogramDiagnosis: Sendable {
    /// The received cryptogram is one bit away from the right one: it was changed on its way.
    package enum Verdict: Sendable {
        /// Right as it stands.
        case right(CryptogramProfile)
        /// 9F26 itself differs in this bit (0 the lowest) from the right one.
        case changedOnTheWay(CryptogramProfile, bit: Int)
        /// These ways lead to it, all with the fewest mistakes that do.
        case explained([CryptogramExplanation])
        /// Nothing that was tried.
        case unexplained
    }

    /// What came of it.
    package let verdict: Verdict
    /// The profiles that the IAD may mean; all of them where its format is unknown.
    package let profiles: [CryptogramProfile]
    /// How many cryptograms were computed.
    package let tried: Int

    /// The input's objects in order, with their lengths (EMV Book 2 table 26).
    static let objects: [(Tag, Int)] = [
        (.amountAuthorised, 6), (.amountOther, 6), (.terminalCountryCode, 2),
        (.terminalVerificationResults, 5), (.transactionCurrencyCode, 2), (.transactionDate, 3),
        (.transactionType, 1), (.unpredictableNumber, 4), (.applicationInterchangeProfile, 2),
        (.applicationTransactionCounter, 2),
    ]

    /// - Parameters:
    ///   - evidence: what the request says.
    ///   - keys: all keys that may have been used.
    ///   - expected: the name of the one that should have been.
    ///   - option: how the issuer derives.
    package init(
        of evidence: CryptogramEvidence, keys: [NamedKey], expected: String, option: MasterKeyOption
    ) throws(CryptogramEvidenceError) {
        guard let received = evidence.chip.cryptogram?.rawValue else {
            throw .missing(.applicationCryptogram)
        }
        guard keys.contains(where: { $0.name == expected }) else {
            throw .noIssuerMasterKey(name: expected)
        }
        let bases = try CryptogramDiagnosis.bases(evidence, expected, option: option)
        profiles = bases.map(\.0)
        do throws(LibCryptoError) {
            var search = try Search(
                received: received, keys: keys,
                mistakes: CryptogramMistake.all(
                    for: evidence, keyNames: keys.map(\.name)))
            verdict = try search.run(bases)
            tried = search.tried
        } catch {
            throw .cryptography(error)
        }
    }

    /// The right way for each profile that the IAD may mean. An object that is missing counts as zeros of its
    /// length: that it is missing is a mistake of its own.
    private static func bases(
        _ evidence: CryptogramEvidence, _ key: String, option: MasterKeyOption
    ) throws(CryptogramEvidenceError) -> [(CryptogramProfile, CryptogramRecipe)] {
        guard let atc = evidence.chip.atc else { throw .missing(.applicationTransactionCounter) }
        guard let iad = evidence.chip[.issuerApplicationData] else { throw .missing(.issuerApplicationData) }
        let number = evidence.chip.unpredictableNumber?.rawValue ?? 0
        var carried: [CryptogramProfile] = []
        if let parsed = try? IssuerApplicationData(parsing: iad) {
            carried = CryptogramRecipe.profiles.filter {
                (try? CryptogramProfile.select(for: parsed, among: [$0])) != nil
            }
        }
        let objects = CryptogramDiagnosis.objects.map { tag, count in
            CryptogramRecipe.Object(
                tag: tag, value: evidence.chip[tag].map(Array.init) ?? [UInt8](repeating: 0, count: count))
        }
        return (carried.isEmpty ? CryptogramRecipe.profiles : carried).map { profile in
            let recipe = CryptogramRecipe(
                keyName: key, derivation: .option(option), pan: evidence.identity.pan,
                sequenceNumber: evidence.identity.panSequenceNumber?.rawValue ?? 0,
                sessionKey: .method(profile.sessionKey), atc: atc.rawValue, unpredictableNumber: number,
                objects: objects, iad: Array(iad), tail: profile.tail, padding: profile.padding)
            return (profile, recipe)
        }
    }
}

/// Walks through the recipes; each is computed once, however many mistakes lead to it.
private struct Search: ~Copyable {
    private let received: UInt64
    private let keys: [String: DoubleLengthKey]
    private let mistakes: [CryptogramMistake]
    private var chip: ChipCryptography
    private var seen: Set<CryptogramRecipe> = []
    /// Cryptograms computed.
    private(set) var tried = 0

    init(received: UInt64, keys: [NamedKey], mistakes: [CryptogramMistake]) throws(LibCryptoError) {
        self.received = received
        self.keys = Dictionary(keys.map { ($0.name, $0.key) }) { first, _ in first }
        self.mistakes = mistakes
        chip = try ChipCryptography()
    }

    mutating func run(
        _ bases: [(CryptogramProfile, CryptogramRecipe)]
    ) throws(LibCryptoError) -> CryptogramDiagnosis.Verdict {
        for (profile, recipe) in bases {
            guard let right = try compute(recipe) else { continue }
            if right == received { return .right(profile) }
            if (right ^ received).nonzeroBitCount == 1 {
                return .changedOnTheWay(profile, bit: (right ^ received).trailingZeroBitCount)
            }
        }
        var found: [CryptogramExplanation] = []
        for (profile, recipe) in bases {
            for mistake in mistakes where try matches(recipe, [mistake]) {
                found.append(CryptogramExplanation(profile: profile, mistakes: [mistake]))
            }
        }
        guard found.isEmpty else { return .explained(found) }
        let pairing = mistakes.filter(\.combines)
        for (profile, recipe) in bases {
            for (index, first) in pairing.enumerated() {
                for second in pairing[(index + 1)...] where first.group != second.group {
                    guard try matches(recipe, [first, second]) else { continue }
                    found.append(CryptogramExplanation(profile: profile, mistakes: [first, second]))
                }
            }
        }
        return found.isEmpty ? .unexplained : .explained(found)
    }

    private mutating func matches(
        _ base: CryptogramRecipe, _ mistakes: [CryptogramMistake]
    ) throws(LibCryptoError) -> Bool {
        var recipe = base
        for mistake in mistakes { mistake.apply(&recipe) }
        return try compute(recipe) == received
    }

    /// Nil for a recipe that was computed before.
    private mutating func compute(_ recipe: CryptogramRecipe) throws(LibCryptoError) -> UInt64? {
        guard seen.insert(recipe).inserted else { return nil }
        tried += 1
        return try recipe.cryptogram(keys: keys, with: &chip)
    }
}
