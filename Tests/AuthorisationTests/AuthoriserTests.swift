@testable import Authorisation
import EMV
import Synchronization
import Testing

/// The order of the checks and what each may move, with ports that say what the test wants.
@Suite("Authoriser")
struct AuthoriserTests {
    private static let chip: [UInt8] = {
        var writer = TLVWriter()
        writer.append(.amountAuthorised, [0, 0, 0, 0, 0x42, 0x50])
        writer.append(.amountOther, [0, 0, 0, 0, 0, 0])
        writer.append(.terminalCountryCode, [0x07, 0x52])
        writer.append(.terminalVerificationResults, [0, 0, 0, 0x80, 0])
        writer.append(.transactionCurrencyCode, [0x07, 0x52])
        writer.append(.transactionDate, [0x26, 0x11, 0x23])
        writer.append(.transactionType, [0])
        writer.append(.unpredictableNumber, [1, 2, 3, 4])
        writer.append(.applicationInterchangeProfile, [0x39, 0])
        writer.append(.applicationTransactionCounter, [0, 5])
        writer.append(.applicationCryptogram, [1, 2, 3, 4, 5, 6, 7, 8])
        writer.append(.cryptogramInformationData, [0x80])
        writer.append(.issuerApplicationData, [0x06, 0x01, 0x12, 0x03, 0xA0, 0xB8, 0x00])
        return writer.bytes
    }()

    private static let now: Int64 = 1_795_000_000
    static let token = CardToken(high: 1, low: 1)

    /// What the ports say, and the card that the store has.
    struct Scene {
        /// Nil: the store has no such card.
        var card: CardDefinition? = AuthoriserTests.definition()
        var chip: [UInt8]? = AuthoriserTests.chip
        var cryptogramIsRight = true
        var pinBlock: UInt64?
        var translated: UInt64 = 77
        /// Under the zone PIN key before; nil: there is none. 0: no well-formed block.
        var translatedBefore: UInt64?
        var isMalformed = false
        var minorUnits: Int64 = 4_250
        var expiry: String? = "2912"
        var pan = "4761739001010028"
        var tokenFails = false
        var readFails = false
        /// How writes end, first to last; the last one stands for all that follow.
        var writes = [Fate.done]
        var tokenKnown = true
        var circumstances = Circumstances()
        var limits: SpendingLimits?
        var purpose = RequestPurpose.decision
        var original: OriginalTransaction?
        var stan: UInt32 = 1
        var isRepeat = false

        /// What becomes of a write.
        enum Fate { case done, lostBefore, lostAfter, conflict, unsafe }

        /// The server that took an unsafe write is gone: what the one after it has of it.
        enum Failover { case hasIt, lacksIt }
        /// What happens while the first such write waits.
        var failover: Failover?
    }

    private func run(
        _ scene: Scene, on records: FakeRecords? = nil
    ) async throws -> (decision: Decision, records: FakeRecords) {
        let records = try records ?? FakeRecords(scene)
        records.begin(scene)
        let authoriser = Authoriser(
            ranges: Self.ranges(scene.limits),
            codes: AuthorisationResponseCodes(approved: AuthorisationResponseCode("00")!) { _ in
                AuthorisationResponseCode("05")!
            },
            cryptography: FakeToken(scene: scene), records: records,
            surroundings: Surroundings(
                unixSeconds: { Self.now }, monotonicNanoseconds: { 5_000_000 }, random: { 42 }))
        let decision = try await authoriser.authorise(try request(scene))
        return (decision, records)
    }

    private static func ranges(_ limits: SpendingLimits?) -> IssuerRangeTable {
        IssuerRangeTable([
            IssuerRange(
                name: "visa", prefix: PANPrefix("476173")!, issuerMasterKey: KeyName("imk"),
                masterKeyOption: .a, profiles: [.visaCVN18], limits: limits),
            IssuerRange(
                name: "versions", prefix: PANPrefix("476174")!,
                keys: IssuerKeys([
                    IssuerKeyVersion(
                        name: "2021", derivationKeyIndices: [1, 0xA1], issuerMasterKey: KeyName("imk-1")),
                    IssuerKeyVersion(
                        name: "2026", derivationKeyIndices: [2],
                        cardExpiries: ExpiryDate(ascii: Array("2901".utf8))!...ExpiryDate(
                            ascii: Array("3112".utf8))!,
                        issuerMasterKey: KeyName("imk-2")),
                ]), masterKeyOption: .a, profiles: [.visaCVN18]),
        ])
    }

    private func request(_ scene: Scene) throws -> AuthorisationRequest {
        let messageClass: TransmissionClass =
            switch scene.purpose {
            case .decision: .request
            case .advice: .advice
            case .reversal: .reversal
            }
        return AuthorisationRequest(
            link: "a",
            card: CardIdentity(pan: try PAN(scene.pan), panSequenceNumber: PANSequenceNumber(rawValue: 1)),
            expiry: scene.expiry.flatMap { ExpiryDate(ascii: Array($0.utf8)) },
            amount: Amount(minorUnits: scene.minorUnits, currency: CurrencyCode(rawValue: 752)!)!,
            transmission: Transmission(
                messageClass: messageClass, isRepeat: scene.isRepeat, stan: scene.stan, sentAt: 1118_110640,
                localTime: 1118_110640, reference: 3, acquirer: 2, terminal: 4, merchant: 5),
            retrievalReferenceNumber: Array("RRN".utf8),
            chip: try scene.chip.map { try ICCData(parsing: $0) },
            pin: scene.pinBlock.map {
                PINQuestion(
                    zonePINKey: KeyName("zpk"), format: .iso0, block: EncipheredPINBlock(rawValue: $0))
            }, circumstances: scene.circumstances, purpose: scene.purpose, original: scene.original,
            receivedAt: 4_000_000, deadline: Deadline(nanoseconds: .max))
    }

    @Test func aGoodRequestIsApprovedWithItsARPC() async throws {
        let (decision, records) = try await run(Scene(pinBlock: 1))
        guard case .approved(let approval) = decision.outcome else { throw Unexpected() }
        #expect(approval.code == Array("000042".utf8))
        #expect(decision.issuerAuthenticationData?.method2.statusUpdate == .approve)
        let (entry, result) = try #require(records.decisions.first)
        #expect(records.decisions.count == 1 && result.declined == nil && result.pinTriesLeft == 3)
        #expect(result.atc == .first && entry.amount.minorUnits == 4_250)
        #expect(records.record?.availableMinorUnits == 5_750)
        #expect(records.record?.plastics.first?.highestATC == 5)
        #expect(
            entry.trace.lines.map(\.rule) == [
                .retransmission, .issuerRange, .cardKnown, .cardStatus, .expiry, .cryptogram,
                .amountAgreement, .offlineResults, .pin,
            ])
        #expect(
            decision.trace.lines.suffix(3).map(\.rule) == [
                .applicationTransactionCounter, .pinTries, .availableAmount,
            ])
        #expect(entry.microsecondsUntilEvidence == 1_000)
    }

    @Test func theSameWhereTheCardTokenHasToBeMadeFirst() async throws {
        let (decision, _) = try await run(Scene(tokenKnown: false))
        #expect(decision.outcome.declineReason == nil)
    }

    @Test(
        "A forged cryptogram moves no counter, whatever else comes with it",
        arguments: [UInt64(1), 2], [UInt64(77), 78])
    func forgery(block: UInt64, translated: UInt64) async throws {
        let (decision, records) = try await run(
            Scene(cryptogramIsRight: false, pinBlock: block, translated: translated))
        #expect(decision.outcome.declineReason == .cryptogramWrong)
        #expect(decision.issuerAuthenticationData == nil && decision.authorisationResponseCode == nil)
        let isUntouched = records.record?.bytes == records.opening?.bytes
        #expect(isUntouched && records.decisions.count == 1)
    }

    private static let declines: [(Scene, DeclineReason, claimsATC: Bool)] = [
        (Scene(pan: "5413330089010012"), .unknownCard, false),
        (Scene(card: nil), .unknownCard, false),
        (Scene(card: definition(status: .lost)), .cardLost, true),
        (Scene(card: definition(status: .stolen)), .cardStolen, true),
        (Scene(card: definition(status: .restricted)), .cardRestricted, true),
        (Scene(card: definition(expiry: "2610")), .cardExpired, true),
        (Scene(expiry: "2911"), .expiryDiffers, true),
        (Scene(chip: nil), .chipDataMissing, false),
        (Scene(chip: without(.unpredictableNumber)), .chipDataMalformed, false),
        (Scene(chip: without(.transactionDate), cryptogramIsRight: false), .chipDataMalformed, false),
        (Scene(chip: with(.cryptogramInformationData, [0x40])), .notAnARQC, false),
        (Scene(chip: with(.cryptogramInformationData, [0x00])), .notAnARQC, true),
        (
            Scene(chip: with(.issuerApplicationData, [0x06, 0x01, 0x0A, 0x03, 0xA0, 0xB8, 0x00])),
            .cryptogramProfileUnknown, false
        ),
        (Scene(chip: with(.issuerApplicationData, [1, 2, 3])), .cryptogramProfileUnknown, false),
        (Scene(cryptogramIsRight: false), .cryptogramWrong, false),
        (Scene(minorUnits: 4_251), .amountDiffers, true),
        (Scene(card: definition(reference: nil), pinBlock: 1), .pinNotOnRecord, true),
    ]

    @Test("Each reason to decline, and whether the ATC was used", arguments: declines.indices)
    func decline(index: Int) async throws {
        let (scene, reason, claimsATC) = Self.declines[index]
        let (decision, records) = try await run(scene)
        #expect(decision.outcome.declineReason == reason)
        #expect(records.decisions.map(\.result.declined) == [reason])
        #expect((records.decisions.first?.result.atc == .first) == claimsATC)
        let plastic = records.record?.plastics.first
        #expect((plastic?.highestATC != nil) == claimsATC && plastic?.pinTriesUsed ?? 0 == 0)
        #expect(records.record?.availableMinorUnits == records.opening?.availableMinorUnits)
        // The card is told whenever its cryptogram was its own, also a card that is not on record.
        #expect((decision.issuerAuthenticationData != nil) == (claimsATC || scene.card == nil))
    }

    @Test("The derivation key index, or the expiry date, chooses the key version; journal and trace name it")
    func keyVersions() async throws {
        func iad(_ index: UInt8) -> [UInt8] {
            Self.with(.issuerApplicationData, [0x06, index, 0x12, 0x03, 0xA0, 0xB8, 0x00])
        }
        for (index, version) in [(UInt8(1), "2021"), (0xA1, "2021"), (2, "2026")] {
            let scene = Scene(chip: iad(index), pan: "4761749001010028")
            let (decision, records) = try await run(scene)
            #expect(decision.outcome.declineReason == nil, "\(index)")
            #expect(records.decisions.first?.entry.keyVersion == version)
            #expect(records.decisions.first?.entry.derivationKeyIndex == index)
            let line = decision.trace.lines.first { $0.rule == .cryptogram }
            #expect(line?.reason == "visa-cvn18, key version \(version)")
        }
        let refused: [(UInt8, String?, String)] = [
            (3, "2912", "no key version for derivation key index 03"),
            (2, "2812", "no key version for derivation key index 02"),
            (2, nil, "no key version for derivation key index 02 without an expiry date"),
        ]
        for (index, expiry, words) in refused {
            let scene = Scene(chip: iad(index), expiry: expiry, pan: "4761749001010028")
            let (decision, records) = try await run(scene)
            let reason = decision.outcome.declineReason
            #expect(reason == .keyVersionUnknown || reason == .expiryDiffers)
            #expect(records.record?.plastics.first?.highestATC == nil)
            #expect(records.decisions.first?.entry.keyVersion == "")
            #expect(decision.trace.lines.first { $0.rule == .cryptogram }?.reason == words)
        }
        // A range with one key says nothing of versions.
        let plain = try await run(Scene())
        #expect(plain.decision.trace.lines.first { $0.rule == .cryptogram }?.reason == "visa-cvn18")
        #expect(plain.records.decisions.first?.entry.keyVersion == "")
    }

    @Test func expiryEndsWithItsMonth() async throws {
        // The surroundings say November 2026.
        #expect(
            try await run(Scene(card: Self.definition(expiry: "2611"), expiry: "2611")).decision.outcome
                .declineReason == nil)
        #expect(
            try await run(Scene(card: Self.definition(expiry: "2611"), expiry: nil)).decision.outcome
                .declineReason == nil)
    }

    @Test func aWrongPINCostsATry() async throws {
        let records = try FakeRecords(Scene())
        for (stan, expected) in [DeclineReason.pinWrong, .pinWrong, .pinTriesExceeded].enumerated() {
            let scene = Scene(
                chip: Self.with(.applicationTransactionCounter, [0, UInt8(5 + stan)]), pinBlock: 1,
                translated: 78,
                stan: UInt32(stan) + 1)
            let (decision, _) = try await run(scene, on: records)
            #expect(decision.outcome.declineReason == expected)
            #expect(decision.issuerAuthenticationData?.method2.statusUpdate == .decline)
            #expect(records.record?.plastics.first?.pinTriesUsed == UInt8(stan) + 1)
        }
    }

    @Test(
        "While a zone PIN key changes, a block may be under either key, and is wrong only under both",
        arguments: [
            (UInt64(77), UInt64(5), false, DeclineReason?.none), (78, 77, false, nil), (78, 77, true, nil),
            (78, 79, true, .pinWrong), (78, 0, false, .pinWrong), (78, 0, true, .pinBlockUnreadable),
        ])
    func overlap(now: UInt64, before: UInt64, malformed: Bool, expected: DeclineReason?) async throws {
        let scene = Scene(pinBlock: 1, translated: now, translatedBefore: before, isMalformed: malformed)
        let (decision, records) = try await run(scene)
        #expect(decision.outcome.declineReason == expected)
        #expect(records.record?.plastics.first?.pinTriesUsed == (expected == .pinWrong ? 1 : 0))
    }

    @Test func aRepeatIsAnsweredAsBeforeAndMovesNothing() async throws {
        let (first, records) = try await run(Scene())
        let (again, _) = try await run(Scene(isRepeat: true), on: records)
        guard case .approved(let one) = first.outcome, case .approved(let other) = again.outcome else {
            throw Unexpected()
        }
        #expect(one.code == other.code && again.repeated && !first.repeated)
        #expect(again.issuerAuthenticationData != nil && records.confirmed == 1)
        #expect(records.decisions.count == 1 && records.record?.availableMinorUnits == 5_750)
        // The earlier approval is worth nothing to a cryptogram that is not the card's.
        let (forged, _) = try await run(Scene(cryptogramIsRight: false, isRepeat: true), on: records)
        #expect(forged.outcome.declineReason == .cryptogramWrong)
        #expect(records.record?.availableMinorUnits == 5_750)
    }

    @Test func machineryThatFailsJudgesNobody() async throws {
        for scene in [
            Scene(tokenFails: true), Scene(tokenFails: true, tokenKnown: false), Scene(readFails: true),
        ] {
            await #expect(throws: CouldNotDecide.self) { _ = try await self.run(scene) }
        }
    }

    @Test(
        "A reply that was lost: the record says what became of the write",
        arguments: [Scene.Fate.lostBefore, .lostAfter])
    func lostReply(fate: Scene.Fate) async throws {
        let (decision, records) = try await run(Scene(writes: [fate, .done]))
        #expect(decision.outcome.declineReason == nil)
        #expect(records.decisions.count == 1 && records.record?.availableMinorUnits == 5_750)
        #expect(records.confirmed == (fate == .lostAfter ? 1 : 0))
    }

    @Test(
        "The server that took a write is replaced before replicas had it: the record says what became of it",
        arguments: [Scene.Failover.hasIt, .lacksIt])
    func replaced(failover: Scene.Failover) async throws {
        var scene = Scene(writes: [.unsafe])
        scene.failover = failover
        let (decision, records) = try await run(scene)
        #expect(decision.outcome.declineReason == nil && !decision.repeated)
        #expect(records.decisions.count == 1 && records.record?.availableMinorUnits == 5_750)
        #expect(records.confirmed == 2)
    }

    @Test func anotherHostIsQuickerNowAndThen() async throws {
        let (decision, records) = try await run(Scene(writes: [.conflict, .conflict, .done]))
        #expect(decision.outcome.declineReason == nil && records.decisions.count == 1)
        // Each of them took one unit.
        #expect(records.record?.availableMinorUnits == 5_748)
        await #expect(throws: CouldNotDecide.self) { _ = try await self.run(Scene(writes: [.conflict])) }
    }

    @Test func anAdviceAndAReversalAreAccepted() async throws {
        let (advice, records) = try await run(
            Scene(chip: Self.with(.cryptogramInformationData, [0x40]), purpose: .advice(approved: true)))
        guard case .accepted = advice.outcome else { throw Unexpected() }
        #expect(records.record?.availableMinorUnits == 5_750)
        let original = OriginalTransaction(
            stan: 1, sentAt: 1118_110640, isAdvice: true, acquirer: 2, terminal: 4)
        let (reversal, _) = try await run(
            Scene(chip: nil, purpose: .reversal(remainingMinorUnits: 0), original: original, stan: 2),
            on: records)
        guard case .accepted = reversal.outcome else { throw Unexpected() }
        #expect(records.record?.availableMinorUnits == 10_000)
        #expect(records.decisions.last?.result.effect == .givenBack(minorUnits: 4_250, byNumbers: true))
    }

    private static let signedTypes: [(TransactionKind, UInt8, isApproved: Bool)] = [
        (.purchase, 0x00, true), (.purchase, 0x09, true), (.purchase, 0x01, false), (.purchase, 0x20, false),
        (.cash, 0x01, true), (.cash, 0x00, false), (.refund, 0x20, true), (.refund, 0x00, false),
        (.preAuthorisation, 0x00, true), (.preAuthorisation, 0x20, false),
    ]

    @Test("DE3 against tag 9C, which the card has signed", arguments: signedTypes.indices)
    func signedType(index: Int) async throws {
        let (kind, type, isApproved) = Self.signedTypes[index]
        var circumstances = Circumstances()
        circumstances.kind = kind
        let (decision, records) = try await run(
            Scene(chip: Self.with(.transactionType, [type]), circumstances: circumstances))
        #expect(decision.outcome.declineReason == (isApproved ? nil : .transactionTypeDiffers))
        let moved = isApproved ? (kind == .refund ? 4_250 : -4_250) : 0
        #expect(records.record?.availableMinorUnits == 10_000 + Int64(moved))
    }

    @Test("Bounds of one transaction, before the store counts")
    func limits() async throws {
        var limits = SpendingLimits(currency: CurrencyCode(rawValue: 752)!)
        limits.transactionMax = 4_250
        limits.contactlessMax = 4_000
        limits.unverifiedMax = 4_249
        limits.blockedMerchantCategories = [7_995]
        limits.blockedCountries = [408]
        var verified = Circumstances()
        verified.isCardholderVerified = true
        func declined(_ circumstances: Circumstances, _ limits: SpendingLimits) async throws -> DeclineReason?
        {
            let scene = Scene(circumstances: circumstances, limits: limits)
            return try await run(scene).decision.outcome.declineReason
        }
        #expect(try await declined(verified, limits) == nil, "the bound itself is within")
        #expect(try await declined(Circumstances(), limits) == .verificationNeeded)
        var tap = verified
        tap.isContactless = true
        #expect(try await declined(tap, limits) == .contactlessAmountTooHigh)
        var casino = verified
        casino.merchantCategory = 7_995
        #expect(try await declined(casino, limits) == .merchantCategoryBlocked)
        var abroad = verified
        abroad.country = 408
        #expect(try await declined(abroad, limits) == .countryBlocked)
        limits.transactionMax = 4_249
        #expect(try await declined(verified, limits) == .transactionAmountTooHigh)
        let other = SpendingLimits(currency: CurrencyCode(rawValue: 978)!)
        #expect(try await declined(verified, other) == .currencyNotServed)
        // What has to be counted is counted in the record.
        limits.transactionMax = nil
        limits.daily.count = 1
        let (_, records) = try await run(Scene(circumstances: verified, limits: limits))
        let second = Scene(
            chip: Self.with(.applicationTransactionCounter, [0, 6]), circumstances: verified, limits: limits,
            stan: 2)
        #expect(try await run(second, on: records).decision.outcome.declineReason == .dailyCountExceeded)
    }

    struct Unexpected: Error {}

    static func definition(
        status: CardStatus = .active, expiry: String = "2912", reference: UInt64? = 77
    ) -> CardDefinition {
        CardDefinition(
            sequenceNumber: 1, status: status, expiry: ExpiryDate(ascii: Array(expiry.utf8))!,
            pin: reference.map { .reference(EncipheredPINBlock(rawValue: $0)) } ?? .none, pinTriesMax: 3,
            availableMinorUnits: 10_000, currency: CurrencyCode(rawValue: 752)!, profile: "visa-cvn18")
    }

    private static func without(_ tag: EMV.Tag) -> [UInt8] { with(tag, nil) }

    private static func with(_ tag: EMV.Tag, _ value: [UInt8]?) -> [UInt8] {
        guard let data = try? ICCData(parsing: chip) else { return [] }
        var writer = TLVWriter()
        for known in data.tags {
            if known == tag {
                if let value { writer.append(tag, value) }
            } else {
                writer.append(known, data[known] ?? [])
            }
        }
        return writer.bytes
    }

    /// A token that finds cryptograms right or wrong as told.
    struct FakeToken: CardCryptography {
        let scene: Scene

        func pinAnswer(
            for question: PINQuestion, card: CardIdentity, deadline: Deadline
        ) async throws(CryptographyUnavailable) -> PINAnswer {
            guard question.zonePINKey == FakeToken.before, let block = scene.translatedBefore else {
                return .notAsked
            }
            return .translated(EncipheredPINBlock(rawValue: block))
        }

        func fault(
            in question: PINQuestion, card: CardIdentity, deadline: Deadline
        ) async throws(CryptographyUnavailable) -> PINBlockFault? {
            let isMalformed =
                question.zonePINKey == FakeToken.before ? scene.translatedBefore == 0 : scene.isMalformed
            return isMalformed ? .fill : nil
        }

        private static let before = KeyName("before")

        func zonePINKey(before name: KeyName) -> KeyName? {
            scene.translatedBefore == nil ? nil : FakeToken.before
        }

        func knownToken(of pan: PAN) -> CardToken? {
            scene.tokenKnown ? CardToken(high: 1, low: 1) : nil
        }

        func begin(_ question: CryptographyQuestion) -> any CryptographyUnderWay {
            if scene.tokenFails {
                return Result<CryptographyAnswer, CryptographyUnavailable>.failure(
                    .tokenFailed("C_DeriveKey"))
            }
            var cryptogram = CryptogramAnswer.notAsked
            if let asked = question.cryptogram {
                cryptogram = scene.cryptogramIsRight ? .matches(asked.prepared.map(data)) : .differs
            }
            var pin = PINAnswer.notAsked
            if question.pin != nil, scene.cryptogramIsRight {
                pin = .translated(EncipheredPINBlock(rawValue: scene.translated))
            }
            var answer = CryptographyAnswer(token: CardToken(high: 1, low: 1))
            (answer.cryptogram, answer.pin) = (cryptogram, pin)
            return Result<CryptographyAnswer, CryptographyUnavailable>.success(answer)
        }

        func issuerAuthenticationData(
            for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict, deadline: Deadline
        ) async throws(CryptographyUnavailable) -> IssuerAuthenticationData { data(verdict) }

        private func data(_ verdict: IssuerVerdict) -> IssuerAuthenticationData {
            switch verdict {
            case .responseCode(let code): IssuerAuthenticationData(arpc: UInt64(1), code: code)
            case .statusUpdate(let update): IssuerAuthenticationData(arpc: UInt32(1), statusUpdate: update)
            }
        }
    }

    /// A store of one card, whose writes end as the scene says.
    final class FakeRecords: CardRecords {
        private struct State {
            var record: CardRecord?
            var past: [UInt8] = []
            var scene: Scene
            var writes = 0
            var decisions: [(entry: JournalEntry, result: CommitResult)] = []
            var confirmed = 0
        }

        /// The record before any message.
        let opening: CardRecord?
        private let state: Mutex<State>

        init(_ scene: Scene) throws {
            guard let card = scene.card else {
                opening = nil
                state = Mutex(State(scene: scene))
                return
            }
            let order = OperatorOrder.importCard(card, forgettingATCs: false)
            guard
                case .done(_, let change) = CardTransition.apply(
                    order, to: CardReading(record: nil, past: []), policy: CardPolicy(), now: 0, random: 1)
            else { throw Unexpected() }
            opening = change.record
            state = Mutex(State(record: change.record, scene: scene))
        }

        /// The next message.
        func begin(_ scene: Scene) {
            state.withLock {
                $0.scene = scene
                $0.writes = 0
            }
        }

        var record: CardRecord? { state.withLock { $0.record } }
        var decisions: [(entry: JournalEntry, result: CommitResult)] { state.withLock { $0.decisions } }
        var confirmed: Int { state.withLock { $0.confirmed } }

        func read(
            _ token: CardToken, withPast: Bool, deadline: Deadline
        ) async throws(CouldNotDecide) -> CardReading {
            let (scene, reading) = state.withLock {
                ($0.scene, CardReading(record: $0.record, past: withPast ? $0.past : nil))
            }
            if scene.readFails { throw .state(StateUnavailable("read: gone")) }
            return reading
        }

        func replace(
            _ token: CardToken, _ change: CardChange, lines: [JournalLine], withPast: Bool,
            deadline: Deadline
        ) async throws(CouldNotDecide) -> CardReplacement {
            let (fate, reading) = state.withLock { state in carryOut(change, lines, withPast, &state) }
            switch fate {
            case .done: return .done(unconfirmed: nil)
            case .unsafe: return .done(unconfirmed: reading)
            case .conflict: return .conflict(reading)
            case .lostBefore, .lostAfter: throw .state(StateUnavailable("replace: gone"))
            }
        }

        private func carryOut(
            _ change: CardChange, _ lines: [JournalLine], _ withPast: Bool, _ state: inout State
        ) -> (Scene.Fate, CardReading) {
            let fate = state.scene.writes[min(state.writes, state.scene.writes.count - 1)]
            state.writes += 1
            if fate == .conflict, var record = state.record {
                record.availableMinorUnits -= 1
                record.setTag(RecordTag(random: UInt64(state.writes), counter: record.tag.counter + 1))
                state.record = record
            }
            let reading = CardReading(record: state.record, past: withPast ? state.past : nil)
            guard [.done, .lostAfter, .unsafe].contains(fate) else { return (fate, reading) }
            guard state.record?.tag == change.before else { return (.conflict, reading) }
            if let record = change.record { state.record = record }
            for case .decision(let entry, let result) in lines { state.decisions.append((entry, result)) }
            return (fate, reading)
        }

        func confirm(_ reading: CardReading, deadline: Deadline) async throws(CouldNotDecide) {
            let isGone = state.withLock { state in
                state.confirmed += 1
                guard let failover = state.scene.failover else { return false }
                state.scene.failover = nil
                if failover == .lacksIt { (state.record, state.decisions) = (opening, []) }
                return true
            }
            if isGone { throw .state(StateUnavailable("wait: the connection broke")) }
        }
    }
}
