package import Authorisation
internal import EMV

/// DE39 of this issuer (ISO 8583:1987, with the codes of the field for chip). The only file that knows them.
package enum ResponseCode: String, CaseIterable, Sendable {
    case approved = "00"
    case partiallyApproved = "10"
    case unsupportedTransaction = "12"
    case invalidAmount = "13"
    case unknownCard = "14"
    case noActionTaken = "21"
    case originalNotFound = "25"
    case formatError = "30"
    case lostCard = "41"
    case stolenCard = "43"
    case insufficientFunds = "51"
    case expiredCard = "54"
    case wrongPIN = "55"
    case notPermittedToCardholder = "57"
    case suspectedFraud = "59"
    case amountLimitExceeded = "61"
    case restrictedCard = "62"
    case securityViolation = "63"
    case frequencyLimitExceeded = "65"
    case pinTriesExceeded = "75"
    case pinBlockFault = "81"
    case cardValueFailure = "82"
    case cryptogramFailure = "88"
    case issuerUnavailable = "91"
    case duplicateTransmission = "94"
    case systemMalfunction = "96"
    case messageAuthenticationFailed = "98"
    case additionalAuthenticationNeeded = "1A"
    case printedValueFailure = "N7"

    /// The code for each reason to decline.
    package init(_ reason: DeclineReason) {
        self =
            switch reason {
            case .unknownCard: .unknownCard
            case .cardLost: .lostCard
            case .cardStolen: .stolenCard
            case .cardRestricted: .restrictedCard
            case .cardExpired, .expiryDiffers: .expiredCard
            case .chipDataMissing: .unsupportedTransaction
            case .chipDataMalformed: .formatError
            case .cryptogramProfileUnknown, .keyVersionUnknown, .notAnARQC, .cryptogramWrong:
                .cryptogramFailure
            case .amountDiffers: .invalidAmount
            case .atcReplayed, .atcOutOfRange, .offlineResultsBad: .securityViolation
            case .pinWrong: .wrongPIN
            case .pinBlockUnreadable: .pinBlockFault
            case .pinTriesExceeded: .pinTriesExceeded
            case .pinNotOnRecord: .notPermittedToCardholder
            case .insufficientFunds: .insufficientFunds
            case .currencyNotServed: .unsupportedTransaction
            case .retransmissionDiffers: .duplicateTransmission
            case .reversedBefore: .noActionTaken
            case .originalUnknown: .originalNotFound
            case .transactionTypeDiffers: .unsupportedTransaction
            case .conversionDiffers: .invalidAmount
            case .transactionAmountTooHigh, .contactlessAmountTooHigh, .dailyAmountExceeded,
                .rollingAmountExceeded, .cashAmountExceeded, .completionTooHigh:
                .amountLimitExceeded
            case .dailyCountExceeded, .rollingCountExceeded, .cashCountExceeded: .frequencyLimitExceeded
            case .verificationNeeded: .additionalAuthenticationNeeded
            case .merchantCategoryBlocked, .countryBlocked, .fallbackNotAllowed, .cardNotPresentNotAllowed,
                .firstPaymentUnknown:
                .notPermittedToCardholder
            case .cardValueWrong, .cardValueMissing: .cardValueFailure
            case .printedValueWrong: .printedValueFailure
            case .clonedChip: .suspectedFraud
            case .entryModeDiffers: .formatError
            case .authenticationWrong: .cardValueFailure
            case .authenticationReplayed, .authenticationClaimUnproven: .securityViolation
            case .authenticationMissing, .authenticationAmountDiffers, .authenticationMerchantDiffers,
                .authenticationTooOld, .authenticationSeriesEnded, .authenticationAttemptOnly,
                .cardholderNotAuthenticated:
                .additionalAuthenticationNeeded
            }
    }

    /// The code for machinery that failed.
    package init(_ failure: CouldNotDecide) {
        switch failure {
        case .cryptography, .state: self = .issuerUnavailable
        case .damaged: self = .systemMalfunction
        }
    }

    /// What DE39 of an advice says where the message comes from: approved in one of the ways of ISO 8583:1987 (00, 08 with
    /// identification, 10 in part, 11 as a VIP, 16 with an update of track 3, 32 completed in part, 85 no reason to decline,
    /// 87 without cash back), or by card and terminal alone (Y1 to Y3; EMV Book 4 A6).
    private static let approvalsElsewhere: Set<String> = [
        "00", "08", "10", "11", "16", "32", "85", "87", "Y1", "Y2", "Y3",
    ]

    static func saysApproved(_ code: String) -> Bool { approvalsElsewhere.contains(code) }

    /// Two digits: those of the nearest code where its own has a letter.
    var digits: String {
        switch self {
        case .additionalAuthenticationNeeded: "70"
        case .printedValueFailure: ResponseCode.cardValueFailure.rawValue
        default: rawValue
        }
    }

    /// In words, for people.
    package var words: String {
        switch self {
        case .approved: "approved"
        case .partiallyApproved: "approved in part"
        case .noActionTaken: "no action taken"
        case .originalNotFound: "original not found"
        case .unsupportedTransaction: "unsupported transaction"
        case .invalidAmount: "invalid amount"
        case .unknownCard: "unknown card"
        case .formatError: "format error"
        case .lostCard: "lost card"
        case .stolenCard: "stolen card"
        case .insufficientFunds: "insufficient funds"
        case .expiredCard: "expired card"
        case .wrongPIN: "wrong PIN"
        case .notPermittedToCardholder: "not permitted to cardholder"
        case .suspectedFraud: "suspected fraud"
        case .cardValueFailure: "card verification value failure"
        case .printedValueFailure: "CVV2 failure"
        case .amountLimitExceeded: "amount limit exceeded"
        case .restrictedCard: "restricted card"
        case .securityViolation: "security violation"
        case .frequencyLimitExceeded: "frequency limit exceeded"
        case .pinTriesExceeded: "PIN tries exceeded"
        case .pinBlockFault: "PIN block fault"
        case .cryptogramFailure: "cryptogram failure"
        case .issuerUnavailable: "issuer unavailable"
        case .duplicateTransmission: "duplicate transmission"
        case .systemMalfunction: "system malfunction"
        case .messageAuthenticationFailed: "MAC wrong or missing"
        case .additionalAuthenticationNeeded: "additional authentication needed"
        }
    }

    /// Tag 8A as this issuer sets it: the characters of DE39. A dialect's habit, not an identity; the types
    /// stay apart.
    package static let authorisationResponseCodes = AuthorisationResponseCodes(
        approved: code(.approved), declined: { code(ResponseCode($0)) })

    private static func code(_ code: ResponseCode) -> AuthorisationResponseCode {
        let characters = Array(code.rawValue.utf8)
        return AuthorisationResponseCode(rawValue: UInt16(characters[0]) << 8 | UInt16(characters[1]))
    }
}
