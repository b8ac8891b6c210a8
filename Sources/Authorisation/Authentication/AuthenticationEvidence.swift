/// What a request of electronic commerce says of 3-D Secure. A class: most requests have none. Not described, not logged,
/// not kept.
package final class AuthenticationEvidence: Sendable, CustomReflectable {
    /// What stands where the link has the authentication value.
    package enum Value: Sendable {
        /// Nothing.
        case none
        /// Something that is no value, as base64 that does not decode.
        case unreadable
        /// Its bytes.
        case bytes([UInt8])
    }

    /// The value.
    package let value: Value
    /// The electronic commerce indicator, two digits; nil where the link has none or the element is absent.
    package let indicator: UInt8?
    /// Whether a cardholder may have been asked: electronic commerce, and not a payment that a merchant makes alone.
    package let isElectronicCommerce: Bool
    /// Whether it is a payment of a series that the cardholder has agreed to.
    package let isRecurring: Bool
    /// The merchant's name as the request has it, without spaces at its end.
    package let merchant: [UInt8]

    package init(
        value: Value, indicator: UInt8?, isElectronicCommerce: Bool, isRecurring: Bool, merchant: [UInt8]
    ) {
        self.value = value
        self.indicator = indicator
        self.isElectronicCommerce = isElectronicCommerce
        self.isRecurring = isRecurring
        self.merchant = merchant
    }

    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// What became of 3-D Secure in a transaction; each with a DE39 and DE44 of its own where the range says so.
package enum AuthenticationOutcome: String, CaseIterable, Sendable {
    /// The cardholder was authenticated.
    case right
    /// The value is right, and says that an authentication was attempted.
    case attempted
    case wrong
    case missing
    case replayed
    case amount
    case merchant
    case tooOld = "too-old"
    case series
    case notAuthenticated = "not-authenticated"
    case indicator

    /// The outcome that a decline means; nil for declines of other kinds.
    package init?(_ reason: DeclineReason) {
        switch reason {
        case .authenticationWrong: self = .wrong
        case .authenticationMissing: self = .missing
        case .authenticationReplayed: self = .replayed
        case .authenticationAmountDiffers: self = .amount
        case .authenticationMerchantDiffers: self = .merchant
        case .authenticationTooOld: self = .tooOld
        case .authenticationSeriesEnded: self = .series
        case .authenticationAttemptOnly: self = .attempted
        case .cardholderNotAuthenticated: self = .notAuthenticated
        case .authenticationClaimUnproven: self = .indicator
        default: return nil
        }
    }
}

/// What a range answers in DE39 and DE44 in place of the usual.
package struct ConfiguredAnswer: Hashable, Sendable {
    /// DE39, two characters; nil: the usual one. Of an approval none.
    package let responseCode: String?
    /// DE44, 1 to 25 characters; nil: none.
    package let additionalData: String?

    /// Takes both.
    package init(responseCode: String?, additionalData: String?) {
        self.responseCode = responseCode
        self.additionalData = additionalData
    }
}
