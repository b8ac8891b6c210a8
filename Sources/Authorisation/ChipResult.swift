/// What became of a transaction's chip data, in the words that the field uses. A line of the trace that declines
/// because of it begins with them; the ATC's part is the store's to say.
package enum ChipResult: CaseIterable, Sendable {
    /// The cryptogram is the card's, and its ATC was claimed.
    case valid
    /// The cryptogram is the card's, its ATC too far ahead or behind.
    case validATCOutOfRange
    /// The cryptogram is the card's, its ATC was seen before.
    case validReplayed
    /// Data that the cryptogram is made over are missing or have the wrong form, or name no profile of the range.
    case format
    /// A TC or AAC where an ARQC is needed.
    case notAnARQC
    /// The cryptogram is not the card's.
    case invalid
    /// The cryptogram is the card's, but a rule declines what TVR or CVR say.
    case verificationResultsBad
    /// Token or store gave no answer.
    case technical
    /// No chip data came.
    case none

    /// As a declining line of the trace begins.
    package var words: String {
        switch self {
        case .valid: "valid"
        case .validATCOutOfRange: "valid but ATC out of range"
        case .validReplayed: "valid but replayed"
        case .format: "format"
        case .notAnARQC: "not an ARQC"
        case .invalid: "invalid"
        case .verificationResultsBad: "TVR/CVR bad"
        case .technical: "technical"
        case .none: "no DE55"
        }
    }
}

extension ChipResult {
    /// The result of a journalled decision.
    /// - Parameters:
    ///   - trace: the checks of the host.
    ///   - atc: what the store said of the ATC.
    package init(_ trace: DecisionTrace, atc: ATCFinding) {
        if trace.lines.contains(where: { $0.reason.hasPrefix(Self.verificationResultsBad.words) }) {
            self = .verificationResultsBad
            return
        }
        switch atc {
        case .replayed: self = .validReplayed
        case .outOfRange: self = .validATCOutOfRange
        case .first, .ahead, .late: self = .valid
        case .notAsked:
            guard let line = trace.lines.first(where: { $0.rule == .cryptogram }) else {
                self = .none
                return
            }
            if line.verdict == .approved {
                self = .valid
                return
            }
            let reason = line.reason
            // Those that begin alike: the longest decides.
            let found = Self.allCases.filter { reason.hasPrefix($0.words) }
            self = found.max { $0.words.count < $1.words.count } ?? .none
        }
    }
}
