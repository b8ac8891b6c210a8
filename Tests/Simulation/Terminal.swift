internal import Authorisation
internal import EMV

/// Messages as the terminals of the simulation send them.
enum Terminal {
    /// - Parameters:
    ///   - link: what journal entries call the message by.
    ///   - now: nanoseconds of the simulation.
    static func message(_ deal: Deal, _ plan: Plan, link: Int, at now: UInt64) throws -> AuthorisationRequest
    {
        var circumstances = Circumstances()
        circumstances.kind = deal.kind
        circumstances.merchantCategory = deal.category
        circumstances.country = deal.country
        circumstances.isContactless = deal.isContactless
        circumstances.isCardholderVerified = deal.isHolderVerified
        circumstances.allowsPartialApproval = deal.isPartialAllowed
        if deal.kind == .purchaseWithCashBack { circumstances.cashBackMinorUnits = deal.cashBack }
        let isChip = deal.entry == .chip
        let number =
            isChip && !deal.hidesNumber ? PANSequenceNumber(rawValue: deal.plastic.sequenceNumber) : nil
        return AuthorisationRequest(
            link: "\(link)",
            card: CardIdentity(pan: plan.accounts[deal.account].pan, panSequenceNumber: number),
            expiry: deal.entry == .none || deal.hidesExpiry ? nil : deal.plastic.expiry,
            amount: Amount(
                minorUnits: deal.minorUnits,
                currency: deal.shop.flatMap { CurrencyCode(rawValue: $0.currency) } ?? Plan.currency)!,
            billing: deal.isReversal ? nil : deal.shop?.billing(deal.minorUnits),
            transmission: transmission(deal), retrievalReferenceNumber: [],
            chip: isChip ? try chipData(deal) : nil,
            pin: deal.pin.map {
                PINQuestion(
                    zonePINKey: KeyName("zpk"), format: .iso0,
                    block: EncipheredPINBlock(
                        rawValue: deal.isPINMalformed ? SimulatedPort.malformedBlock : $0))
            }, nonChip: evidence(deal), authentication: deal.authenticationEvidence,
            circumstances: circumstances, purpose: deal.purpose,
            original: original(deal), receivedAt: now, deadline: Deadline(nanoseconds: .max))
    }

    private static func transmission(_ deal: Deal) -> Transmission {
        let messageClass: TransmissionClass =
            switch deal.purpose {
            case .decision: deal.kind == .completion ? .completion : .request
            case .advice: .advice
            case .reversal: .reversal
            }
        return Transmission(
            messageClass: messageClass, isRepeat: deal.isRepeat, stan: deal.stan, sentAt: deal.sentAt,
            localTime: deal.localTime, reference: deal.reference, acquirer: deal.place.acquirer,
            terminal: deal.place.terminal, merchant: deal.place.merchant)
    }

    /// Every message that is no request says what it shares with an original, if it has one.
    private static func original(_ deal: Deal) -> OriginalTransaction? {
        if let naming = deal.naming { return naming }
        guard deal.purpose != .decision else { return nil }
        return OriginalTransaction(
            reference: deal.reference, acquirer: deal.place.acquirer, terminal: deal.place.terminal,
            localTime: deal.localTime, ownSTAN: deal.stan, ownSentAt: deal.sentAt)
    }

    private static func evidence(_ deal: Deal) -> NonChipEvidence? {
        let value: UInt16 =
            deal.isCloned ? SimulatedPort.chipValue : deal.isForged ? 0x666 : SimulatedPort.value
        switch deal.entry {
        case .chip: return NonChipEvidence(entry: .chip)
        case .none: return nil
        case .typed:
            return NonChipEvidence(
                entry: .cardNotPresent, printedValue: deal.authentication == nil ? value : nil)
        case .stripe:
            return NonChipEvidence(
                entry: .magneticStripe, stripeExpiry: 0x2912, serviceCode: 0x101,
                discretionary: UInt64(value) << 52, discretionaryCount: 16)
        }
    }

    private static func chipData(_ deal: Deal) throws -> ICCData {
        let minorUnits = UInt64(deal.minorUnits)
        let kind: UInt8 = deal.isAdvice ? (deal.purpose == .advice(approved: true) ? 0x40 : 0x00) : 0x80
        var writer = TLVWriter()
        writer.append(.amountAuthorised, bcd(minorUnits))
        writer.append(.amountOther, bcd(UInt64(deal.cashBack)))
        writer.append(.terminalCountryCode, [0x07, 0x52])
        writer.append(.terminalVerificationResults, [0, 0, 0, 0x80, 0])
        writer.append(.transactionCurrencyCode, bcd(UInt64(deal.shop?.currency ?? 752)).suffix(2))
        writer.append(.transactionDate, [0x26, 0x11, 0x23])
        writer.append(.transactionType, [deal.signedType ?? Plan.type(deal.kind)])
        writer.append(.unpredictableNumber, [1, 2, 3, 4])
        writer.append(.applicationInterchangeProfile, [0x39, 0])
        writer.append(
            .applicationTransactionCounter, [UInt8(deal.atc >> 8), UInt8(truncatingIfNeeded: deal.atc)])
        writer.append(
            .applicationCryptogram, [0, 0, 0, 0, 0, 0, deal.isForged ? 1 : 0, deal.plastic.sequenceNumber])
        writer.append(.cryptogramInformationData, [kind])
        writer.append(.issuerApplicationData, [0x06, 0x01, 0x12, 0x03, 0xA0, 0xB8, 0x00])
        if !deal.scriptResults.isEmpty { writer.append(.issuerScriptResults, deal.scriptResults) }
        return try ICCData(parsing: writer.bytes)
    }

    private static func bcd(_ number: UInt64) -> [UInt8] {
        var rest = number
        return (0..<6).map { _ -> UInt8 in
            defer { rest /= 100 }
            return UInt8(((rest % 100) / 10) << 4 | rest % 10)
        }.reversed()
    }
}
