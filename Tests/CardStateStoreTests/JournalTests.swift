import Authorisation
import EMV
import Testing

@testable import CardStateStore
import VectorSupport

@Suite("Journal entries")
struct JournalTests {
    @Test("What is written is what is read, for a thousand entries", arguments: [UInt64(1), 2])
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            var trace = DecisionTrace()
            for rule in Rule.allCases where Bool.random(using: &generator) {
                let verdict =
                    [RuleVerdict.approved, .declined, .skipped].randomElement(using: &generator) ?? .approved
                trace.add(
                    rule, verdict,
                    reason: ["", "valid; first", "9F02 missing", "a b"].randomElement(using: &generator) ?? ""
                )
            }
            let entry = JournalEntry(
                retrievalReferenceNumber: Array(
                    "RRN\(UInt16.random(in: .min ... .max, using: &generator))".utf8),
                systemsTraceAuditNumber: .random(in: 0...999_999, using: &generator),
                unixSeconds: .random(in: 0...4_000_000_000, using: &generator), link: "acquirer-a",
                range: "-",
                amount: Amount(
                    minorUnits: .random(in: 0...Amount.minorUnitsMax, using: &generator),
                    currency: CurrencyCode(rawValue: .random(in: 0...999, using: &generator))!)!,
                profile: "visa-cvn18",
                derivationKeyIndex: Bool.random(using: &generator)
                    ? .random(in: .min ... .max, using: &generator) : nil,
                keyVersion: ["", "2026", "v1.2"].randomElement(using: &generator) ?? "",
                atc: Bool.random(using: &generator) ? .random(in: .min ... .max, using: &generator) : nil,
                microsecondsUntilEvidence: .random(in: .min ... .max, using: &generator), trace: trace)
            var bytes: [UInt8] = []
            entry.appendEncoded(into: &bytes)
            let read = try #require(JournalEntry(decoding: bytes))
            #expect(read.trace.lines == trace.lines)
            #expect(read.retrievalReferenceNumber == entry.retrievalReferenceNumber)
            #expect(
                read.amount == entry.amount && read.atc == entry.atc && read.unixSeconds == entry.unixSeconds)
            #expect(read.derivationKeyIndex == entry.derivationKeyIndex && read.link == entry.link)
            #expect(read.keyVersion == entry.keyVersion)
            #expect(read.microsecondsUntilEvidence == entry.microsecondsUntilEvidence)
            #expect(read.systemsTraceAuditNumber == entry.systemsTraceAuditNumber)
        }
    }

    @Test func whatIsNoEntryIsNone() {
        for text in ["", ";", "a;b;c", "r;1;2;l;r;x;752;p;1;1;1;", "r;1;2;l;r;1;1000;p;1;1;1;"] {
            #expect(JournalEntry(decoding: Array(text.utf8)) == nil, "\(text)")
        }
    }

    @Test func linesOfANewerVersionAreLeftOut() {
        let trace = DecisionTrace(decoding: Array("4A active|99A new rule|7X what|8D wrong".utf8))
        var expected = DecisionTrace()
        expected.add(.cardStatus, .approved, reason: "active")
        expected.add(.pin, .declined, reason: "wrong")
        #expect(trace.lines == expected.lines)
    }

    @Test func amountsAndCurrenciesHaveBounds() {
        let currency = CurrencyCode(rawValue: 8)!
        #expect(currency.description == "008" && CurrencyCode(rawValue: 1_000) == nil)
        #expect(Amount(minorUnits: -1, currency: currency) == nil)
        #expect(Amount(minorUnits: Amount.minorUnitsMax + 1, currency: currency) == nil)
        #expect(Amount(minorUnits: Amount.minorUnitsMax, currency: currency) != nil)
    }

    @Test func theLongestPrefixWins() throws {
        func range(_ prefix: String) -> IssuerRange {
            IssuerRange(
                name: prefix, prefix: PANPrefix(prefix)!, issuerMasterKey: KeyName("k"), masterKeyOption: .a,
                profiles: [])
        }
        let table = IssuerRangeTable([range("4"), range("476173"), range("47")])
        #expect(table.range(for: try PAN("4761739001010028"))?.name == "476173")
        #expect(table.range(for: try PAN("4799999999999999"))?.name == "47")
        #expect(table.range(for: try PAN("5413330089010012")) == nil)
    }
}
