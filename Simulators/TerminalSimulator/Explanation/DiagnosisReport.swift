internal import EMV
internal import FoundationEssentials
package import VirtualCard

/// A diagnosis for programs.
package struct DiagnosisReport: Encodable, Sendable {
    /// `right`, `changed on the way`, `explained` or `unexplained`.
    package let verdict: String
    /// The profile that the cryptogram is right for, or was right for before it was changed.
    package let profile: String?
    /// Each line is one mistake, or pair of mistakes, that gives the received cryptogram.
    package let explanations: [String]
    /// Cryptograms computed.
    package let tried: Int

    /// From what was found.
    package init(_ diagnosis: CryptogramDiagnosis) {
        tried = diagnosis.tried
        switch diagnosis.verdict {
        case .right(let profile):
            (verdict, self.profile, explanations) = ("right", profile.name, [])
        case .changedOnTheWay(let profile, let bit):
            verdict = "changed on the way"
            self.profile = profile.name
            explanations = ["bit \(bit % 8 + 1) of byte \(8 - bit / 8) of 9F26 changed after signing"]
        case .explained(let found):
            (verdict, profile, explanations) = ("explained", found.first?.profile.name, found.map(\.words))
        case .unexplained: (verdict, profile, explanations) = ("unexplained", nil, [])
        }
    }

    /// One object on one line.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
