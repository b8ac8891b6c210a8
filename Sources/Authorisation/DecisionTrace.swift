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

/// One line of the decision trace: rule, verdict, reason. The reason holds no card data.
package struct TraceLine: Hashable, Sendable {
    /// The rule that speaks.
    package let rule: Rule
    /// What it says.
    package let verdict: RuleVerdict
    /// Why, in words for a person; printable ASCII without `|` and line breaks.
    package let reason: String

    /// Takes the parts.
    package init(_ rule: Rule, _ verdict: RuleVerdict, _ reason: String) {
        self.rule = rule
        self.verdict = verdict
        self.reason = reason
    }
}

/// Every check of one authorisation, in order.
package struct DecisionTrace: Sendable {
    /// The lines so far.
    package private(set) var lines: [TraceLine] = []

    /// An empty trace with room for every rule.
    package init() { lines.reserveCapacity(Rule.allCases.count) }

    /// Adds a line.
    package mutating func add(_ rule: Rule, _ verdict: RuleVerdict, _ reason: String) {
        lines.append(TraceLine(rule, verdict, reason))
    }

    /// Appends the trace in the form of the journal: per line the rule's number, the verdict's letter and the
    /// reason, the lines divided by `|`: `4A active|5A 2912|7D differs`.
    package func appendEncoded(into bytes: inout [UInt8]) {
        for (index, line) in lines.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: "|")) }
            bytes.appendDecimal(UInt64(line.rule.rawValue))
            bytes.append(line.verdict.rawValue)
            bytes.append(UInt8(ascii: " "))
            bytes.append(contentsOf: line.reason.utf8)
        }
    }

    /// The lines of an encoded trace; what cannot be read is left out, so that a journal of a newer version
    /// still prints.
    package init(decoding bytes: some Collection<UInt8>) {
        lines = bytes.split(separator: UInt8(ascii: "|")).compactMap { line in
            let digits = line.prefix { $0 >= 0x30 && $0 <= 0x39 }
            let rest = line.dropFirst(digits.count)
            guard let number = UInt8(String(decoding: digits, as: UTF8.self)),
                let rule = Rule(rawValue: number),
                let letter = rest.first, let verdict = RuleVerdict(rawValue: letter)
            else { return nil }
            return TraceLine(rule, verdict, String(decoding: rest.dropFirst(2), as: UTF8.self))
        }
    }
}

extension DecisionTrace {
    /// Adds what the store decided; the same for the answer and for a reader of the journal.
    package mutating func add(_ result: CommitResult) {
        if let effect = result.effect { add(.original, .approved, effect.words) }
        let badATC = result.atc == .replayed || result.atc == .outOfRange
        let atc: RuleVerdict = result.atc == .notAsked ? .skipped : badATC ? .declined : .approved
        add(.applicationTransactionCounter, atc, result.atc.words)
        switch result.declined {
        case nil:
            add(.pinTries, .approved, "\(result.pinTriesLeft) left")
            add(.availableAmount, .approved, "\(result.availableMinorUnits) left")
        case .pinWrong, .pinTriesExceeded:
            add(.pinTries, .declined, "\(result.pinTriesLeft) left")
        case .insufficientFunds, .currencyNotServed:
            add(.pinTries, .approved, "\(result.pinTriesLeft) left")
            add(.availableAmount, .declined, result.declined?.words ?? "")
        case .dailyAmountExceeded, .dailyCountExceeded, .rollingAmountExceeded, .rollingCountExceeded,
            .cashAmountExceeded, .cashCountExceeded:
            add(.pinTries, .approved, "\(result.pinTriesLeft) left")
            add(.limits, .declined, result.declined?.words ?? "")
        default: break
        }
    }
}

extension [UInt8] {
    /// Appends a number in decimal digits without making a string of it.
    package mutating func appendDecimal(_ number: UInt64) {
        if number >= 10 { appendDecimal(number / 10) }
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10))
    }
}
