internal import EMV

/// What a payment without the card is, as far as the message says so. The raw value is the name that dialects, configuration and
/// trace have.
package enum RemoteKind: String, CaseIterable, Sendable {
    /// By mail or telephone.
    case mailOrder
    /// One of a series that was agreed on.
    case recurring
    /// By what a merchant keeps of an earlier payment, at no fixed time.
    case storedCredential
    /// Whether the card may be used at all: no money moves.
    case accountVerification
    /// Money back to the card.
    case refund

    /// In words, for people and the trace.
    package var words: String {
        switch self {
        case .mailOrder: "mail or telephone order"
        case .recurring: "recurring payment"
        case .storedCredential: "stored credential"
        case .accountVerification: "account verification"
        case .refund: "refund"
        }
    }

    /// It rests on an earlier payment, with which the cardholder agreed to it.
    package var hasFirst: Bool { self == .recurring || self == .storedCredential }
}

/// A payment without the card, of a kind that a message has named.
package struct RemotePayment: Hashable, Sendable {
    /// What it is.
    package let kind: RemoteKind
    /// The one with which the cardholder agreed to those that come later: CVV2 is asked for as for any other.
    package let isFirst: Bool
    /// A hash of the reference of the first payment: its own where this is it; 0: none came.
    package let reference: UInt64

    package init(kind: RemoteKind, isFirst: Bool = false, reference: UInt64 = 0) {
        (self.kind, self.isFirst, self.reference) = (kind, isFirst, reference)
    }
}

/// What a range lets pass without CVV2, kind by kind. What is not named does not pass.
package struct RemotePolicy: Sendable {
    /// The most of one payment, in minor units of the account.
    package var most: [RemoteKind: Int64] = [:]
    /// A later payment has to name a first one that this issuer has approved.
    package var needsFirst = true

    /// Nothing passes.
    package init() {}
}

/// A rule that lets a payment pass without CVV2. Only `NonChipCheck` makes one, for a kind that the range names.
package struct RemoteExemption: Sendable {
    /// What came.
    package let payment: RemotePayment
    /// The most of it, in minor units of the account.
    let most: Int64
    /// Its first payment has to be known.
    let needsFirst: Bool

    fileprivate init(_ payment: RemotePayment, most: Int64, needsFirst: Bool) {
        (self.payment, self.most, self.needsFirst) = (payment, most, needsFirst)
    }

    /// What a message under it rests on.
    func proof(_ trace: inout DecisionTrace) -> Proof {
        trace.add(.cardValue, .skipped, reason: "none sent, \(payment.kind.words)")
        return .exempt(self)
    }
}

extension NonChipCheck {
    /// What takes the place of CVV2, where none came: nil where nothing does.
    func exemption(_ request: AuthorisationRequest) -> RemoteExemption? {
        guard let evidence = request.nonChip, evidence.printedValue == nil, let payment = evidence.remote,
            !payment.isFirst, let most = policy.remote.most[payment.kind],
            payment.kind != .refund || request.circumstances.kind == .refund
        else { return nil }
        return RemoteExemption(
            payment, most: most, needsFirst: payment.kind.hasFirst && policy.remote.needsFirst)
    }
}
