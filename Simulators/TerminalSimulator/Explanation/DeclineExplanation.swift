internal import EMV
internal import ISO8583
internal import IssuerMessages
internal import VirtualCard

/// Why a request was not approved, as far as that can be found out here: what the cryptogram was made over, by the
/// test keys at hand, and every check of the issuer, by the issuer's own program.
struct DeclineExplanation {
    let bench: Bench
    /// Nil where nobody knows what the host thought.
    let desk: IssuerDesk?

    /// Lines for people; empty where there is nothing to say.
    func lines(_ request: Message, code: String?) -> [String] {
        var lines: [String] = []
        if [ResponseCode.cryptogramFailure.rawValue, ActionCode.securityViolation.rawValue].contains(code) {
            lines += cryptogram(request)
        }
        if let number = request.text(.retrievalReferenceNumber), let desk,
            let text = try? desk.run(["explain", number])
        {
            lines += ["The issuer's checks:"] + text.split(separator: "\n").map(String.init)
        }
        return lines
    }

    /// The check that declined, or what is wrong with the cryptogram, in one line.
    static func headline(_ lines: [String]) -> String? {
        let line = lines.first {
            $0.hasPrefix("  - ") || $0.hasPrefix("The cryptogram differs") || $0.contains(" DECLINED ")
        }
        return line?.replacing(" DECLINED ", with: ": ").split(separator: " ").joined(separator: " ")
            .replacing(" : ", with: ": ")
    }

    private func cryptogram(_ request: Message) -> [String] {
        guard let evidence = try? MessageEvidence.evidence(of: request, issuer: bench.issuer) else {
            return []
        }
        let key = MessageEvidence.expectedKeyName(evidence.identity)
        let diagnosis = try? CryptogramDiagnosis(
            of: evidence, keys: bench.issuer.namedKeys, expected: key, option: .a)
        guard let diagnosis else { return [] }
        return DiagnosisText.lines(diagnosis, evidence, key: key, option: .a)
    }
}
