internal import Authorisation
internal import EMV

/// Messages as the terminals of the simulation send them.
enum Terminal {
    static let rightPIN: UInt64 = 77

    struct Request {
        let card: Int
        /// Nil: no chip data.
        let atc: UInt16?
        let isForged: Bool
        let pin: UInt64?
        let minorUnits: Int64
        /// Every message has one of its own.
        let number: UInt64
        var kind = TransactionKind.purchase
        var purpose = RequestPurpose.decision
        var isPartialAllowed = false
        /// The message that it speaks of.
        var original: UInt64?
        /// All messages about one transaction have the number of the first.
        var reference: UInt64
        /// Other content under the same number.
        var isChanged = false
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

    static func message(
        _ request: Request, _ card: CardIdentity, at now: UInt64
    ) throws -> AuthorisationRequest {
        var circumstances = Circumstances()
        circumstances.kind = request.kind
        circumstances.allowsPartialApproval = request.isPartialAllowed
        return AuthorisationRequest(
            link: "simulated", card: card, expiry: nil,
            amount: Amount(minorUnits: request.minorUnits, currency: ModelStore.currency)!,
            retransmission: RetransmissionKey(
                moment: request.number, acquirer: 1, reference: UInt32(request.reference),
                fingerprint: request.number &* 2 &+ (request.isChanged ? 1 : 0)),
            retrievalReferenceNumber: Array("R\(request.reference)".utf8), systemsTraceAuditNumber: 1,
            chip: try request.atc.map { try chipData(request, $0) },
            pin: request.pin.map {
                PINQuestion(
                    zonePINKey: KeyName("zpk"), format: .iso0, block: EncipheredPINBlock(rawValue: $0))
            }, circumstances: circumstances, purpose: request.purpose,
            original: request.original.map {
                OriginalTransaction(moment: $0, acquirer: 1, reference: UInt32(request.reference))
            },
            receivedAt: now, deadline: Deadline(nanoseconds: .max))
    }

    private static func chipData(_ request: Request, _ atc: UInt16) throws -> ICCData {
        var writer = TLVWriter()
        writer.append(.amountAuthorised, bcd(UInt64(request.minorUnits), bytes: 6))
        writer.append(.amountOther, [0, 0, 0, 0, 0, 0])
        writer.append(.terminalCountryCode, [0x07, 0x52])
        writer.append(.terminalVerificationResults, [0, 0, 0, 0x80, 0])
        writer.append(.transactionCurrencyCode, [0x07, 0x52])
        writer.append(.transactionDate, [0x26, 0x11, 0x23])
        writer.append(.transactionType, [0])
        writer.append(.unpredictableNumber, [1, 2, 3, 4])
        writer.append(.applicationInterchangeProfile, [0x39, 0])
        writer.append(.applicationTransactionCounter, [UInt8(atc >> 8), UInt8(truncatingIfNeeded: atc)])
        writer.append(.applicationCryptogram, [0, 0, 0, 0, 0, 0, 0, request.isForged ? 1 : 0])
        writer.append(.cryptogramInformationData, [0x80])
        writer.append(.issuerApplicationData, [0x06, 0x01, 0x12, 0x03, 0xA0, 0xB8, 0x00])
        return try ICCData(parsing: writer.bytes)
    }

    private static func bcd(_ number: UInt64, bytes: Int) -> [UInt8] {
        var rest = number
        return (0..<bytes).map { _ -> UInt8 in
            defer { rest /= 100 }
            return UInt8(((rest % 100) / 10) << 4 | rest % 10)
        }.reversed()
    }
}
