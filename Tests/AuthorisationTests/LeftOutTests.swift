@testable import Authorisation
import EMV
import Testing

/// Amount and currency that stand in DE4 and DE49, and not in the chip data.
@Suite("Objects that DE55 leaves out") struct LeftOutTests {
    private struct Row {
        /// Nil: not there.
        let amount: [UInt8]?
        let currency: [UInt8]?
        let asked: Int64
        var kind = TransactionKind.purchase
        let declined: DeclineReason?
    }

    private static let signed: [UInt8] = [0, 0, 0, 0, 0x42, 0x50]
    private static let zeros = [UInt8](repeating: 0, count: 6)

    private static let rows = [
        Row(amount: signed, currency: [0x07, 0x52], asked: 4_250, declined: nil),
        // The card signed no currency, or its profile signs none: DE49 names the only one.
        Row(amount: signed, currency: nil, asked: 4_250, declined: nil),
        Row(amount: signed, currency: [], asked: 4_250, declined: nil),
        Row(amount: signed, currency: [0, 0], asked: 4_250, declined: .amountDiffers),
        Row(amount: signed, currency: [0x09, 0x78], asked: 4_250, declined: .amountDiffers),
        Row(amount: signed, currency: [0x0A, 0xBC], asked: 4_250, declined: .chipDataMalformed),
        // An amount that the card did not sign is not approved; none is as good as 0.
        Row(amount: nil, currency: [0x07, 0x52], asked: 4_250, declined: .amountDiffers),
        Row(amount: [], currency: nil, asked: 1, declined: .amountDiffers),
        Row(amount: nil, currency: [0x07, 0x52], asked: 0, declined: nil),
        Row(amount: nil, currency: nil, asked: 0, kind: .balanceEnquiry, declined: nil),
        Row(amount: zeros, currency: nil, asked: 0, kind: .balanceEnquiry, declined: nil),
        Row(amount: [0, 0, 0, 0, 0x42, 0x5A], currency: nil, asked: 4_250, declined: .chipDataMalformed),
        Row(amount: [0x42, 0x50], currency: nil, asked: 4_250, declined: .chipDataMalformed),
        // Cash back is money of its own: 9F03 has to say it.
        Row(
            amount: signed, currency: nil, asked: 4_250, kind: .purchaseWithCashBack, declined: .amountDiffers
        ),
    ]

    @Test("Zeros or DE49 stand for what is not there, never another amount", arguments: rows.indices)
    func agreement(number: Int) throws {
        let row = Self.rows[number]
        var writer = TLVWriter()
        if let amount = row.amount { writer.append(.amountAuthorised, amount) }
        if let currency = row.currency { writer.append(.transactionCurrencyCode, currency) }
        let chip = try ICCData(parsing: writer.bytes)
        let request = try Draft {
            $0.minorUnits = row.asked
            $0.kind = row.kind
        }.asRequest()
        var trace = DecisionTrace()
        #expect(AmountAgreementCheck.evaluate(request, chip, trace: &trace) == row.declined)
        #expect(trace.lines.count == 1 && trace.lines[0].rule == .amountAgreement)
        var types = DecisionTrace()
        if row.declined == nil {
            let type = TransactionTypeCheck.evaluate(request, chip, profile: .visaCVN18, trace: &types)
            #expect(type == nil)
        }
    }
}
