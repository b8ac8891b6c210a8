internal import EMV
internal import Glibc
internal import ISO8583
internal import IssuerMessages
internal import NIOCore
internal import VirtualCard

extension LoadEngine: NIOScheduledCallbackHandler {
    /// Answers are looked for at least so often, in nanoseconds; when they came, the kernel says.
    private static let pollInterval: UInt64 = 1_000_000

    /// So long at the most the event loop gets nothing else done, in nanoseconds.
    private static let stayLongest: UInt64 = 2_000_000

    /// Wakes for the next request, or for answers that none comes before.
    func setAlarm() {
        guard let wake = nextWake() else { return }
        alarm = try? eventLoop.scheduleCallback(at: .uptimeNanoseconds(wake), handler: self)
    }

    private func nextWake() -> UInt64? {
        guard case .open = mode else { return nil }
        guard !waiting.isEmpty else { return nextIntended }
        let look = NIODeadline.now().uptimeNanoseconds + LoadEngine.pollInterval
        return nextIntended.map { min($0, look) } ?? look
    }

    func handleScheduledCallback(eventLoop: some EventLoop) { sendDue() }

    /// Sends what is due and asks for answers. Where the event loop brings none, it is not gone through for each request:
    /// to sleep until the next one costs a third of the system calls.
    func sendDue() {
        let leaveAt = NIODeadline.now().uptimeNanoseconds + LoadEngine.stayLongest
        while true {
            sendWhatIsDue()
            guard let sleep, let wake = nextWake(), wake < leaveAt, dirty.isEmpty else { return setAlarm() }
            sleep.until(wake)
        }
    }

    /// Sends everything whose intended time has come, each with that time and not with the present.
    func sendWhatIsDue() {
        guard case .open(var schedule) = mode else { return }
        let now = NIODeadline.now().uptimeNanoseconds
        sendingAt = now
        while let intended = nextIntended, intended <= now {
            if backlogNext < backlog.count || !send(intended) { backlog.append(intended) }
            nextIntended = schedule.next().map { $0 + startedAt }
        }
        mode = .open(schedule)
        sendBacklog()
        flush()
        poll()
        flush()
    }

    /// Asks the connections that wait for answers.
    private func poll() {
        // An answer may let another request go, on a connection that is then put into the list anew.
        swap(&waiting, &asked)
        for connection in asked {
            connection.poll()
            connection.isWaiting = !connection.pending.isEmpty
            if connection.isWaiting { waiting.append(connection) }
        }
        asked.removeAll(keepingCapacity: true)
    }

    func sendBacklog() {
        if backlogNext < backlog.count { sendingAt = NIODeadline.now().uptimeNanoseconds }
        while backlogNext < backlog.count, send(backlog[backlogNext]) { backlogNext += 1 }
        if backlogNext == backlog.count, backlogNext > 0 {
            backlog.removeAll(keepingCapacity: true)
            backlogNext = 0
        }
    }

    private func send(_ intended: UInt64) -> Bool {
        guard let connection = takeConnection() else { return false }
        return send(on: connection, intended: intended)
    }

    func refill(_ connection: LoadConnection) {
        guard case .closed(let limit) = mode, connection.isOpen, !connection.isLeaving else { return }
        while connection.pending.count < limit {
            let now = NIODeadline.now().uptimeNanoseconds
            sendingAt = now
            guard now < endsAt, send(on: connection, intended: now) else { return }
        }
    }

    /// - Returns: false if no card is free.
    private func send(on connection: LoadConnection, intended: UInt64) -> Bool {
        do {
            let kind = source.kind()
            let again = kind == .repeat || kind == .reversal
            if again, try sendEarlier(kind, on: connection, intended: intended) { return true }
            var drawn = kind == .replay ? nil : source.nextPrepared()
            if drawn == nil { drawn = try source.next(again ? .purchase : kind) }
            guard let transaction = drawn else {
                recorder.counts.waitedForCard += 1
                return false
            }
            try send(transaction, on: connection, intended: intended)
            return true
        } catch {
            recorder.fault("request not built: \(error)")
            recorder.counts.unsent += 1
            return true
        }
    }

    private func send(_ transaction: Transaction, on connection: LoadConnection, intended: UInt64) throws {
        let builder = connection.builder
        let sendsPIN =
            transaction.kind != .purchaseWithoutPIN && transaction.kind != .threeDSecure && builder.sendsPINs
        let number = transaction.card
        let known = number < source.population.cards.count
        let product = source.product(of: number)
        let pin =
            sendsPIN ? Population.pin(of: known ? number : 0, wrong: transaction.kind == .wrongPIN) : nil
        sequence += 1
        if sequence % 1_000_000 == 0 { sequence += 1 }
        let isShop = transaction.kind == .threeDSecure
        let message =
            isShop
            ? try builder.authenticatedMessage(
                product: product, identity: source.identity(of: number), amount: transaction.amount,
                sequence: sequence, now: Int(time(nil)))
            : try builder.message(
                product: product, identity: source.identity(of: number), amount: transaction.amount,
                chipData: transaction.answer.chipData, pin: pin, sequence: sequence,
                blockPlace: known && transaction.kind != .wrongPIN ? number : nil)
        try connection.write(message, bytesCut: transaction.kind == .badFrame ? 5 : 0)
        // Where no PIN is sent none is wrong.
        let isBare = !sendsPIN && (transaction.kind == .purchase || transaction.kind == .wrongPIN)
        let kind = isBare ? .purchaseWithoutPIN : transaction.kind
        var prediction = Prediction(code: .unknownCard, authenticated: true)
        if known {
            prediction = source.population.cards[number].predict(
                kind, amount: transaction.amount, atc: transaction.answer.atc.rawValue,
                pinTriesMax: profile.pinTriesMax)
            source.population.cards[number].busy = true
        }
        wait(
            on: connection, stan: UInt32(sequence % 1_000_000),
            request: PendingRequest(
                message: message, kind: kind, card: number, product: product,
                signed: transaction.answer.signed, approval: transaction.approval, prediction: prediction,
                intendedAt: intended, sentAt: sendingAt))
    }

    /// Sends the link's last approved request again, or its reversal.
    /// - Returns: false if there is none whose answer can be foretold.
    private func sendEarlier(
        _ kind: TrafficKind, on connection: LoadConnection, intended: UInt64
    ) throws -> Bool {
        let link = connection.link.name
        guard let found = earlier[link], !source.population.cards[found.request.card].busy,
            source.population.cards[found.request.card].requests - found.requests < Self.repeatableRequests
        else { return false }
        var message = found.request.message
        var prediction = Prediction(code: .approved, authenticated: true, approvalCode: found.approvalCode)
        if kind == .reversal {
            sequence += 1
            if sequence % 1_000_000 == 0 { sequence += 1 }
            message.becomeReversal(stan: sequence % 1_000_000)
            prediction = Prediction(code: .approved, authenticated: false, approves: false)
        } else {
            message.mti = .authorisationRepeat
        }
        guard let stan = message.text(.stan).flatMap(UInt32.init), !connection.pending.contains(stan) else {
            return false
        }
        try connection.write(message)
        if kind == .reversal {
            // What is undone is neither repeated nor undone again.
            earlier[link] = nil
            source.population.cards[found.request.card].undo(found.request.message)
        }
        source.population.cards[found.request.card].busy = true
        wait(
            on: connection, stan: stan,
            request: PendingRequest(
                message: message, kind: kind, card: found.request.card, product: found.request.product,
                signed: found.request.signed, approval: nil, prediction: prediction, intendedAt: intended,
                sentAt: sendingAt))
        return true
    }

    /// What an acquirer does whose connection ended: the same request again, marked as a repeat, over another connection
    /// of its kind. What finds none waits for the next that opens.
    func repeatUnanswered() {
        let waiting = homeless
        homeless.removeAll(keepingCapacity: true)
        for (request, before) in waiting where !sendAgain(request, before: before) {
            homeless.append((request, before))
        }
        flush()
    }

    private func sendAgain(_ request: PendingRequest, before: LoadConnection) -> Bool {
        guard let stan = request.message.text(.stan).flatMap(UInt32.init) else { return false }
        for _ in connections {
            guard let connection = takeConnection() else { return false }
            // A PIN block is for its zone, and its place for its dialect.
            guard connection.link.zonePINKey == before.link.zonePINKey,
                connection.link.codec.dialect.name == before.link.codec.dialect.name,
                !connection.pending.contains(stan)
            else { continue }
            var message = request.message
            message.mti = MTI(rawValue: message.mti.rawValue | 1)
            guard (try? connection.write(message)) != nil else { return false }
            connection.pending[stan] = PendingRequest(
                message: message, kind: request.kind, card: request.card, product: request.product,
                signed: request.signed, approval: request.approval, prediction: request.prediction,
                intendedAt: request.intendedAt, sentAt: NIODeadline.now().uptimeNanoseconds)
            recorder.counts.repeated += 1
            markDirty(connection)
            return true
        }
        return false
    }

    private func wait(on connection: LoadConnection, stan: UInt32, request: PendingRequest) {
        connection.pending[stan] = request
        outstanding += 1
        recorder.counts.sent += 1
        markDirty(connection)
    }

    /// It has something to send, and where answers are asked for, it waits for one.
    private func markDirty(_ connection: LoadConnection) {
        if polls, connection.isPolled, !connection.isWaiting {
            connection.isWaiting = true
            waiting.append(connection)
        }
        guard !connection.isDirty else { return }
        connection.isDirty = true
        dirty.append(connection)
    }

    func flush() {
        for connection in dirty { connection.flush() }
        dirty.removeAll(keepingCapacity: true)
    }
}

extension LoadCard {
    /// The amount of this request is there again.
    fileprivate mutating func undo(_ request: Message) {
        requests += 1
        availableMinorUnits += request.text(.transactionAmount).flatMap(Int64.init) ?? 0
    }
}
