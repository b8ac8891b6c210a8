internal import EMV

/// Issuer scripts of a plastic: what the card reports, what goes out, what is told again.
extension CardTransition {
    /// So many stand in a record, done ones among them.
    static let scriptsMax = 8

    func scripts(_ index: Int) -> [QueuedScript] {
        QueuedScript.list(stored: record.content(.scripts, index))
    }

    mutating func setScripts(_ index: Int, _ scripts: [QueuedScript]) {
        record.set(.scripts, index, content: QueuedScript.stored(scripts))
    }

    /// Takes what tag 9F5B says of scripts that were sent, and finds the oldest that waits.
    /// - Returns: the script that is to go out with the answer, protected already; nil for none.
    mutating func turnScripts(
        _ message: CardMessage, _ knowledge: CardKnowledge, verified: VerifiedCryptogram, plastic index: Int
    ) throws(CardQuestion) -> QueuedScript? {
        var list = scripts(index)
        guard !list.isEmpty else { return nil }
        var hasChanged = false
        for result in ScriptDelivery.results(list, message.request.chip) {
            guard let place = list.firstIndex(where: { $0.identifier == result.identifier }) else { continue }
            list[place] = list[place].moved(to: result.state)
            hasChanged = true
            trace.add(
                .issuerScript, result.state == .successful ? .approved : .skipped,
                reason: "\(result.identifier): \(result.state.words)")
            if result.state == .successful { takeEffect(list[place], plastic: index) }
        }
        if hasChanged { setScripts(index, list) }
        // An advice tells of something that is over: a script in its answer would reach nobody.
        guard message.request.purpose == .decision, let next = list.first(where: { $0.state == .queued })
        else {
            return nil
        }
        guard let known = knowledge.script, known.identifier == next.identifier else { throw .script(next) }
        if let failure = known.failure {
            // It waits for the next transaction; this one is not the worse for it.
            trace.add(.issuerScript, .skipped, reason: "\(next.identifier): not made, \(failure)")
            return nil
        }
        trace.add(
            .issuerScript, .approved,
            reason: "\(next.identifier): \(next.command.kind.words) goes out with this answer")
        return next
    }

    /// What a card has carried out becomes true here too.
    private mutating func takeEffect(_ script: QueuedScript, plastic index: Int) {
        var plastic = record.plastic(index)
        switch script.command.kind {
        case .pinChange:
            if let reference = script.newReference { plastic.pin = .reference(reference) }
            if let value = script.newVerificationValue { plastic.pin = .verificationValue(value) }
            plastic.pinTriesUsed = 0
        case .pinUnblock: plastic.pinTriesUsed = 0
        default: return
        }
        record.replacePlastic(index, plastic)
        share(plastic, index)
    }

    /// Only with the first answer to a cryptogram that was not seen before: nothing is delivered twice.
    mutating func markSent(_ script: QueuedScript, atc: UInt16, plastic index: Int) {
        var list = scripts(index)
        guard let place = list.firstIndex(where: { $0.identifier == script.identifier }) else { return }
        list[place] = list[place].moved(to: .sent, atc: ApplicationTransactionCounter(rawValue: atc))
        setScripts(index, list)
    }

    /// The script that went out with the first answer.
    func scriptSent(atc: UInt16, sequenceNumber: UInt8) -> QueuedScript? {
        guard let index = record.plasticIndex(sequenceNumber) else { return nil }
        return scripts(index).first { $0.state != .queued && $0.atc?.rawValue == atc }
    }
}
