/// What is being asked for (ISO 8583:1987 DE3, positions 1 and 2). The raw value stands in the card's record and never
/// changes its meaning.
package enum TransactionKind: UInt8, CaseIterable, Sendable {
    /// Goods or services.
    case purchase = 1
    /// Cash at a machine or a counter.
    case cash = 2
    /// Goods with cash on top: DE4 is both together, tag 9F03 the cash.
    case purchaseWithCashBack = 3
    /// Money back to the card: gives, and takes nothing.
    case refund = 4
    /// Takes an amount until a completion says what it came to.
    case preAuthorisation = 5
    /// Says what an earlier approval came to: replaces what that took.
    case completion = 6
    /// Asks what is available; takes nothing.
    case balanceEnquiry = 7

    /// In words, for people and the trace.
    package var words: String {
        switch self {
        case .purchase: "purchase"
        case .cash: "cash"
        case .purchaseWithCashBack: "purchase with cash back"
        case .refund: "refund"
        case .preAuthorisation: "pre-authorisation"
        case .completion: "completion"
        case .balanceEnquiry: "balance enquiry"
        }
    }

    /// Takes money out of the account, so that limits and bounds apply.
    package var takes: Bool { self != .refund && self != .balanceEnquiry }
}

/// What the sender wants of the issuer.
package enum RequestPurpose: Hashable, Sendable {
    /// A decision (0100, 0200).
    case decision
    /// That what was decided elsewhere is booked (0120, 0220); false: it was declined there.
    case advice(approved: Bool)
    /// That an earlier transaction is undone (0400, 0420) but for so many minor units (DE95); 0: wholly.
    case reversal(remainingMinorUnits: Int64)
}

extension AuthorisationRequest {
    /// Whether the terminal goes on with less than it asked for.
    var mayBeApprovedInPart: Bool {
        circumstances.allowsPartialApproval
            && (circumstances.kind == .purchase || circumstances.kind == .preAuthorisation)
    }
}
