internal import ByteCoding
internal import EMV
internal import ISO8583
internal import VirtualCard

extension ScenarioExpectation {
    /// How long an answer is waited for; where none may come, as long as the scenario says.
    func patience(_ options: ScenarioRunner.Options) -> Duration {
        coming == .nothing ? within ?? options.silence : options.timeout
    }
}

extension ScenarioRunner {
    /// Waits for the answer to a request and judges it.
    mutating func takeAnswer(
        _ sent: SentRequest, _ session: ScenarioSession, expectation: ScenarioExpectation,
        record: inout StepRecord, keeping: Bool = true
    ) throws {
        let patience = expectation.patience(options)
        var answer: Answer
        do throws(ExchangeError) {
            answer = try session.wait { (exchange) throws(ExchangeError) in
                try exchange.answer(to: sent.message, since: sent.start, timeout: patience)
            }
        } catch {
            record.exchanges.append(decoded(sent.message, "\(error)", session: session))
            try record.judge(error, expectation)
            return
        }
        if !sent.answerFlips.isEmpty {
            do { answer = try answer.flipping(sent.answerFlips) } catch {
                record.complaints.append("flip-answer: \(error)")
            }
        }
        record.exchanges.append(
            decoded(sent.message, text(answer.message, "Response", session: session), session: session))
        record.elapsed = answer.elapsed
        record.asked = (sent.message, answer.message.text(.responseCode))
        var verdict: IssuerAuthenticationVerdict?
        if let name = sent.card, let cardAnswer = sent.cardAnswer {
            verdict = try? card(name).verify(
                chipData: answer.message.bytes(.iccData).map(Array.init), for: cardAnswer)
        }
        record.judge(answer.message, verdict, expectation: expectation, discrepancies: answer.discrepancies)
        record.judge(answer.elapsed, expectation)
        if let same = expectation.sameAnswer {
            record.judgeSameness(answer.message, sent.answer, expected: same)
        }
        guard keeping else { return }
        var answered = sent
        answered.answer = answer.message
        session.last = answered
    }

    /// The answer to the second copy; that there is none is a complaint where two were expected.
    mutating func takeSecondAnswer(
        _ sent: SentRequest, _ session: ScenarioSession, expectation: ScenarioExpectation,
        record: inout StepRecord
    ) throws {
        var count = 1
        do throws(ExchangeError) {
            let second = try session.wait { (exchange) throws(ExchangeError) in
                try exchange.answer(to: sent.message, since: sent.start, timeout: options.silence)
            }
            count = 2
            record.judgeSameness(second.message, session.last?.answer, expected: true)
        } catch {
            guard case .connection(.timedOut) = error else { throw error }
        }
        if let expected = expectation.answers, expected != count {
            record.complaints.append("\(count) answers came to two copies, not \(expected)")
        }
    }

    func text(_ message: Message, _ title: String, session: ScenarioSession) -> String {
        Printing.message(message, title: title, dialect: session.dialect)
    }

    func decoded(_ request: Message, _ response: String, session: ScenarioSession) -> DecodedExchange {
        DecodedExchange(
            request: text(request, "Request to \(session.link.name)", session: session), response: response,
            bytes: session.tap.take())
    }
}

extension Answer {
    /// The same with bits of DE55 turned on the way from the terminal to the card.
    fileprivate func flipping(_ flips: [(tag: Tag, bit: Int)]) throws(ChipCardError) -> Answer {
        guard let bytes = message.bytes(.iccData) else { throw .impossibleData("the answer has no DE55") }
        var tampering = Tampering.none
        tampering.flipped = flips
        var message = message
        message.set(.iccData, bytes: try tampering.apply(to: Array(bytes)))
        return Answer(
            message: message, elapsed: elapsed, discrepancies: discrepancies, strayMessages: strayMessages)
    }
}

extension StepRecord {
    /// An answer that came.
    mutating func judge(
        _ message: Message, _ verdict: IssuerAuthenticationVerdict?, expectation: ScenarioExpectation,
        discrepancies: [String]
    ) {
        let code = message.text(.responseCode)
        summary = PurchaseOutcome.words(code)
        if let verdict, verdict != .absent { summary += ", \(verdict)" }
        if expectation.coming != .answer { complaints.append("an answer came, none was expected") }
        if !expectation.responseCodes.isEmpty, !expectation.responseCodes.contains(code ?? "") {
            let expected = expectation.responseCodes.map { PurchaseOutcome.words($0) }
            complaints.append(
                "DE39 is \(PurchaseOutcome.words(code)), expected \(expected.joined(separator: " or "))")
        }
        if let expected = expectation.verdict, !expected.allows(verdict) {
            complaints.append(
                "the card says \"\(verdict?.description ?? "nothing")\", expected \(expected.words)")
        }
        complaints += discrepancies
        for (element, content) in expectation.fields {
            judge("\(element)", message.text(element), expected: content) { "" }
        }
        judgeTags(message, expectation)
    }

    private mutating func judgeTags(_ message: Message, _ expectation: ScenarioExpectation) {
        guard !expectation.tags.isEmpty else { return }
        let objects = try? message.bytes(.iccData).map { try TLVReader.objects(in: $0) } ?? []
        guard let objects else {
            complaints.append("DE55 of the answer is malformed")
            return
        }
        for (tag, content) in expectation.tags {
            let value = objects.first { $0.0 == tag }.map { Hex.encode($0.1) }
            judge("tag \(tag)", value, expected: content) { value.map { " (\($0))" } ?? "" }
        }
    }

    /// - Parameter shown: what may be printed of the value.
    private mutating func judge(
        _ name: String, _ value: String?, expected: ScenarioExpectation.Content, shown: () -> String
    ) {
        switch (expected, value) {
        case (.present, nil): complaints.append("\(name) is missing")
        case (.absent, _?): complaints.append("\(name) is there, and should not be")
        case (.text, nil): complaints.append("\(name) is missing")
        case (.text(let text), let value?) where text.uppercased() != value.uppercased():
            complaints.append("\(name) is another one than expected\(shown())")
        default: break
        }
    }

    /// The state that a step leaves a card in.
    mutating func judge(_ card: VirtualCard, _ expectation: ScenarioExpectation) {
        let memory = card.scriptMemory
        let blocked = memory.isCardBlocked ? "card" : memory.isApplicationBlocked ? "application" : "none"
        if let expected = expectation.blocked, expected != blocked {
            complaints.append("blocked by scripts: \(blocked), expected \(expected)")
        }
        if let expected = expectation.offlineTries, expected != card.memory.pinTriesLeft {
            complaints.append("the card has \(card.memory.pinTriesLeft) PIN tries left, expected \(expected)")
        }
    }

    mutating func judge(_ elapsed: Duration, _ expectation: ScenarioExpectation) {
        guard let within = expectation.within, elapsed > within else { return }
        complaints.append(
            "the answer took \(Printing.milliseconds(elapsed)) ms, more than "
                + "\(Printing.milliseconds(within)) ms")
    }

    /// No answer: right where none was expected.
    mutating func judge(_ error: ExchangeError, _ expectation: ScenarioExpectation) throws {
        switch (error, expectation.coming) {
        case (.connection(.timedOut), .nothing): summary = "no answer"
        case (.connection(.closed), .closed), (.connection(.closed), .nothing):
            summary = "the host closed the connection"
        case (.connection(.tls(let reason)), .closed): summary = "TLS refused: \(reason)"
        case (.connection(.timedOut), _):
            throw StepError("\(error); if that is right, say expect: {answer: none}")
        case (.connection(.closed(afterBytes: 0)), _):
            throw StepError("\(error); if that is right, say expect: {answer: closed}")
        default: throw error
        }
    }

    mutating func judgeSameness(_ message: Message, _ earlier: Message?, expected: Bool) {
        guard let earlier else {
            complaints.append("there is no earlier answer to compare with")
            return
        }
        let elements: [DataElement] = [.responseCode, .authorisationCode]
        let same = elements.allSatisfy { message.bytes($0) == earlier.bytes($0) }
        if same != expected {
            complaints.append(
                "DE38 and DE39 are \(same ? "" : "not ")those of the earlier answer")
        }
    }
}
