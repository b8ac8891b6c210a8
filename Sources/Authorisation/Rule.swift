/// The checks, in the order in which they stand in `Authoriser.authorise`. The raw value goes to the journal.
package enum Rule: UInt8, CaseIterable, Sendable {
    case retransmission = 1
    case issuerRange = 2
    case cardKnown = 3
    case cardStatus = 4
    case expiry = 5
    case amountAgreement = 6
    case cryptogram = 7
    case pin = 8
    case applicationTransactionCounter = 9
    case pinTries = 10
    case availableAmount = 11
    case limits = 12
    /// Sent to the card, or reported by it.
    case issuerScript = 30
    /// TVR, CVR and CVM results.
    case offlineResults = 31
    /// CVV, iCVV or CVV2.
    case cardValue = 32
    /// Chip, stripe or neither.
    case entryMode = 33
    /// The 3-D Secure authentication value and what it proves.
    case authentication = 34
    /// What kind of transaction it is, where it is no plain purchase.
    case transaction = 40
    /// What the store did with an earlier or a later message about the same transaction.
    case original = 41
    /// What a transaction in another currency comes to.
    case conversion = 42

    /// The rule in words, as `explain` prints it.
    package var words: String {
        switch self {
        case .retransmission: "retransmission"
        case .issuerRange: "issuer range"
        case .cardKnown: "card known"
        case .cardStatus: "card status"
        case .expiry: "expiry date"
        case .amountAgreement: "amount as signed by the card"
        case .cryptogram: "ARQC"
        case .pin: "PIN"
        case .applicationTransactionCounter: "ATC"
        case .pinTries: "PIN tries"
        case .availableAmount: "available amount"
        case .limits: "spending limits"
        case .issuerScript: "issuer script"
        case .offlineResults: "offline results"
        case .cardValue: "card verification value"
        case .entryMode: "entry mode"
        case .authentication: "authentication value"
        case .transaction: "transaction"
        case .original: "original transaction"
        case .conversion: "currency conversion"
        }
    }
}

/// What one rule said.
package enum RuleVerdict: UInt8, Sendable {
    /// The rule has nothing against the transaction.
    case approved = 65  // "A"
    /// The rule declines.
    case declined = 68  // "D"
    /// The rule did not apply, or an earlier one had decided.
    case skipped = 83  // "S"

    /// The word that the trace prints.
    package var words: String {
        switch self {
        case .approved: "APPROVED"
        case .declined: "DECLINED"
        case .skipped: "SKIPPED"
        }
    }
}
