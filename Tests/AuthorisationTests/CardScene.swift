@testable import Authorisation
import EMV
import Testing

/// A card's record in memory and messages about it: the transition alone, without host, token and store.
struct CardScene {
    static let currency = CurrencyCode(rawValue: 752)!
    /// 18 November 2026, 11:06:40 UTC.
    var now: Int64 = 1_795_000_000
    var policy = CardPolicy()
    /// Of which the store lacks decisions.
    var lost: [LostTime] = []
    private(set) var record: CardRecord?
    private(set) var past: [UInt8] = []
    /// Of the last step.
    private(set) var lines: [CardChange.Line] = []
    /// Comparisons of a PIN that took more than the first job.
    private(set) var pinQuestions = 0
    private var random: UInt64 = 0

    /// One account with one card for each sequence number, all until December 2030.
    init(_ available: Int64 = 10_000, numbers: [UInt8] = [1], pin: UInt64 = 77) throws {
        for number in numbers {
            try order(.importCard(Self.definition(number, available, pin), forgettingATCs: false))
        }
    }

    /// What was made by another event than an import.
    init(_ change: CardChange) { take(change) }

    static func definition(_ number: UInt8, _ available: Int64, _ pin: UInt64 = 77) -> CardDefinition {
        CardDefinition(
            sequenceNumber: number, status: .active, expiry: ExpiryDate(monthsSince2000: 12 * 30 + 11),
            pin: .reference(EncipheredPINBlock(rawValue: pin)), pinTriesMax: 3,
            availableMinorUnits: available,
            currency: currency, profile: "visa-cvn18")
    }

    var available: Int64 { record?.availableMinorUnits ?? 0 }

    func plastic(_ number: UInt8) throws -> Plastic {
        try #require(record?.plastics.first { $0.sequenceNumber == number })
    }

    @discardableResult
    mutating func order(_ order: OperatorOrder) throws -> String {
        random += 1
        let step = CardTransition.apply(
            order, to: CardReading(record: record, past: past), policy: policy, now: now, random: random)
        guard case .done(let before, let change) = step else { throw Unexpected("\(step)") }
        take(change)
        return before
    }

    /// A message in the way of a host: what the record asks for is found out, then it is written.
    @discardableResult
    mutating func send(_ draft: Draft) throws -> CommitResult { try outcome(draft).result }

    /// What the record asks for before it decides.
    func question(_ draft: Draft) throws -> CardQuestion? {
        let message = try draft.message(policy: policy, now: now, random: 1)
        let step = CardTransition.apply(
            message, CardKnowledge(), to: CardReading(record: record, past: past))
        if case .ask(let question) = step { return question }
        return nil
    }

    mutating func outcome(_ draft: Draft) throws -> CardOutcome {
        random += 1
        let message = try draft.message(policy: policy, now: now, random: random, lost: lost)
        var (knowledge, reading) = (CardKnowledge(), CardReading(record: record, past: nil))
        while true {
            switch CardTransition.apply(message, knowledge, to: reading) {
            case .ask(.past): reading = CardReading(record: record, past: past)
            case .ask(.pin(let pin)):
                pinQuestions += 1
                knowledge.pin = (pin, PINVerdict.compare(message.pin, pin))
            case .ask(.script(let script)): knowledge.script = (script.identifier, nil)
            case .ask(.account), .ask(.move): throw Unexpected("the account has moved or is to move")
            case .broken(let words): throw Unexpected(words)
            case .decided(let outcome, let change):
                take(change)
                return outcome
            }
        }
    }

    private mutating func take(_ change: CardChange) {
        lines = change.lines
        if let new = change.record { record = new }
        switch change.past {
        case .untouched: break
        case .append(let bytes): past += bytes
        case .replace(let bytes): past = bytes
        }
    }

    struct Unexpected: Error, CustomStringConvertible {
        let description: String
        init(_ words: String) { description = words }
    }
}

/// A message to be: a stripe purchase of 10.00 unless it says otherwise.
struct Draft {
    enum Entry {
        /// A verified cryptogram of a plastic.
        case chip(UInt16, plastic: UInt8)
        /// One that failed.
        case forged(UInt16, plastic: UInt8)
        case stripe
        /// A card value that failed.
        case badStripe
        /// A web shop with a 3-D Secure value, and what the token says of it.
        case shop(AuthenticationEvidence, AuthenticationPolicy, AuthenticationAnswer)
        case none
    }

    var entry = Entry.stripe
    var kind = TransactionKind.purchase
    var purpose = RequestPurpose.decision
    var minorUnits: Int64 = 1_000
    /// DE49.
    var currency = CardScene.currency
    /// DE6, DE51 and DE10.
    var billing: CardholderBilling?
    var cashBack: Int64?
    /// In place of the stripe: what stands for the card, judged under this policy.
    var remote: NonChipEvidence?
    var remotePolicy: NonChipPolicy?
    var numbers = Transmission(
        messageClass: .request, stan: 7, sentAt: 1118_110640, localTime: 1118_120640, reference: 99,
        acquirer: 1,
        terminal: 2, merchant: 3)
    var original: OriginalTransaction?
    /// DE37 itself; its hash stands in `numbers`.
    var rrn = ""
    var pin: UInt64?
    /// In place of what `pin` would come to.
    var pinAnswer: PINAnswer?
    var category: UInt16?
    var allowsPart = false
    /// Nil: not sent, as the stripe and most reversals have it.
    var sequenceNumber: UInt8?
    var expiry: ExpiryDate?
    /// It has the PAN that the account had before.
    var isOfPANBefore = false
    var scriptResults: [UInt8] = []

    init(_ change: (inout Draft) -> Void = { _ in }) { change(&self) }

    func with(_ change: (inout Draft) -> Void) -> Draft {
        var draft = self
        change(&draft)
        return draft
    }

    /// The same declared a repeat, sent later.
    func again(after seconds: UInt32 = 5) -> Draft {
        with {
            $0.numbers.isRepeat = true
            if $0.numbers.sentAt != 0 { $0.numbers.sentAt += seconds }
        }
    }

    /// Another transaction at the terminal.
    func next(_ stan: UInt32) -> Draft {
        with {
            $0.numbers.stan = stan
            $0.numbers.sentAt += stan
            $0.numbers.localTime += stan
            $0.numbers.reference += UInt64(stan)
        }
    }

    /// A reversal that names STAN and DE7.
    func reversal(remaining: Int64 = 0) -> Draft {
        with {
            $0.original = OriginalTransaction(
                stan: numbers.stan, sentAt: numbers.sentAt, isAdvice: numbers.messageClass == .advice,
                reference: numbers.reference, acquirer: numbers.acquirer, terminal: numbers.terminal)
            $0.purpose = .reversal(remainingMinorUnits: remaining)
            $0.entry = .none
            $0.sequenceNumber = nil
            $0.pin = nil
        }
    }

    /// An advice of what was decided elsewhere.
    func advice(approved: Bool = true) -> Draft {
        with {
            $0.purpose = .advice(approved: approved)
            $0.numbers.messageClass = .advice
            $0.original = OriginalTransaction(
                reference: numbers.reference, acquirer: numbers.acquirer, terminal: numbers.terminal,
                localTime: numbers.localTime, ownSTAN: numbers.stan, ownSentAt: numbers.sentAt)
        }
    }

    /// A completion of this.
    func completion(_ minorUnits: Int64, stan: UInt32) -> Draft {
        var completion = next(stan)
        completion.kind = .completion
        completion.minorUnits = minorUnits
        completion.entry = .none
        completion.numbers.reference = numbers.reference
        completion.original = OriginalTransaction(
            stan: numbers.stan, sentAt: numbers.sentAt, reference: numbers.reference,
            acquirer: numbers.acquirer,
            terminal: numbers.terminal)
        return completion
    }

    func message(
        policy: CardPolicy, now: Int64, random: UInt64, lost: [LostTime] = []
    ) throws -> CardMessage {
        let request = try request()
        var (proof, declined) = (Proof.none, DeclineReason?.none)
        var trace = DecisionTrace()
        switch entry {
        case .chip:
            let (asked, iad) = try question(request)
            let found = CryptogramCheck.evaluate(.ask(asked, iad), .matches([]), trace: &trace)
            proof = .chip(try #require(found.verified))
        case .forged: declined = .cryptogramWrong
        case .badStripe: declined = .cardValueWrong
        case .stripe:
            let (value, _) = NonChipCheck.evaluate(
                .askValue(
                    CardValueQuestion(cardVerificationKey: KeyName("cvk"), candidates: [], value: 0x123),
                    NonChipPolicy(cardVerificationKey: KeyName("cvk"))), .matches(0), request: request,
                trace: &trace)
            proof = .cardValue(try #require(value))
        case .shop(_, let policy, let answer):
            let range = IssuerRange(
                name: "visa", prefix: PANPrefix("476173")!,
                keys: IssuerKeys([IssuerKeyVersion(name: "", issuerMasterKey: KeyName("imk"))]),
                masterKeyOption: .a, profiles: [], authentication: policy)
            if let finding = AuthenticationFinding.of(request, range) {
                let (verified, reason) = finding.evaluate(answer, request, now: now, trace: &trace)
                declined = reason
                if let verified { proof = .authentication(verified) }
            }
        case .none: break
        }
        if let remotePolicy {
            (proof, declined) = judged(request, remotePolicy, &trace)
        }
        if purpose != .decision { declined = nil }
        return CardMessage(
            request: request, rangeName: "visa", proof: proof, evidence: trace.lines, declined: declined,
            pin: pinAnswer ?? pin.map { .translated(EncipheredPINBlock(rawValue: $0)) } ?? .notAsked,
            policy: policy, now: now,
            approvalCode: 0x3030_3030_3030 + random % 10, random: random, lost: lost,
            isOfPANBefore: isOfPANBefore)
    }

    /// As a host judges it, with a token that finds every CVV2 right.
    private func judged(
        _ request: AuthorisationRequest, _ policy: NonChipPolicy, _ trace: inout DecisionTrace
    ) -> (Proof, DeclineReason?) {
        switch NonChipCheck(policy: policy).prepare(request) {
        case .exempt(let exemption): return (.exempt(exemption), nil)
        case .askValue(let question, let policy):
            let (value, reason) = NonChipCheck.evaluate(
                .askValue(question, policy), .matches(0), request: request, trace: &trace)
            return (value.map(Proof.cardValue) ?? .none, reason)
        case .decline(let reason, _): return (.none, reason)
        case .ask, .skip: return (.none, .chipDataMissing)
        }
    }

    func asRequest() throws -> AuthorisationRequest { try request() }

    private func request() throws -> AuthorisationRequest {
        var (chip, number) = (ICCData?.none, sequenceNumber)
        if case .chip(let atc, let plastic) = entry {
            (chip, number) = (try iccData(atc), sequenceNumber ?? plastic)
        }
        if case .forged(let atc, let plastic) = entry {
            (chip, number) = (try iccData(atc), sequenceNumber ?? plastic)
        }
        var evidence: AuthenticationEvidence?
        if case .shop(let sent, _, _) = entry { evidence = sent }
        var circumstances = Circumstances()
        circumstances.kind = kind
        circumstances.merchantCategory = category
        circumstances.allowsPartialApproval = allowsPart
        circumstances.cashBackMinorUnits = cashBack
        var transmission = numbers
        switch purpose {
        case .decision: transmission.messageClass = kind == .completion ? .completion : .request
        case .advice: transmission.messageClass = .advice
        case .reversal: transmission.messageClass = .reversal
        }
        return AuthorisationRequest(
            link: "a",
            card: CardIdentity(
                pan: try PAN("4761739001010010"),
                panSequenceNumber: number.flatMap(PANSequenceNumber.init(rawValue:))),
            expiry: expiry ?? (remote == nil ? nil : ExpiryDate(monthsSince2000: 12 * 30 + 11)),
            amount: Amount(minorUnits: minorUnits, currency: currency)!,
            billing: billing, transmission: transmission, retrievalReferenceNumber: Array(rrn.utf8),
            chip: chip,
            pin: pin.map {
                PINQuestion(
                    zonePINKey: KeyName("zpk"), format: .iso0, block: EncipheredPINBlock(rawValue: $0))
            },
            nonChip: remote
                ?? NonChipEvidence(entry: evidence == nil ? .magneticStripe : .cardNotPresent),
            authentication: evidence, circumstances: circumstances,
            purpose: purpose,
            original: original, receivedAt: 0, deadline: Deadline(nanoseconds: .max))
    }

    private func iccData(_ atc: UInt16) throws -> ICCData {
        var writer = TLVWriter()
        writer.append(.amountAuthorised, [0, 0, 0, 0, 0, 0])
        writer.append(.amountOther, [0, 0, 0, 0, 0, 0])
        writer.append(.terminalCountryCode, [0x07, 0x52])
        writer.append(.terminalVerificationResults, [0, 0, 0, 0x80, 0])
        writer.append(.transactionCurrencyCode, [0x07, 0x52])
        writer.append(.transactionDate, [0x26, 0x11, 0x23])
        writer.append(.transactionType, [0])
        writer.append(.unpredictableNumber, [1, 2, 3, 4])
        writer.append(.applicationInterchangeProfile, [0x39, 0])
        writer.append(.applicationTransactionCounter, [UInt8(atc >> 8), UInt8(truncatingIfNeeded: atc)])
        writer.append(.applicationCryptogram, [1, 2, 3, 4, 5, 6, 7, 8])
        writer.append(.cryptogramInformationData, [0x80])
        writer.append(.issuerApplicationData, [0x06, 0x01, 0x12, 0x03, 0xA0, 0xB8, 0x00])
        if !scriptResults.isEmpty { writer.append(.issuerScriptResults, scriptResults) }
        return try ICCData(parsing: writer.bytes)
    }

    private func question(_ request: AuthorisationRequest) throws -> (
        CryptogramQuestion, IssuerApplicationData
    ) {
        let range = IssuerRange(
            name: "visa", prefix: PANPrefix("476173")!, issuerMasterKey: KeyName("imk"), masterKeyOption: .a,
            profiles: [.visaCVN18])
        let codes = AuthorisationResponseCodes(approved: AuthorisationResponseCode("00")!) { _ in
            AuthorisationResponseCode("05")!
        }
        let asRequest = AuthorisationRequest(
            link: "a", card: request.card, expiry: nil, amount: request.amount,
            transmission: request.transmission,
            retrievalReferenceNumber: [], chip: request.chip, pin: nil,
            circumstances: Circumstances(), receivedAt: 0, deadline: Deadline(nanoseconds: .max))
        guard
            case .ask(let question, let iad) = CryptogramCheck(range: range, codes: codes).prepare(asRequest)
        else {
            throw CardScene.Unexpected("no question about this chip data")
        }
        return (question, iad)
    }
}
