internal import EMV
internal import ISO8583
internal import IssuerMessages
internal import VirtualCard

extension ScenarioRunner {
    /// A transaction with a whole conversation: what is sent is what the card gave at its first GENERATE AC.
    mutating func conversation(
        _ name: String, _ step: TransactionStep, expectation: ScenarioExpectation,
        record: inout StepRecord
    ) throws {
        let file = try ChipFile(name, bench: bench, fault: step.fault.authentication)
        var card = try card(file.card)
        let session = try session(step.link)
        var risk = file.risk
        risk.month = terminal.month
        risk.draw = chance.draw(1...99)
        var conversation = CardConversation(card, application: file.application, risk: risk)
        let given = purchase(step, session, card: card)
        let request: PurchaseRequest
        do {
            request = try terminal.request(
                given, card: &card, zonePINKey: session.link.zonePINKey(for: given.pinFormat),
                dialect: session.dialect
            ) { card, transaction in
                switch try conversation.begin(transaction, pin: given.pin.pin(of: card)) {
                case .online(let answer): return answer
                case .approvedOffline: throw OfflineDecision(approved: true)
                case .declinedOffline: throw OfflineDecision(approved: false)
                }
            }
        } catch let decision as OfflineDecision {
            cards[file.card] = conversation.card
            record.cardTrace = ConversationText.lines(conversation)
            record.summary = decision.approved ? "approved offline" : "declined offline"
            record.judgeFinal(decision.approved ? "TC" : "AAC", expectation)
            record.judgeWords(record.cardTrace.joined(separator: "\n"), expectation)
            if expectation.coming == .answer { record.complaints.append("the issuer was not asked") }
            return
        } catch let refusal as CardConversationError where expectation.coming == .nothing {
            record.summary = "\(refusal)"
            return
        } catch let refusal as OtherInterfaceNeeded {
            record.summary = "\(refusal)"
            record.judgeFinal("other-interface", expectation)
            return
        }
        cards[file.card] = conversation.card
        record.cardTrace = ConversationText.lines(conversation)
        var sent = SentRequest(
            message: request.message, cardAnswer: request.cardAnswer, card: file.card, start: .now)
        sent.answerFlips = step.fault.answerFlips
        session.last = sent
        if !step.fault.lineDown,
            try send(sent, step, session: session, expectation: expectation, record: &record), step.waits
        {
            try takeAnswer(sent, session, expectation: expectation, record: &record)
        }
        try end(&conversation, session.last?.answer, expectation: expectation, record: &record)
        cards[file.card] = conversation.card
    }

    /// With the issuer's answer, or without one by TAC and IAC default.
    private func end(
        _ conversation: inout CardConversation, _ answer: Message?, expectation: ScenarioExpectation,
        record: inout StepRecord
    ) throws {
        let final: CryptogramKind
        if let answer {
            let code = answer.text(.responseCode).flatMap { AuthorisationResponseCode($0) }
            final = try conversation.finish(
                approved: ResponseCode.isAccepted(answer),
                code: code ?? .unableToGoOnlineDeclined,
                chipData: answer.bytes(.iccData).map(Array.init))
        } else {
            record.summary += record.summary.isEmpty ? "the issuer was not reached" : ""
            final = try conversation.finishOffline()
        }
        record.cardTrace = ConversationText.lines(conversation)
        record.summary += ", final \(final)"
        record.judgeFinal("\(final)", expectation)
        record.judgeWords(record.cardTrace.joined(separator: "\n"), expectation)
    }
}

extension StepRecord {
    mutating func judgeFinal(_ kind: String, _ expectation: ScenarioExpectation) {
        guard let expected = expectation.finalCryptogram, expected != kind else { return }
        complaints.append("the card's final cryptogram is \(kind), expected \(expected)")
    }
}
