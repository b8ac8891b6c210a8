internal import ByteCoding
internal import EMV
internal import Synchronization

/// Decides authorisations, one for each event loop; of messages under way it knows only who has the turn of a card.
///
/// `authorise` reads from top to bottom as the way of one authorisation; the order is the point of it. What a message may
/// move is said by `CardTransition` alone.
///
/// The ports are existentials: four calls an authorisation go through a table, while a generic type, which no other
/// module can specialise, would ask the runtime about every value that it moves.
package final class Authoriser: Sendable {
    /// Other hosts that may be quicker on one card, before it is given up.
    package static let conflictsMax = 8

    let ranges: IssuerRangeTable
    let codes: AuthorisationResponseCodes
    let cryptography: any CardCryptography
    let records: any CardRecords
    let surroundings: Surroundings
    private let oldRecords: (any OldRecords)?
    private let lost: @Sendable () -> [LostTime]
    let turns: CardTurns
    /// Writes that another host was quicker than, since the start.
    package let conflicts: ConflictCount

    /// Takes its ports and tables.
    /// - Parameters:
    ///   - oldRecords: where a card without a record may have one of the layout before; nil: nowhere.
    ///   - lost: times of which the store may lack decisions; asked for each reversal.
    package init(
        ranges: IssuerRangeTable, codes: AuthorisationResponseCodes, cryptography: any CardCryptography,
        records: any CardRecords, surroundings: Surroundings, oldRecords: (any OldRecords)? = nil,
        conflicts: ConflictCount = ConflictCount(), lost: @escaping @Sendable () -> [LostTime] = { [] }
    ) {
        self.lost = lost
        self.conflicts = conflicts
        self.oldRecords = oldRecords
        self.ranges = ranges
        self.codes = codes
        self.cryptography = cryptography
        self.records = records
        self.surroundings = surroundings
        turns = CardTurns(surroundings)
    }

    /// - Returns: approval or decline, each a decision; for an advice or a reversal, that it was accepted.
    /// - Throws: `CouldNotDecide` where token or store gave no answer; nothing is approved then.
    package func authorise(_ request: AuthorisationRequest) async throws(CouldNotDecide) -> Decision {
        if let fault = surroundings.clockFault() {
            // It takes back what was counted on another day: what day it is does not matter.
            guard case .reversal = request.purpose else { throw .state(StateUnavailable(fault)) }
        }
        let work = Work(request, ranges.range(for: request.card.pan))
        if request.authentication != nil {
            work.authentication = AuthenticationFinding.of(request, work.range)
        }
        work.chip = chipFinding(work)

        // The token works while Redis reads: neither needs the other. One message of a card at a time.
        try await gather(work)
        do throws(CouldNotDecide) {
            // Card, cryptogram, PIN, ATC, limits, amount and journal in one pure step, written by compare-and-set or not
            // at all. The ARQC comes before any counter, so that a forgery burns nothing.
            try await applyAndWrite(work)
        } catch {
            turns.leave(work.token)
            throw error
        }
        turns.leave(work.token)
        // Told once it is safe. The card's next message need not wait for that: what it writes is safe no sooner.
        if work.unconfirmed != nil { try await confirm(work) }

        // The ARPC last, over the final answer, for declines too: the card shall know.
        return await decision(work)
    }

    /// `authorise` as a connection holds it.
    package var decide: @Sendable (AuthorisationRequest) async -> Result<Decision, CouldNotDecide> {
        { [self] request in
            do throws(CouldNotDecide) { return .success(try await authorise(request)) } catch {
                return .failure(error)
            }
        }
    }

    // MARK: - Before the record

    @inline(never)
    private func chipFinding(_ work: Work) -> ChipFinding {
        let (request, range) = (work.request, work.range)
        if case .reversal = request.purpose { return .skip("a reversal rests on its original") }
        guard let range else { return .decline(.unknownCard, "no issuer range") }
        let finding = CryptogramCheck(range: range, codes: codes).prepare(request)
        // The cardholder's authentication stands for a printed value that was not sent.
        if work.authentication != nil, request.nonChip?.printedValue == nil, request.chip == nil,
            range.nonChip?.acceptsCardNotPresent ?? true
        {
            return .skip("no chip data")
        }
        guard let policy = range.nonChip, request.purpose == .decision else { return finding }
        return NonChipCheck(policy: policy).finding(finding, request)
    }

    private func gather(_ work: Work) async throws(CouldNotDecide) {
        let request = work.request
        let begunAt = surroundings.monotonicNanoseconds()
        let known = cryptography.knownToken(of: request.card.pan)
        var pending: (any CryptographyUnderWay)?
        if known == nil || !work.chip.asksNothing || work.authentication?.question != nil {
            pending = cryptography.begin(question(work, known))
        }
        if let known {
            work.token = known
        } else if let pending {
            // Only the token can say under which name the store knows a card that was not seen lately.
            work.token = try await answer(pending).token
        }
        await turns.enter(work.token)
        do throws(CouldNotDecide) {
            let readFrom = surroundings.monotonicNanoseconds()
            work.reading = try await records.read(
                work.token, withPast: work.readsPast, deadline: request.deadline)
            if work.reading.record == nil, let oldRecords { try await claim(from: oldRecords, work) }
            let readAt = surroundings.monotonicNanoseconds()
            work.times.set(.stateRead, from: readFrom, to: readAt)
            work.evidenceAt = readAt
            guard let pending else { return }
            let answer = try await answer(pending)
            work.answer = answer
            work.evidenceAt = surroundings.monotonicNanoseconds()
            work.times.set(.tokenQueue, from: begunAt, to: answer.startedAt)
            work.times.set(.token, from: answer.startedAt, to: answer.finishedAt)
            work.times.set(
                .tokenReturn, from: answer.finishedAt, to: known == nil ? readFrom : work.evidenceAt)
        } catch {
            turns.leave(work.token)
            throw error
        }
    }

    @inline(never)
    private func question(_ work: Work, _ known: CardToken?) -> CryptographyQuestion {
        let request = work.request
        var cryptogram: CryptogramQuestion?
        var cardValue: CardValueQuestion?
        if case .ask(let question, _) = work.chip { cryptogram = question }
        if case .askValue(let question, _) = work.chip { cardValue = question }
        let authentication = work.authentication?.question
        // A PIN is looked at beside something that shows the card or its holder.
        var pin = cryptogram == nil && cardValue == nil && authentication == nil ? nil : request.pin
        pin?.verification = work.range?.pinVerification ?? .reference
        return CryptographyQuestion(
            card: request.card, cryptogram: cryptogram, pin: pin, cardValue: cardValue,
            authentication: authentication, deadline: request.deadline, knownToken: known)
    }

    private func answer(
        _ pending: any CryptographyUnderWay
    ) async throws(CouldNotDecide) -> CryptographyAnswer {
        do { return try await pending.answer() } catch { throw .cryptography(error) }
    }

    /// What chip, card value and token come to: all that can be said without the record.
    @inline(never)
    func message(_ work: Work) -> CardMessage {
        let request = work.request
        var trace = DecisionTrace()
        var (declined, proof) = (DeclineReason?.none, Proof.none)
        var lost: [LostTime] = []
        if case .reversal = request.purpose {
            lost = self.lost()
        } else {
            (work.verified, declined) = CryptogramCheck.evaluate(
                work.chip, work.answer?.cryptogram ?? .notAsked, trace: &trace)
            if let verified = work.verified { proof = .chip(verified) }
            if work.verified == nil || work.authentication != nil {
                proof = otherProof(work, proof, declined: &declined, trace: &trace)
            }
            if request.purpose == .decision { declined = declined ?? agreementDecline(work, &trace) }
        }
        return CardMessage(
            request: request, rangeName: work.range?.name, proof: proof, evidence: trace.lines,
            declined: declined, pin: work.answer?.pin ?? .notAsked,
            policy: work.range?.cardPolicy ?? CardPolicy(), now: surroundings.unixSeconds(),
            approvalCode: approvalCode(), random: surroundings.random(), lost: lost,
            isOfPANBefore: work.moves > 0)
    }

    /// What was asked for against what the card signed, and what card and terminal found out before they asked.
    private func agreementDecline(_ work: Work, _ trace: inout DecisionTrace) -> DeclineReason? {
        let request = work.request
        guard let data = request.chip else { return nil }
        if let reason = AmountAgreementCheck.evaluate(request, data, trace: &trace) { return reason }
        guard let verified = work.verified, let range = work.range else { return nil }
        if let reason = TransactionTypeCheck.evaluate(
            request, data, profile: verified.question.profile, trace: &trace)
        {
            return reason
        }
        return OfflineResultsCheck(policy: range.offlineResults)
            .evaluate(data, verified, kind: request.circumstances.kind, trace: &trace)
    }

    private func approvalCode() -> UInt64 {
        var number = surroundings.random() % 1_000_000
        var code: UInt64 = 0
        for place in 0..<6 {
            code |= (0x30 + number % 10) << UInt64(8 * place)
            number /= 10
        }
        return code
    }
}

extension Authoriser {
    /// One authorisation under way. What lives across the waits stands here and not in the frames of the task, which are
    /// memory taken and given back for each request, several times what stands in them. One task works on it at a time.
    final class Work: @unchecked Sendable {
        let request: AuthorisationRequest
        let range: IssuerRange?
        var chip = ChipFinding.skip("")
        /// Nil for nearly every request.
        var authentication: AuthenticationFinding?
        var answer: CryptographyAnswer?
        var reading = CardReading(record: nil, past: nil)
        var token = CardToken(high: 0, low: 0)
        var times = StageTimes()
        var evidenceAt: UInt64 = 0
        var verified: VerifiedCryptogram?
        /// What the record is asked, what it says, and what is learnt in between.
        var message: CardMessage?
        var knowledge = CardKnowledge()
        var step: CardStep?
        /// What replicas may not have yet; and the tag that was written, and since when.
        var unconfirmed: CardReading?
        var written: RecordTag?
        var writtenFrom: UInt64 = 0
        /// Template 71 or 72, made before anything is claimed.
        var template: [UInt8]?
        /// How often its account has moved to another PAN.
        var moves = 0

        init(_ request: AuthorisationRequest, _ range: IssuerRange?) {
            (self.request, self.range) = (request, range)
        }

        /// Without an ATC of its own, only what is filed away says whether a message is a repeat, and what it speaks of.
        var readsPast: Bool {
            request.chip == nil || request.purpose != .decision || request.circumstances.kind == .completion
        }
    }
}

/// Messages of one account queue within a loop: only other loops and hosts can be quicker between a read and its write.
///
/// Two queues for one account, each as quick as the other, can run in step, so that one of them writes every time and the
/// other one never. So each queue leaves a gap as long as a turn after every fourth.
final class CardTurns: Sendable {
    struct Queue {
        /// In the order of asking. Each is told how long it has to leave the account alone first, in nanoseconds.
        var waiting: [UnsafeContinuation<UInt64, Never>] = []
        var handedOver = 0
        /// Of the last hand-over.
        var since: UInt64 = 0
    }

    let surroundings: Surroundings
    /// For each account that has a message under way.
    let queues = Mutex<[CardToken: Queue]>([:])

    init(_ surroundings: Surroundings) { self.surroundings = surroundings }

    /// Waits until no other message of the account is under way.
    func enter(_ token: CardToken) async {
        if !queues.withLock({ Self.begin(token, &$0) }) { await wait(token) }
    }

    /// Lets the next one in.
    func leave(_ token: CardToken) {
        let isWaitedFor = queues.withLock { queues in
            guard queues[token]?.waiting.isEmpty == false else {
                queues[token] = nil
                return false
            }
            return true
        }
        if isWaitedFor { handOver(token) }
    }

    static func begin(_ token: CardToken, _ queues: inout [CardToken: Queue]) -> Bool {
        guard queues[token] == nil else { return false }
        queues[token] = Queue()
        return true
    }
}
