internal import EMV

/// Why a transaction is declined: the issuer's reasons, not a message's codes. The raw value stands in the
/// state store and the journal and never changes its meaning.
package enum DeclineReason: UInt8, CaseIterable, Sendable {
    case unknownCard = 1
    case cardLost = 2
    case cardStolen = 3
    case cardRestricted = 4
    case cardExpired = 5
    /// The expiry date sent differs from the card's.
    case expiryDiffers = 6
    /// No chip data, and no rule that lets such traffic pass.
    case chipDataMissing = 7
    /// The chip data lacks an object that the cryptogram is made over, or an object has the wrong form.
    case chipDataMalformed = 8
    /// The IAD names no profile that the range allows.
    case cryptogramProfileUnknown = 9
    /// A TC or AAC where an ARQC is needed.
    case notAnARQC = 10
    case cryptogramWrong = 11
    /// DE4 or DE49 is not what the card signed.
    case amountDiffers = 12
    case atcReplayed = 13
    case atcOutOfRange = 14
    case pinWrong = 15
    case pinTriesExceeded = 16
    /// A PIN was sent for a card that has none on record.
    case pinNotOnRecord = 17
    case pinBlockUnreadable = 18
    case insufficientFunds = 19
    /// The account is kept in another currency.
    case currencyNotServed = 20
    /// The same retransmission key with other content.
    case retransmissionDiffers = 21
    case transactionAmountTooHigh = 22
    case contactlessAmountTooHigh = 23
    /// Too much for a transaction without cardholder verification.
    case verificationNeeded = 24
    case merchantCategoryBlocked = 25
    case countryBlocked = 26
    case dailyAmountExceeded = 27
    case dailyCountExceeded = 28
    case rollingAmountExceeded = 29
    case rollingCountExceeded = 30
    case cashAmountExceeded = 31
    case cashCountExceeded = 32
    /// A bit of TVR, CVR or CVM results on which the range declines.
    case offlineResultsBad = 60
    /// CVV of a stripe.
    case cardValueWrong = 61
    case cardValueMissing = 62
    /// CVV2.
    case printedValueWrong = 63
    /// The chip's iCVV on a magnetic stripe.
    case clonedChip = 64
    /// The stripe of a card with a chip.
    case fallbackNotAllowed = 65
    case cardNotPresentNotAllowed = 66
    /// A later payment of a series whose first this issuer has not approved.
    case firstPaymentUnknown = 68
    /// DE22 and DE55 contradict each other.
    case entryModeDiffers = 67
    /// The 3-D Secure authentication value is not the issuer's.
    case authenticationWrong = 80
    case authenticationMissing = 81
    /// It was used before.
    case authenticationReplayed = 82
    case authenticationAmountDiffers = 83
    case authenticationMerchantDiffers = 84
    case authenticationTooOld = 85
    /// More payments of a series than the range lets pass on one value.
    case authenticationSeriesEnded = 86
    /// An attempt, where the range wants an authentication.
    case authenticationAttemptOnly = 87
    case cardholderNotAuthenticated = 88
    /// The electronic commerce indicator claims more than the value proves.
    case authenticationClaimUnproven = 89
    /// The range has no master key for the derivation key index of the IAD.
    case keyVersionUnknown = 33
    /// DE3 is not what the card signed in tag 9C.
    case transactionTypeDiffers = 34
    /// A reversal of it had come before it.
    case reversedBefore = 40
    /// A reversal or a completion whose original is not known, or is kept no more.
    case originalUnknown = 41
    /// The completions of an approval come to more than it and its excess.
    case completionTooHigh = 42
    /// DE6 is not what DE10 makes of DE4.
    case conversionDiffers = 43

    /// The reason in words, for people and the trace.
    package var words: String {
        switch self {
        case .unknownCard: "unknown card"
        case .cardLost: "card reported lost"
        case .cardStolen: "card reported stolen"
        case .cardRestricted: "card restricted"
        case .cardExpired: "card expired"
        case .expiryDiffers: "expiry date differs from the card's"
        case .chipDataMissing: "no chip data"
        case .chipDataMalformed: "chip data malformed"
        case .cryptogramProfileUnknown: "cryptogram profile unknown"
        case .notAnARQC: "not an ARQC"
        case .cryptogramWrong: "ARQC wrong"
        case .amountDiffers: "amount differs from what the card signed"
        case .atcReplayed: "ATC replayed"
        case .atcOutOfRange: "ATC out of range"
        case .pinWrong: "PIN wrong"
        case .pinTriesExceeded: "PIN tries exceeded"
        case .pinNotOnRecord: "no PIN on record"
        case .pinBlockUnreadable: "PIN block unreadable"
        case .insufficientFunds: "insufficient funds"
        case .currencyNotServed: "currency not served"
        case .retransmissionDiffers: "repeat with other content"
        case .transactionAmountTooHigh: "over the limit of one transaction"
        case .contactlessAmountTooHigh: "over the contactless limit"
        case .verificationNeeded: "cardholder verification needed"
        case .merchantCategoryBlocked: "merchant category blocked"
        case .countryBlocked: "country blocked"
        case .dailyAmountExceeded: "daily amount exceeded"
        case .dailyCountExceeded: "daily number of transactions exceeded"
        case .rollingAmountExceeded: "rolling amount exceeded"
        case .rollingCountExceeded: "rolling number of transactions exceeded"
        case .cashAmountExceeded: "daily cash exceeded"
        case .cashCountExceeded: "daily number of cash withdrawals exceeded"
        case .cardValueWrong: "CVV wrong"
        case .cardValueMissing: "CVV missing"
        case .printedValueWrong: "CVV2 wrong or missing"
        case .clonedChip: "iCVV in a magnetic stripe"
        case .fallbackNotAllowed: "magnetic stripe not allowed"
        case .cardNotPresentNotAllowed: "card not present not allowed"
        case .firstPaymentUnknown: "first payment of the series not known"
        case .entryModeDiffers: "entry mode contradicts the chip data"
        case .offlineResultsBad: "TVR, CVR or CVM results bad"
        case .authenticationWrong: "authentication value wrong"
        case .authenticationMissing: "authentication value missing"
        case .authenticationReplayed: "authentication value used before"
        case .authenticationAmountDiffers: "authenticated for another amount"
        case .authenticationMerchantDiffers: "authenticated for another merchant"
        case .authenticationTooOld: "authentication too old"
        case .authenticationSeriesEnded: "too many payments on one authentication"
        case .authenticationAttemptOnly: "authentication attempted only"
        case .cardholderNotAuthenticated: "cardholder not authenticated"
        case .authenticationClaimUnproven: "ECI claims more than is proven"
        case .keyVersionUnknown: "key version unknown"
        case .transactionTypeDiffers: "transaction type differs from what the card signed"
        case .reversedBefore: "reversed before it came"
        case .originalUnknown: "original not found"
        case .completionTooHigh: "completion over what was approved"
        case .conversionDiffers: "cardholder billing amount is not DE4 by DE10"
        }
    }
}
