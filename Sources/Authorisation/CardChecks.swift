internal import EMV

/// What the acquirer asks for must be what the card signed: DE4 = 9F02, DE49 = 5F2A. Otherwise a right
/// cryptogram over a small amount would open a large one.
///
/// What was left out of DE55 the card has signed as zeros, or not at all, as the profile says; the cryptogram has proved
/// it. No amount of 0 agrees with more in DE4; no currency leaves DE49 as the only one that is named.
struct AmountAgreementCheck {
    static func evaluate(
        _ request: AuthorisationRequest, _ chip: ICCData, trace: inout DecisionTrace
    ) -> DeclineReason? {
        let (amount, circumstances) = (request.amount, request.circumstances)
        if circumstances.kind == .completion {
            trace.add(.amountAgreement, .skipped, reason: "signed for the approval that it completes")
            return nil
        }
        guard let signed = chip.amountAuthorised ?? (chip.isLeftOut(.amountAuthorised) ? 0 : nil),
            let currency = chip.transactionCurrencyCode
                ?? (chip.isLeftOut(.transactionCurrencyCode) ? amount.currency.rawValue : nil)
        else {
            return trace.declined(.amountAgreement, .chipDataMalformed, reason: "9F02 or 5F2A malformed")
        }
        guard signed == UInt64(amount.minorUnits), currency == amount.currency.rawValue else {
            return trace.declined(
                .amountAgreement, .amountDiffers, reason: "DE4 or DE49 differs from 9F02 or 5F2A")
        }
        if circumstances.kind == .purchaseWithCashBack, !agreesOnCash(circumstances, chip, signed: signed) {
            return trace.declined(
                .amountAgreement, .amountDiffers,
                reason: "9F03 is not cash back within DE4, or not that of DE54")
        }
        trace.add(.amountAgreement, .approved, reason: "as signed")
        return nil
    }
}

/// What DE3 asks for must be what the card signed in tag 9C; otherwise a purchase that was signed would pay the card as a
/// refund. A table, not equality: a card signs cash back as a purchase, and enquiries under several codes.
struct TransactionTypeCheck {
    /// The codes of 9C (ISO 8583:1987 DE3, positions 1 and 2, in BCD) for each kind; a kind that is not here signs none.
    private static let signed: [TransactionKind: Set<UInt8>] = [
        .purchase: [0x00, 0x09], .purchaseWithCashBack: [0x00, 0x09], .cash: [0x01, 0x11, 0x17],
        .refund: [0x20], .preAuthorisation: [0x00, 0x30], .balanceEnquiry: [0x00, 0x30, 0x31],
    ]

    static func evaluate(
        _ request: AuthorisationRequest, _ chip: ICCData, profile: CryptogramProfile,
        trace: inout DecisionTrace
    ) -> DeclineReason? {
        guard let codes = signed[request.circumstances.kind] else { return nil }
        // Where the card signs none and none came there is nothing to hold; money is not given on such a word.
        if !profile.signsTransactionType, !chip.has(.transactionType), request.circumstances.kind != .refund {
            return nil
        }
        // What the terminal left out the card has signed as zeros.
        let code = chip[.transactionType]?.first ?? 0x00
        let isEnquiry = request.circumstances.kind == .balanceEnquiry
        guard codes.contains(code), !isEnquiry || chip.amountAuthorised ?? 0 == 0 else {
            return trace.declined(
                .amountAgreement, .transactionTypeDiffers,
                reason:
                    "DE3 is \(request.circumstances.kind.words), the card signed another transaction type in 9C"
            )
        }
        return nil
    }
}

/// What terminal and card found before the issuer was asked: TVR, CVR and CVM results, all of them covered by the
/// cryptogram or vouched for by the acquirer.
struct OfflineResultsCheck {
    let policy: OfflineResultsPolicy

    func evaluate(
        _ chip: ICCData, _ verified: VerifiedCryptogram, kind: TransactionKind, trace: inout DecisionTrace
    ) -> DeclineReason? {
        // A genuine card that has declined: it may be told something (a script), but gets no approval. For a refund
        // a card says nothing else.
        if chip.cryptogramKind == .aac, kind != .refund {
            return trace.declined(.offlineResults, .notAnARQC, reason: "the card declines (AAC)")
        }
        let terminal = chip.terminalVerificationResults ?? 0
        let format = verified.question.profile.format
        let card = verified.issuerApplicationData.cardVerificationResultsValue(in: format)
        let bad = finding(terminal, card, cvm: chip.cvmResults, format: format)
        trace.add(
            .offlineResults, bad == nil ? .approved : .declined,
            reason: bad
                ?? OfflineResultsText.encode(terminal, card, format: format, cvm: chip.cvmResults))
        return bad == nil ? nil : .offlineResultsBad
    }

    private func finding(
        _ terminal: UInt64, _ card: UInt64, cvm: CVMResults?, format: IssuerApplicationDataFormat
    ) -> String? {
        let declined = policy.card[format] ?? 0
        if terminal & policy.terminal != 0 || card & declined != 0 {
            return badBits(terminal & policy.terminal, card & declined, format: format)
        }
        guard let cvm else { return nil }
        if policy.declinesFailedVerification, cvm.result == 1 { return "CVM results bad: \(cvm.words)" }
        if policy.declinesUnseenPIN, cvm.claimsOfflinePIN, sawNoPIN(card, format) {
            return "CVM results bad: \(cvm.words), but the card saw no PIN"
        }
        return nil
    }
}

/// The three values in a trace line: `0000008000 A0B800 020300`, and what they mean, for people.
package enum OfflineResultsText {
    static func encode(
        _ terminal: UInt64, _ card: UInt64, format: IssuerApplicationDataFormat, cvm: CVMResults?
    ) -> String {
        let cardDigits = 2 * format.places.results.count
        return String(unsafeUninitializedCapacity: 10 + 1 + cardDigits + 1 + 6) { buffer in
            var count = 0
            func hex(_ value: UInt64, _ digits: Int) {
                if count > 0 {
                    buffer[count] = 0x20
                    count += 1
                }
                for digit in stride(from: digits - 1, through: 0, by: -1) {
                    let nibble = UInt8(truncatingIfNeeded: value >> UInt64(4 * digit)) & 0x0F
                    buffer[count] = nibble < 10 ? 0x30 + nibble : 0x37 + nibble
                    count += 1
                }
            }
            hex(terminal, 10)
            hex(card, cardDigits)
            if let cvm { hex(UInt64(cvm.rawValue), 6) }
            return count
        }
    }
}
