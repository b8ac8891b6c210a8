import Authorisation
import Testing

/// What the field calls the results of chip data.
@Suite struct ChipResultTests {
    private func trace(_ verdict: RuleVerdict, _ reason: String) -> DecisionTrace {
        var trace = DecisionTrace()
        trace.add(.cardStatus, .approved, reason: "active")
        trace.add(.cryptogram, verdict, reason: reason)
        return trace
    }

    @Test(arguments: [
        (RuleVerdict.approved, "visa-cvn18", ATCFinding.first, ChipResult.valid),
        (.approved, "visa-cvn18", .late, .valid),
        (.approved, "visa-cvn18", .replayed, .validReplayed),
        (.approved, "visa-cvn18", .outOfRange, .validATCOutOfRange),
        // Verified, but the card is unknown: nothing was claimed.
        (.approved, "visa-cvn18", .notAsked, .valid),
        (.declined, "invalid, visa-cvn18", .notAsked, .invalid),
        (.declined, "format: 9F27 missing or malformed", .notAsked, .format),
        (.declined, "not an ARQC: 9F27 says AAC", .notAsked, .notAnARQC),
        (.declined, "no DE55", .notAsked, .none),
    ])
    func names(verdict: RuleVerdict, reason: String, atc: ATCFinding, expected: ChipResult) {
        #expect(ChipResult(trace(verdict, reason), atc: atc) == expected)
    }

    @Test func verificationResultsThatARuleDeclines() {
        var trace = trace(.approved, "visa-cvn18")
        trace.add(.limits, .declined, reason: "TVR/CVR bad: offline PIN failed")
        #expect(ChipResult(trace, atc: .ahead) == .verificationResultsBad)
        #expect(ChipResult(DecisionTrace(), atc: .notAsked) == .none)
    }

    @Test func noTwoAreCalledTheSame() {
        #expect(Set(ChipResult.allCases.map(\.words)).count == ChipResult.allCases.count)
    }
}
