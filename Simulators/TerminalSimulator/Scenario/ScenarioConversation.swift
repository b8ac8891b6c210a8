internal import EMV
internal import ISO8583
internal import IssuerMessages
internal import VirtualCard

extension ScenarioRunner {
    /// A transaction with a whole conversation: what is sent is what the card gave at its first GENERATE AC.
    mutating func conversation(
        _ name: String, _ step: TransactionStep, _ expectation: ScenarioExpectation,
        _ record: inout StepRecord
    ) throws {
        let file = try ChipFile(name, bench: bench)
        var card = try card(file.card)
        let session = try session(step.link)
        var risk = file.risk
        risk.month = terminal.month
        var conversation = CardConversation(card, application: file.application, risk: risk)
        let given = purchase(step, card: card)
        let request: PurchaseRequest
        do {
            request = try terminal.request(
                given, card: &card, zonePINKey: session.link.zonePINKey, dialect: session.dialect
            ) { _, transaction in
                switch try conversation.begin(transaction, pinEntered: given.pin != .none) {
                case .online(let answer): return answer
                case .approvedOffline: throw OfflineDecision(approved: true)
                case .declinedOffline: throw OfflineDecision(approved: false)
                }
            }
        } catch let decision as OfflineDecision {
            cards[file.card] = conversation.card
            record.cardTrace = ConversationText.lines(conversation)
            record.summary = decision.approved ? "approved offline" : "declined offline"
            record.judgeFinal(decision.approved ? .tc : .aac, expectation)
            if expectation.coming == .answer { record.complaints.append("the issuer was not asked") }
            return
        }
        cards[file.card] = conversation.card
        let sent = SentRequest(
            message: request.message, cardAnswer: request.cardAnswer, card: file.card, start: .now)
        try send(sent, step, session)
        session.last = sent
        try takeAnswer(sent, session, expectation, &record)
        let answer = session.last?.answer
        let responseCode = answer?.text(.responseCode)
        // Z3 (EMV Book 4 A6): unable to go online, declined by the terminal.
        let code =
            AuthorisationResponseCode(responseCode ?? "Z3") ?? AuthorisationResponseCode(rawValue: 0x5A33)
        let final = try conversation.finish(
            approved: responseCode == ResponseCode.approved.rawValue, code: code,
            chipData: answer?.bytes(.iccData).map(Array.init))
        record.cardTrace = ConversationText.lines(conversation)
        record.summary += ", final \(final)"
        record.judgeFinal(final, expectation)
    }
}

extension StepRecord {
    mutating func judgeFinal(_ kind: CryptogramKind, _ expectation: ScenarioExpectation) {
        guard let expected = expectation.finalCryptogram, expected != "\(kind)" else { return }
        complaints.append("the card's final cryptogram is \(kind), expected \(expected)")
    }
}
