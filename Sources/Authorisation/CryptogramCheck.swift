package import EMV

/// The ARQC: what is to be verified (before the token works) and what its answer means (after).
struct CryptogramCheck {
    let range: IssuerRange
    let codes: AuthorisationResponseCodes

    /// Finds profile and input. Whatever is unknown, missing or of another kind fails closed with its reason.
    func prepare(_ request: AuthorisationRequest) -> ChipFinding {
        if request.circumstances.kind == .completion, request.purpose == .decision {
            return .skip("completes an earlier approval")
        }
        guard let chip = request.chip else { return .decline(.chipDataMissing, "no DE55") }
        guard let kind = chip.cryptogramKind else {
            return .decline(.chipDataMalformed, "format: 9F27 missing or malformed")
        }
        // An advice tells what the card said in the end. A card that declines is verified too, for what it may be told:
        // it is approved for a refund only, since that takes nothing.
        guard kind != .tc || request.purpose != .decision else {
            return .decline(.notAnARQC, "not an ARQC: 9F27 says \(kind)")
        }
        guard let cryptogram = chip.cryptogram, let atc = chip.atc,
            let unpredictableNumber = chip.unpredictableNumber, let bytes = chip[.issuerApplicationData]
        else { return .decline(.chipDataMalformed, "format: \(Self.missing(chip)) missing or malformed") }
        do {
            let iad = try IssuerApplicationData(parsing: bytes)
            let profile = try CryptogramProfile.select(for: iad, among: range.profiles)
            let input = try profile.cryptogramInput(from: chip, iad: iad)
            let version = try range.keys.version(
                derivationKeyIndex: iad.derivationKeyIndex(in: profile.format), expiry: request.expiry)
            return .ask(
                CryptogramQuestion(
                    issuerMasterKey: version.issuerMasterKey, keyVersion: version.name,
                    masterKeyOption: range.masterKeyOption, profile: profile, atc: atc,
                    unpredictableNumber: unpredictableNumber, input: input, cryptogram: cryptogram,
                    prepared: codes.prepared(for: profile, withPIN: request.pin != nil)), iad)
        } catch { return Self.decline(error) }
    }

    /// What the token's answer means. The names are those that the field uses for chip results.
    static func evaluate(
        _ finding: ChipFinding, _ answer: CryptogramAnswer, trace: inout DecisionTrace
    ) -> (verified: VerifiedCryptogram?, declined: DeclineReason?) {
        switch (finding, answer) {
        case (.askValue, _), (.exempt, _): trace.add(.cryptogram, .skipped, reason: "no chip data")
        case (.skip(let why), _): trace.add(.cryptogram, .skipped, reason: why)
        case (.decline(let reason, let why), _):
            trace.add(.cryptogram, .declined, reason: why)
            return (nil, reason)
        case (.ask(let question, let iad), .matches(let prepared)):
            trace.add(.cryptogram, .approved, reason: words(question))
            return (VerifiedCryptogram(question, prepared, iad: iad), nil)
        case (.ask(let question, _), .differs), (.ask(let question, _), .notAsked):
            return (nil, declined(question, answer, trace: &trace))
        }
        return (nil, nil)
    }

    /// Profile and, where there is a choice, the key version.
    static func words(_ question: CryptogramQuestion) -> String {
        question.keyVersion.isEmpty
            ? question.profile.name : "\(question.profile.name), key version \(question.keyVersion)"
    }
}

/// A cryptogram that the token has found right, made by `CryptogramCheck` alone. A class: several hold the same one.
package final class VerifiedCryptogram: Sendable {
    /// What was verified.
    package let question: CryptogramQuestion
    /// Tag 91 for each of the question's prepared verdicts.
    fileprivate let preparedAnswers: [IssuerAuthenticationData]
    /// Tag 9F10, as it was read for the question.
    let issuerApplicationData: IssuerApplicationData

    fileprivate init(
        _ question: CryptogramQuestion, _ answers: [IssuerAuthenticationData], iad: IssuerApplicationData
    ) {
        (self.question, preparedAnswers, issuerApplicationData) = (question, answers, iad)
    }

    /// Tag 91 for this verdict, if it was foreseen.
    func prepared(_ verdict: IssuerVerdict) -> IssuerAuthenticationData? {
        guard let index = question.prepared.firstIndex(of: verdict), preparedAnswers.indices.contains(index)
        else { return nil }
        return preparedAnswers[index]
    }
}

/// Which response code (tag 8A) the card is told for each outcome. The table is the dialect's, where DE39 lives.
package struct AuthorisationResponseCodes: Sendable {
    private let approved: AuthorisationResponseCode
    private let declined: @Sendable (DeclineReason) -> AuthorisationResponseCode

    /// Takes the code of an approval and that of each decline.
    package init(
        approved: AuthorisationResponseCode,
        declined: @escaping @Sendable (DeclineReason) -> AuthorisationResponseCode
    ) {
        (self.approved, self.declined) = (approved, declined)
    }

    /// What is worth preparing: the approval; for method 2, whose declines are all alike, the decline; for method 1, where
    /// a PIN came, the decline that a PIN may bring.
    func prepared(for profile: CryptogramProfile, withPIN: Bool) -> [IssuerVerdict] {
        switch profile.responseMethod {
        case .method1 where withPIN: [.responseCode(approved), .responseCode(code(for: .pinWrong))]
        case .method1: [.responseCode(approved)]
        case .method2: [.statusUpdate(.approve), .statusUpdate(.decline)]
        }
    }

    /// The verdict for an outcome, in the form of the profile's method.
    func verdict(for declined: DeclineReason?, profile: CryptogramProfile) -> IssuerVerdict {
        switch profile.responseMethod {
        case .method1: .responseCode(code(for: declined))
        case .method2: .statusUpdate(declined == nil ? .approve : .decline)
        }
    }

    /// Tag 8A for an outcome; nil means approved.
    func code(for declined: DeclineReason?) -> AuthorisationResponseCode {
        declined.map(self.declined) ?? approved
    }
}

/// All ranges of the host, longest prefix first.
package struct IssuerRangeTable: Sendable {
    package let ranges: [IssuerRange]

    /// The range with the longest prefix of `pan`, nil where the card is not one of ours.
    package func range(for pan: PAN) -> IssuerRange? {
        ranges.first { pan.hasPrefix($0.prefix) }
    }
}

/// All master keys of one range, so that old and new cards are served side by side.
package struct IssuerKeys: Sendable {
    /// In the order of the configuration; at least one.
    package let versions: [IssuerKeyVersion]
    let only: IssuerKeyVersion?

    /// The version of a card.
    /// - Parameters:
    ///   - derivationKeyIndex: of the IAD, read in the format of the card's profile.
    ///   - expiry: the card's, as the request has it.
    package func version(
        derivationKeyIndex: UInt8, expiry: ExpiryDate?
    ) throws(KeyVersionUnknown) -> IssuerKeyVersion {
        if let only { return only }
        return try chosen(derivationKeyIndex, expiry)
    }
}

/// Requests without a chip: what is to be asked of the token before it works, and what its answer means after.
struct NonChipCheck {
    let policy: NonChipPolicy

    /// DE22 against DE55, and what takes the place of a cryptogram.
    func finding(_ finding: ChipFinding, _ request: AuthorisationRequest) -> ChipFinding {
        if request.chip != nil {
            switch request.nonChip?.entry {
            case .magneticStripe, .fallback, .cardNotPresent:
                return .decline(.entryModeDiffers, "DE55 is there, but DE22 says no chip")
            default: return finding
            }
        }
        guard case .decline(.chipDataMissing, _) = finding else { return finding }
        return prepare(request)
    }
}
