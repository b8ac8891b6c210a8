internal import Authorisation
internal import EMV
package import ISO8583

/// DE39 of ISO 8583:1993, the action code: three digits, the first of which says what kind of answer it is. The only file
/// that knows them, beside those of 1987 in `ResponseCode`.
package enum ActionCode: String, CaseIterable, Sendable {
    case approved = "000"
    case approvedInPart = "002"
    case doNotHonour = "100"
    case expiredCard = "101"
    case suspectedFraud = "102"
    case restrictedCard = "104"
    case pinTriesExceeded = "106"
    case invalidAmount = "110"
    case invalidCardNumber = "111"
    case pinDataRequired = "112"
    case insufficientFunds = "116"
    case incorrectPIN = "117"
    case notPermittedToCardholder = "119"
    case exceedsAmountLimit = "121"
    case securityViolation = "122"
    case exceedsFrequencyLimit = "123"
    case invalidPINBlock = "126"
    case suspectedCounterfeitCard = "129"
    case lostCard = "208"
    case stolenCard = "209"
    case reversalAccepted = "400"
    case networkManagementAccepted = "800"
    case adviceAcknowledged = "900"
    case invalidTransaction = "902"
    case formatError = "904"
    case systemMalfunction = "909"
    case issuerUnavailable = "912"
    case duplicateTransmission = "913"
    case originalNotFound = "914"
    case macIncorrect = "916"

    /// What an answer of this type says for a code of 1987. Where all is well, the kind of message decides: 000 answers
    /// a request, 400 a reversal, 800 network management, 900 an advice.
    package init(_ code: ResponseCode, in answer: MTI) {
        self =
            switch code {
            case .approved: ActionCode(accepting: answer)
            case .partiallyApproved: .approvedInPart
            case .unsupportedTransaction: .invalidTransaction
            case .invalidAmount: .invalidAmount
            case .unknownCard: .invalidCardNumber
            case .noActionTaken: .doNotHonour
            case .originalNotFound: .originalNotFound
            case .formatError: .formatError
            case .lostCard: .lostCard
            case .stolenCard: .stolenCard
            case .insufficientFunds: .insufficientFunds
            case .expiredCard: .expiredCard
            case .wrongPIN: .incorrectPIN
            case .notPermittedToCardholder: .notPermittedToCardholder
            case .suspectedFraud: .suspectedFraud
            case .amountLimitExceeded: .exceedsAmountLimit
            case .restrictedCard: .restrictedCard
            case .securityViolation, .cryptogramFailure, .printedValueFailure: .securityViolation
            case .frequencyLimitExceeded: .exceedsFrequencyLimit
            case .pinTriesExceeded: .pinTriesExceeded
            case .pinBlockFault: .invalidPINBlock
            case .cardValueFailure: .suspectedCounterfeitCard
            case .issuerUnavailable: .issuerUnavailable
            case .duplicateTransmission: .duplicateTransmission
            case .systemMalfunction: .systemMalfunction
            case .messageAuthenticationFailed: .macIncorrect
            case .additionalAuthenticationNeeded: .pinDataRequired
            }
    }

    private init(accepting answer: MTI) {
        switch answer.messageClass {
        case .reversal: self = .reversalAccepted
        case .networkManagement: self = .networkManagementAccepted
        default: self = answer.function == 3 ? .adviceAcknowledged : .approved
        }
    }

    /// Whether DE39 of an advice or an answer says that all is well: 0xx approved, 4xx and 8xx accepted, 900 and 901
    /// acknowledged.
    package static func saysAccepted(_ code: String) -> Bool {
        guard code.utf8.count == 3, let first = code.first else { return false }
        return "048".contains(first) || code == "900" || code == "901"
    }

    /// In words, for people.
    package var words: String {
        switch self {
        case .approved: "approved"
        case .approvedInPart: "approved in part"
        case .doNotHonour: "do not honour"
        case .expiredCard: "expired card"
        case .suspectedFraud: "suspected fraud"
        case .restrictedCard: "restricted card"
        case .pinTriesExceeded: "PIN tries exceeded"
        case .invalidAmount: "invalid amount"
        case .invalidCardNumber: "invalid card number"
        case .pinDataRequired: "PIN data required"
        case .insufficientFunds: "insufficient funds"
        case .incorrectPIN: "incorrect PIN"
        case .notPermittedToCardholder: "not permitted to cardholder"
        case .exceedsAmountLimit: "amount limit exceeded"
        case .securityViolation: "security violation"
        case .exceedsFrequencyLimit: "frequency limit exceeded"
        case .invalidPINBlock: "invalid PIN block"
        case .suspectedCounterfeitCard: "suspected counterfeit card"
        case .lostCard: "lost card"
        case .stolenCard: "stolen card"
        case .reversalAccepted: "reversal accepted"
        case .networkManagementAccepted: "accepted"
        case .adviceAcknowledged: "advice acknowledged"
        case .invalidTransaction: "invalid transaction"
        case .formatError: "format error"
        case .systemMalfunction: "system malfunction"
        case .issuerUnavailable: "issuer unavailable"
        case .duplicateTransmission: "duplicate transmission"
        case .originalNotFound: "original not found"
        case .macIncorrect: "MAC incorrect"
        }
    }
}

extension ResponseCode {
    /// Whether DE39 of a message, of either edition, says that all is well.
    package static func isAccepted(_ message: Message) -> Bool {
        guard let code = message.text(.responseCode) else { return false }
        return message.mti.is1993 ? ActionCode.saysAccepted(code) : code == ResponseCode.approved.rawValue
    }

    /// What DE39 of a message, of either edition, says in words; nil for a code that this issuer does not have.
    package static func words(_ code: String) -> String? {
        code.utf8.count == 3 ? ActionCode(rawValue: code)?.words : ResponseCode(rawValue: code)?.words
    }
}
