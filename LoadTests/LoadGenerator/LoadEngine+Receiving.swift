internal import Glibc
internal import ISO8583
internal import IssuerMessages
internal import NIOCore

extension LoadEngine {
    /// - Parameter now: the moment at which the answer came, in monotonic nanoseconds.
    func received(_ payload: UnsafeRawBufferPointer, on connection: LoadConnection, at now: UInt64) {
        do throws(MessageDecodingError) {
            let answer = try connection.link.codec.decode(payload)
            let macFault = connection.link.mac?.fault(of: answer, payload, codec: connection.link.codec)
            take(answer, macFault, on: connection, now: now)
        } catch {
            recorder.counts.stray += 1
            recorder.fault("connection \(connection.number): answer cannot be read: \(error)")
        }
    }

    private func take(_ answer: Message, _ macFault: String?, on connection: LoadConnection, now: UInt64) {
        let stan = answer.bytes(.stan)?.reduce(0) { $0 &* 10 &+ UInt32($1 &- 0x30) }
        guard let stan, let request = connection.pending.remove(stan) else {
            recorder.counts.stray += 1
            recorder.fault("connection \(connection.number): answer to nothing that waits")
            return
        }
        outstanding -= 1
        let code = answer.bytes(.responseCode)?.reduce(UInt16(0)) { $0 << 8 | UInt16($1) } ?? 0
        recorder.answered(nanoseconds: now &- request.intendedAt, code: code)
        if now <= endsAt { recorder.answeredInTime += 1 }
        free(request.card)
        judge(answer, macFault, request: request, connection: connection)
        leaveIfDone(connection)
        refill(connection)
        sendBacklog()
        finishIfDrained()
    }

    private func judge(
        _ answer: Message, _ macFault: String?, request: PendingRequest, connection: LoadConnection
    ) {
        var fault = macFault
        do { fault = try fault ?? AnswerCheck.fault(answer, request, source: &source) } catch {
            fault = "\(error)"
        }
        guard let fault else {
            if keepsEarlier, request.prediction.code == .approved, request.kind != .repeat,
                request.kind != .reversal, request.kind != .threeDSecure
            {
                earlier[connection.link.name] = Earlier(
                    request: request, approvalCode: Array(answer.bytes(.authorisationCode) ?? []),
                    requests: source.population.cards[request.card].requests)
            }
            return
        }
        recorder.counts.mismatched += 1
        recorder.fault("\(words(request, connection)): \(fault)")
        // Without those that were refused, a flood would be over as soon as each card had come once.
        if answer.text(.responseCode) == ResponseCode.issuerUnavailable.rawValue,
            let verified = request.prediction.surelyVerifiedATC, request.card < source.population.cards.count
        {
            source.population.cards[request.card].verifiedATC = verified
        } else {
            distrust(request.card)
        }
    }

    func lose(_ request: PendingRequest, _ connection: LoadConnection, why: String) {
        outstanding -= 1
        recorder.counts.lost += 1
        recorder.fault("\(words(request, connection)): \(why)")
        free(request.card)
        distrust(request.card)
    }

    private func free(_ card: Int) {
        if card < source.population.cards.count { source.population.cards[card].busy = false }
    }

    /// What the host believes about this card is not known any more.
    private func distrust(_ card: Int) {
        if card < source.population.cards.count { source.population.retire(card) }
    }

    private func words(_ request: PendingRequest, _ connection: LoadConnection) -> String {
        let stan = request.message.text(.stan) ?? "-"
        return "connection \(connection.number) (\(connection.link.name)), STAN \(stan), "
            + "\(source.identity(of: request.card)), \(request.kind.rawValue)"
    }

    // MARK: - Once a second

    /// Refreshes clocks, gives up requests that are over the limit and closes an interval of the series.
    func tick() -> SecondOfLoad {
        setClock()
        let now = NIODeadline.now().uptimeNanoseconds
        for connection in connections {
            for (stan, request) in connection.pending.all where now &- request.sentAt > Self.answerLimit {
                connection.pending.remove(stan)
                lose(request, connection, why: "no answer")
            }
            refill(connection)
        }
        flush()
        return recorder.tick(now: now, startedAt: startedAt, outstanding: outstanding)
    }

    func setClock() { for builder in builders { builder.setClock(unixSeconds: Int(time(nil))) } }

    /// Adds a point to the series of the stage.
    func append(_ second: SecondOfLoad) { recorder.series.append(second) }

    var retiredCards: Int { source.population.retiredCount }
    var discardedTransactions: Int { source.discarded }
}
