import Authorisation
import EMV

/// Requests as the terminals of the simulation send them.
enum Terminal {
    static let rightPIN: UInt64 = 77

    struct Request {
        let card: Int
        let atc: UInt16
        let isForged: Bool
        let pin: UInt64?
        let minorUnits: Int64
        let number: UInt64
        /// Other content under the same number.
        var isChanged = false
        /// Not the request but the reversal of it.
        var isReversal = false
    }

    static func token(of card: Int) -> CardToken { CardToken(high: UInt64(card), low: 1) }

    static func pan(of card: Int) -> String {
        let digits = "4761730000000" + String(repeating: "0", count: 2 - "\(card)".count) + "\(card)"
        var sum = 0
        for (index, digit) in digits.reversed().compactMap(\.wholeNumberValue).enumerated() {
            sum += index % 2 == 0 ? (2 * digit > 9 ? 2 * digit - 9 : 2 * digit) : digit
        }
        return digits + "\((10 - sum % 10) % 10)"
    }

    static func message(_ request: Request, at now: UInt64) throws -> AuthorisationRequest {
        let amount = request.minorUnits
        var writer = TLVWriter()
        writer.append(.amountAuthorised, bcd(UInt64(amount), bytes: 6))
        writer.append(.amountOther, [0, 0, 0, 0, 0, 0])
        writer.append(.terminalCountryCode, [0x07, 0x52])
        writer.append(.terminalVerificationResults, [0, 0, 0, 0x80, 0])
        writer.append(.transactionCurrencyCode, [0x07, 0x52])
        writer.append(.transactionDate, [0x26, 0x11, 0x23])
        writer.append(.transactionType, [0])
        writer.append(.unpredictableNumber, [1, 2, 3, 4])
        writer.append(.applicationInterchangeProfile, [0x39, 0])
        writer.append(
            .applicationTransactionCounter,
            [UInt8(request.atc >> 8), UInt8(truncatingIfNeeded: request.atc)])
        writer.append(.applicationCryptogram, [0, 0, 0, 0, 0, 0, 0, request.isForged ? 1 : 0])
        writer.append(.cryptogramInformationData, [0x80])
        writer.append(.issuerApplicationData, [0x06, 0x01, 0x12, 0x03, 0xA0, 0xB8, 0x00])
        return AuthorisationRequest(
            link: "simulated",
            card: CardIdentity(pan: try PAN(pan(of: request.card)), panSequenceNumber: nil), expiry: nil,
            amount: Amount(minorUnits: amount, currency: ModelStore.currency)!,
            retransmission: RetransmissionKey(
                moment: request.isReversal ? request.number | 1 << 40 : request.number, acquirer: 1,
                reference: 1,
                fingerprint: request.number &* 2 &+ (request.isChanged ? 1 : 0)),
            retrievalReferenceNumber: Array("R\(request.number)".utf8), systemsTraceAuditNumber: 1,
            chip: try ICCData(parsing: writer.bytes),
            pin: request.pin.map {
                PINQuestion(
                    zonePINKey: KeyName("zpk"), format: .iso0, block: EncipheredPINBlock(rawValue: $0))
            }, circumstances: Circumstances(),
            purpose: request.isReversal ? .reversal(remainingMinorUnits: 0) : .decision,
            original: request.isReversal
                ? OriginalTransaction(moment: request.number, acquirer: 1, reference: 1) : nil,
            receivedAt: now, deadline: Deadline(nanoseconds: .max))
    }

    private static func bcd(_ number: UInt64, bytes: Int) -> [UInt8] {
        var rest = number
        return (0..<bytes).map { _ -> UInt8 in
            defer { rest /= 100 }
            return UInt8(((rest % 100) / 10) << 4 | rest % 10)
        }.reversed()
    }
}
