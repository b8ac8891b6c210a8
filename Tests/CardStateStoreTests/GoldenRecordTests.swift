@testable import Authorisation
import EMV
import Foundation
import Testing

/// The layout is a contract between releases: what an earlier release wrote is read, field by field. A file for each
/// format, made once and never changed; `GOLDEN=1` writes one that is missing.
@Suite struct GoldenRecordTests {
    private static let now: Int64 = 1_795_000_000
    private static let currency = CurrencyCode(rawValue: 752)!
    private static let dollar = CurrencyCode(rawValue: 840)!
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("golden")

    /// One of everything: two cards, limits, a PVV, scripts, an early reversal, a hold, transactions kept.
    private func record() throws -> CardRecord {
        var reading = CardReading(record: nil, past: nil)
        func order(_ order: OperatorOrder) {
            guard
                case .done(_, let change) = CardTransition.apply(
                    order, to: reading, policy: CardPolicy(), now: Self.now, random: 0x0102_0304_0506_0708)
            else {
                Issue.record("an order was refused")
                return
            }
            reading = CardReading(record: change.record, past: [])
        }
        var limits = SpendingLimits(currency: Self.currency)
        limits.daily = Allowance(minorUnits: 50_000, count: 20)
        limits.blockedCountries = [408]
        order(
            .importCard(
                definition(1, .reference(EncipheredPINBlock(rawValue: 0x0011_2233_4455_6677)), nil),
                forgettingATCs: false))
        order(
            .importCard(
                definition(2, .verificationValue(PINVerificationValue(keyIndex: 3, digits: 0x1234)!), limits),
                forgettingATCs: false))
        order(
            .queueScript(
                QueuedScript(identifier: 0, command: ScriptCommand(.pinUnblock)!), sequenceNumber: 2))
        for message in try [advice(7, 1_500), advice(8, 250), reversal(9)] {
            guard case .decided(_, let change) = CardTransition.apply(message, CardKnowledge(), to: reading)
            else {
                Issue.record("a message was not decided")
                continue
            }
            reading = CardReading(record: change.record, past: [])
        }
        return try #require(reading.record)
    }

    private func definition(_ number: UInt8, _ pin: PINOnRecord, _ limits: SpendingLimits?) -> CardDefinition
    {
        CardDefinition(
            sequenceNumber: number, status: .active, expiry: ExpiryDate(ascii: Array("3012".utf8))!, pin: pin,
            pinTriesMax: 3, availableMinorUnits: 100_000, currency: Self.currency, profile: "visa-cvn18",
            issuerMasterKey: "imk-ac-1", limits: limits)
    }

    private func advice(_ stan: UInt32, _ minorUnits: Int64) throws -> CardMessage {
        try message(
            Transmission(
                messageClass: .advice, stan: stan, sentAt: 1_118_120_000, localTime: 1_118_130_000,
                reference: 0x1122_3344_5566_7788, acquirer: 1, terminal: 2, merchant: 3), minorUnits,
            .advice(approved: true), nil)
    }

    private func reversal(_ stan: UInt32) throws -> CardMessage {
        try message(
            Transmission(messageClass: .reversal, stan: stan, acquirer: 1), 700,
            .reversal(remainingMinorUnits: 0),
            OriginalTransaction(stan: 99, sentAt: 1_118_110_000, acquirer: 1, ownSTAN: stan))
    }

    private func message(
        _ transmission: Transmission, _ minorUnits: Int64, _ purpose: RequestPurpose,
        _ original: OriginalTransaction?, in currency: CurrencyCode = Self.currency,
        billing: CardholderBilling? = nil
    ) throws -> CardMessage {
        let request = AuthorisationRequest(
            link: "a",
            card: CardIdentity(
                pan: try PAN("4761739001010010"), panSequenceNumber: PANSequenceNumber(rawValue: 2)),
            expiry: nil, amount: Amount(minorUnits: minorUnits, currency: currency)!,
            billing: billing, transmission: transmission, retrievalReferenceNumber: [], chip: nil, pin: nil,
            circumstances: Circumstances(),
            purpose: purpose, original: original, receivedAt: 0, deadline: Deadline(nanoseconds: .max))
        return CardMessage(
            request: request, rangeName: "visa", proof: .none, evidence: [], declined: nil, pin: .notAsked,
            policy: CardPolicy(), now: Self.now, approvalCode: 0x3132_3334_3536, random: 0x1112_1314_1516_1718
        )
    }

    /// Money in another currency: a sale of which a part was reversed, and a reversal that came first.
    private func recordAbroad() throws -> CardRecord {
        func message(
            _ stan: UInt32, _ messageClass: TransmissionClass, _ minorUnits: Int64, _ purpose: RequestPurpose,
            of original: OriginalTransaction?, billed: Int64?
        ) throws -> CardMessage {
            let transmission = Transmission(
                messageClass: messageClass, stan: stan, sentAt: 1_118_120_000, localTime: 1_118_130_000,
                reference: UInt64(stan) << 32, acquirer: 1, terminal: 2, merchant: 3)
            return try self.message(
                transmission, minorUnits, purpose, original, in: Self.dollar,
                billing: billed.map {
                    CardholderBilling(
                        amount: Amount(minorUnits: $0, currency: Self.currency)!,
                        rate: ConversionRate(decimal: "10.5"))
                })
        }
        var reading = CardReading(record: try record(), past: [])
        func naming(_ stan: UInt32) -> OriginalTransaction {
            OriginalTransaction(stan: stan, sentAt: 1_118_120_000, isAdvice: stan == 17, acquirer: 1)
        }
        for message in [
            try message(17, .advice, 2_000, .advice(approved: true), of: nil, billed: 21_000),
            try message(
                18, .reversal, 2_000, .reversal(remainingMinorUnits: 1_500), of: naming(17), billed: nil),
            try message(
                19, .reversal, 3_000, .reversal(remainingMinorUnits: 100), of: naming(98), billed: nil),
        ] {
            guard
                case .decided(let outcome, let change) = CardTransition.apply(
                    message, CardKnowledge(), to: reading),
                outcome.result.declined == nil
            else {
                Issue.record("a message was not accepted")
                continue
            }
            reading = CardReading(record: change.record, past: [])
        }
        return try #require(reading.record)
    }

    @Test func formatOneIsWrittenAsEverAndReadByName() throws {
        try compare(try record(), "format-1")
        try compare(try recordAbroad(), "format-1-abroad")
    }

    /// A section of its own: hosts that know none of it pass it over, and keep it.
    @Test func usedAuthenticationValuesAreASectionOfFormatOne() throws {
        let reading = CardReading(record: try record(), past: [])
        var transition = CardTransition(try record(), past: [], policy: CardPolicy(), now: Self.now)
        for (identity, time) in [
            (UInt64(0x00_0100_9602_0972), Self.now - 86_400), (0x1862_0655_2C1C_0497, Self.now),
        ] {
            var used = UsedAuthenticationValues(transition.record.content(.authenticationValues))
            used.add(identity, merchant: 3, now: time, keepingSeconds: 90 * 86_400)
            used.add(0x1862_0655_2C1C_0497, merchant: 3, now: time, keepingSeconds: 90 * 86_400)
            transition.record.set(.authenticationValues, used.content)
        }
        try compare(transition.record, "format-1-authentication-values")
        #expect(transition.record.bytes.count == (reading.record?.bytes.count ?? 0) + 4 + 2 * 18)
    }

    private func compare(_ record: CardRecord, _ name: String) throws {
        let (bytesFile, namesFile) = (
            Self.folder.appendingPathComponent("\(name).hex"),
            Self.folder.appendingPathComponent("\(name).txt")
        )
        let names = CardReading(record: record, past: []).fieldsByName.joined(separator: "\n") + "\n"
        let hex = record.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\n"
        if ProcessInfo.processInfo.environment["GOLDEN"] == "1",
            !FileManager.default.fileExists(atPath: bytesFile.path)
        {
            try Data(hex.utf8).write(to: bytesFile)
            try Data(names.utf8).write(to: namesFile)
        }
        let golden = try String(contentsOf: bytesFile, encoding: .utf8)
        #expect(hex == golden, "the bytes of format 1 have changed: that is another format")
        let digits = Array(golden.utf8.dropLast())
        let bytes = stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16) ?? 0
        }
        let read = try CardRecord(bytes)
        #expect(
            CardReading(record: read, past: []).fieldsByName.joined(separator: "\n") + "\n"
                == (try String(contentsOf: namesFile, encoding: .utf8)))
    }

    @Test(
        "A record that is cut, longer or out of bounds is named as damaged",
        arguments: [0, 10, 47, 60, 400, -1, -96])
    func damage(_ place: Int) throws {
        let whole = try record().bytes
        let cut = place < 0 ? Array(whole.dropLast(-place)) : Array(whole.prefix(place))
        #expect(throws: RecordDamage.self) { try CardRecord(cut) }
        #expect(throws: RecordDamage.self) { try CardRecord(whole + [0]) }
    }
}
