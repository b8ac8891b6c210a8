internal import EMV
internal import Glibc
internal import ISO8583
internal import VirtualCard

extension ScenarioRunner {
    func sleep(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        // Interrupted by a signal, the rest is slept as well.
        var left = timespec()
        while nanosleep(&time, &left) != 0, errno == EINTR { time = left }
    }

    mutating func transaction(
        _ step: TransactionStep, _ expectation: ScenarioExpectation, record: inout StepRecord
    ) throws {
        if let name = step.conversation {
            return try conversation(name, step, expectation: expectation, record: &record)
        }
        var card = try card(step.card)
        let session = try session(step.link)
        let before = card.atc.rawValue
        var sent: SentRequest
        do {
            sent = try request(step, session, card: &card)
        } catch let error as ChipCardError where expectation.coming == .nothing {
            record.summary = "\(error)"
            return
        }
        sent.answerFlips = step.fault.answerFlips
        cards[card.definition.name] = card
        let moved = Int(card.atc.rawValue) - Int(before)
        if let expected = expectation.counterMoved, expected != moved {
            record.complaints.append("the card's ATC moved by \(moved), not \(expected)")
        }
        session.last = sent
        if step.fault.isLost {
            record.summary = "lost on the way"
            return
        }
        guard try send(sent, step, session: session, expectation: expectation, record: &record) else {
            return
        }
        guard step.waits else {
            record.summary = step.fault.connectionCut ? "sent, connection cut" : "sent, not waited for"
            record.exchanges.append(decoded(sent.message, "(not waited for)", session: session))
            return
        }
        if let held = step.fault.held { sleep(held) }
        try takeAnswer(sent, session, expectation: expectation, record: &record)
        if step.fault.sentTwice {
            try takeSecondAnswer(sent, session, expectation: expectation, record: &record)
        }
    }

    private mutating func request(
        _ step: TransactionStep, _ session: ScenarioSession, card: inout VirtualCard
    ) throws -> SentRequest {
        let purchase = purchase(step, session, card: card)
        let (key, name) = (session.link.zonePINKey(for: purchase.pinFormat), card.definition.name)
        guard step.presentation == .chip else {
            let message = try terminal.request(
                withoutChip: purchase, card: &card, zonePINKey: key, dialect: session.dialect,
                printedValue: session.link.printedValue, threeDSecure: session.link.threeDSecure)
            return SentRequest(message: message, cardAnswer: nil, card: name, start: .now)
        }
        let request = try terminal.request(purchase, card: &card, zonePINKey: key, dialect: session.dialect)
        return SentRequest(message: request.message, cardAnswer: request.cardAnswer, card: name, start: .now)
    }

    /// - Returns: false where the link takes nothing, which may be what was expected.
    func send(
        _ sent: SentRequest, _ step: TransactionStep, session: ScenarioSession,
        expectation: ScenarioExpectation, record: inout StepRecord
    ) throws -> Bool {
        let timeout = options.timeout
        let isSent = try send(session, expectation, record: &record) { (exchange) throws(ExchangeError) in
            let (cut, mac) = (step.fault.bytesCut, step.fault.mac)
            try exchange.send(sent.message, bytesCut: cut, mac: mac, timeout: timeout)
            if step.fault.sentTwice {
                try exchange.send(sent.message, bytesCut: cut, mac: mac, timeout: timeout)
            }
        }
        if step.fault.connectionCut { session.disconnect() }
        return isSent
    }

    /// The same for anything.
    func send(
        _ session: ScenarioSession, _ expectation: ScenarioExpectation, record: inout StepRecord,
        body: (inout Exchange) throws(ExchangeError) -> Void
    ) throws -> Bool {
        do throws(ExchangeError) {
            try session.use(timeout: options.timeout, body)
            return true
        } catch {
            try record.judge(error, expectation)
            return false
        }
    }

    mutating func card(_ step: CardStep, _ record: inout StepRecord) throws {
        if step.isNew, let name = step.card ?? cardName { cards[name] = nil }
        var card = try card(step.card)
        if let choice = step.counter {
            try card.setATC(.init(rawValue: choice.value(from: card.atc.rawValue)))
        }
        cards[card.definition.name] = card
        record.summary = "ATC \(card.atc)\(step.isNew ? ", as personalised" : "")"
    }

    mutating func tls(_ step: TLSStep, _ record: inout StepRecord) throws {
        let session = try session(step.link)
        guard session.link.tls != nil else { throw StepError("\(session.link.name) is a link without TLS") }
        let folder = bench.configuration.folder
        func file(_ name: String) -> String? {
            name == "none" ? nil : name.hasPrefix("/") ? name : "\(folder)/\(name)"
        }
        session.show { identity in
            if let name = step.certificateFile {
                identity.certificateFile = file(name)
                identity.privateKeyFile = step.privateKeyFile.flatMap(file)
            }
            if let name = step.trustedFile { identity.trustedFile = file(name) }
            if let name = step.serverName { identity.serverName = name }
        }
        let shown = step.certificateFile.map { $0 == "none" ? "no certificate" : $0 }
        record.summary = "shows \(shown ?? "its own certificate")"
        if let name = step.trustedFile { record.summary += ", trusts \(name)" }
    }

    mutating func purchase(
        _ step: TransactionStep, _ session: ScenarioSession, card: VirtualCard
    ) -> Purchase {
        var distortion = Distortion()
        distortion.chip = step.fault.chip
        distortion.chip.flipped = step.fault.flips
        distortion.chip.atc = step.fault.counter.map {
            ApplicationTransactionCounter(rawValue: $0.value(from: card.atc.rawValue))
        }
        distortion.wrongPINKey = step.fault.wrongPINKey
        for (element, text) in step.fields {
            if let text {
                distortion.fields.append((element, text))
            } else {
                distortion.removed.append(element)
            }
        }
        var purchase = Purchase(
            amount: chance.draw(step.amount), pin: step.pin ?? pin, distortion: distortion)
        purchase.mti = step.mti
        purchase.kind = step.kind
        purchase.settings = step.terminal
        purchase.presentation = step.presentation
        purchase.stripe = step.stripe
        purchase.authentication = step.authentication
        purchase.setPINFormat(step.pinFormat, of: session.link)
        return purchase
    }

    mutating func again(
        _ step: RepeatStep, _ expectation: ScenarioExpectation, record: inout StepRecord
    ) throws {
        let session = try session(step.link)
        guard let last = session.last else { throw StepError("there is no request to repeat") }
        var message = last.message
        if step.marked { message.mti = MTI(rawValue: message.mti.rawValue | 1) }
        for (element, text) in step.fields {
            if let text { message.set(element, text: text) } else { message.remove(element) }
        }
        let sent = SentRequest(
            message: message, cardAnswer: last.cardAnswer, card: last.card, start: .now, answer: last.answer)
        let timeout = options.timeout
        let isSent = try send(session, expectation, record: &record) { (exchange) throws(ExchangeError) in
            try exchange.send(message, timeout: timeout)
        }
        guard isSent else { return }
        try takeAnswer(sent, session, expectation: expectation, record: &record)
    }

    mutating func reversal(
        _ step: ReversalStep, _ expectation: ScenarioExpectation, record: inout StepRecord
    ) throws {
        let session = try session(step.link)
        guard let last = session.last else { throw StepError("there is no request to reverse") }
        var mti = step.advice ? MTI.reversalAdvice : .reversalRequest
        if step.marked { mti = MTI(rawValue: mti.rawValue | 1) }
        let message = terminal.reversal(
            of: last.message, answer: last.answer, mti: mti, completed: step.completed,
            dialect: session.dialect)
        let sent = SentRequest(message: message, cardAnswer: nil, card: nil, start: .now)
        let timeout = options.timeout
        let isSent = try send(session, expectation, record: &record) { (exchange) throws(ExchangeError) in
            try exchange.send(message, timeout: timeout)
        }
        guard isSent else { return }
        try takeAnswer(sent, session, expectation: expectation, record: &record, keeping: false)
    }

    mutating func lateAnswer(
        _ link: String?, _ expectation: ScenarioExpectation, record: inout StepRecord
    ) throws {
        let session = try session(link)
        guard let last = session.last else { throw StepError("there is no request without an answer") }
        try takeAnswer(last, session, expectation: expectation, record: &record)
    }

    mutating func network(
        _ code: String, _ link: String?, expectation: ScenarioExpectation, record: inout StepRecord
    ) throws {
        let session = try session(link)
        let message = terminal.networkRequest(code: code, dialect: session.dialect)
        let sent = SentRequest(message: message, cardAnswer: nil, card: nil, start: .now)
        let timeout = options.timeout
        let isSent = try send(session, expectation, record: &record) { (exchange) throws(ExchangeError) in
            try exchange.send(message, timeout: timeout)
        }
        guard isSent else { return }
        try takeAnswer(sent, session, expectation: expectation, record: &record, keeping: false)
    }

    mutating func raw(
        _ step: RawStep, _ expectation: ScenarioExpectation, record: inout StepRecord
    ) throws {
        let session = try session(step.link)
        let timeout = options.timeout
        try session.use(timeout: timeout) { (exchange) throws(ExchangeError) in
            try exchange.send(bytes: step.bytes, framed: step.framed, timeout: timeout)
        }
        let request = "\(step.bytes.count) bytes\(step.framed ? " in a frame" : "")"
        guard step.waits else {
            record.summary = "sent \(request)"
            return
        }
        let patience = expectation.patience(options)
        do throws(ExchangeError) {
            let message = try session.wait { (exchange) throws(ExchangeError) in
                try exchange.nextMessage(timeout: patience)
            }
            record.exchanges.append(
                DecodedExchange(
                    request: request, response: text(message, "Response", session: session),
                    bytes: session.tap.take()))
            record.judge(message, nil, expectation: expectation, discrepancies: [])
        } catch {
            record.exchanges.append(
                DecodedExchange(request: request, response: "\(error)", bytes: session.tap.take()))
            try record.judge(error, expectation)
        }
    }

    mutating func script(
        _ count: Int?, _ expectation: ScenarioExpectation, record: inout StepRecord
    ) throws {
        let session = try session(nil)
        guard let answer = session.last?.answer else { throw StepError("there is no answer with scripts") }
        let commands = try IssuerScripts.commands(in: answer.bytes(.iccData).map(Array.init) ?? [])
        record.summary = commands.isEmpty ? "no script" : ""
        if let name = session.last?.card, var card = cards[name], let first = session.last?.cardAnswer {
            let done = try card.perform(commands, for: first)
            record.cardTrace = done.map { "\($0): \(String($1, radix: 16, uppercase: true))" }
            record.summary = done.isEmpty ? "no script" : record.cardTrace.joined(separator: "; ")
            cards[name] = card
        } else {
            record.cardTrace = commands.map(\.description)
        }
        if let count, count != commands.count {
            record.complaints.append("\(commands.count) script commands came, \(count) were expected")
        }
        record.judgeWords(record.cardTrace.joined(separator: "\n"), expectation)
    }
}
