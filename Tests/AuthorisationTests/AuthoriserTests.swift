import Authorisation
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

    private static let card = CardRecord(
        status: .active, expiry: ExpiryDate(ascii: Array("2912".utf8))!,
        pinReference: EncipheredPINBlock(rawValue: 77), pinTriesMax: 3, pinTriesUsed: 0, highestATC: nil,
        availableMinorUnits: 10_000, currency: CurrencyCode(rawValue: 752)!, profile: "visa-cvn18")

    private struct Scene {
        var card: CardRecord? = AuthoriserTests.card
        var answered: RecordedAnswer?
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
        var commitFails = false
        /// What the store answers; nil: it agrees with the host.
        var stored: DeclineReason?
        var tokenKnown = true
        var circumstances = Circumstances()
        var limits: SpendingLimits?
        var purpose = RequestPurpose.decision
        var original: OriginalTransaction?
        /// What the store says that it did beside the usual.
        var effect: CommitEffect?
    }

    private func run(_ scene: Scene) async throws -> (decision: Decision, commits: [AuthorisationCommit]) {
        let state = FakeState(scene: scene)
        let ranges = IssuerRangeTable([
            IssuerRange(
                name: "visa", prefix: PANPrefix("476173")!, issuerMasterKey: KeyName("imk"),
                masterKeyOption: .a,
                profiles: [.visaCVN18], limits: scene.limits),
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
        let authoriser = Authoriser(
            ranges: ranges,
            codes: AuthorisationResponseCodes(approved: AuthorisationResponseCode("00")!) { _ in
                AuthorisationResponseCode("05")!
            },
            cryptography: FakeToken(scene: scene), state: state,
            surroundings: Surroundings(
                unixSeconds: { 1_795_000_000 }, monotonicNanoseconds: { 5_000_000 }, random: { 42 }))
        let request = AuthorisationRequest(
            link: "a",
            card: CardIdentity(pan: try PAN(scene.pan), panSequenceNumber: PANSequenceNumber(rawValue: 1)),
            expiry: scene.expiry.flatMap { ExpiryDate(ascii: Array($0.utf8)) },
            amount: Amount(minorUnits: scene.minorUnits, currency: CurrencyCode(rawValue: 752)!)!,
            retransmission: RetransmissionKey(moment: 1, acquirer: 2, reference: 3, fingerprint: 1),
            retrievalReferenceNumber: Array("RRN".utf8), systemsTraceAuditNumber: 1,
            chip: try scene.chip.map { try ICCData(parsing: $0) },
            pin: scene.pinBlock.map {
                PINQuestion(
                    zonePINKey: KeyName("zpk"), format: .iso0, block: EncipheredPINBlock(rawValue: $0))
            }, circumstances: scene.circumstances, purpose: scene.purpose, original: scene.original,
            receivedAt: 4_000_000,
            deadline: Deadline(nanoseconds: .max))
        let decision = try await authoriser.authorise(request)
        return (decision, state.commits)
    }

    @Test func aGoodRequestIsApprovedWithItsARPC() async throws {
        let (decision, commits) = try await run(Scene(pinBlock: 1))
        guard case .approved(let approval) = decision.outcome else { throw Unexpected() }
        #expect(approval.code == Array("000042".utf8))
        #expect(decision.issuerAuthenticationData?.method2.statusUpdate == .approve)
        let commit = try #require(commits.first)
        #expect(commits.count == 1 && commit.declined == nil && commit.pin == .right)
        #expect(commit.verifiedATC?.rawValue == 5 && commit.amount.minorUnits == 4_250)
        #expect(
            commit.entry.trace.lines.map(\.rule) == [
                .retransmission, .issuerRange, .cardKnown, .cardStatus, .expiry, .cryptogram,
                .amountAgreement, .offlineResults, .pin,
            ])
        #expect(
            decision.trace.lines.suffix(3).map(\.rule) == [
                .applicationTransactionCounter, .pinTries, .availableAmount,
            ])
        #expect(commit.entry.microsecondsUntilEvidence == 1_000)
    }

    @Test func theSameWhereTheCardTokenHasToBeMadeFirst() async throws {
        let (decision, _) = try await run(Scene(tokenKnown: false))
        #expect(decision.outcome.declineReason == nil)
    }

    @Test(
        "A forged cryptogram moves no counter, whatever else comes with it",
        arguments: [UInt64(1), 2], [UInt64(77), 78])
    func forgery(block: UInt64, translated: UInt64) async throws {
        let (decision, commits) = try await run(
            Scene(cryptogramIsRight: false, pinBlock: block, translated: translated))
        #expect(decision.outcome.declineReason == .cryptogramWrong)
        #expect(decision.issuerAuthenticationData == nil && decision.authorisationResponseCode == nil)
        #expect(commits.map(\.verifiedATC) == [nil] && commits.map(\.pin) == [.notChecked])
    }

    private static let declines: [(Scene, DeclineReason, claimsATC: Bool)] = [
        (Scene(pan: "5413330089010012"), .unknownCard, false),
        (Scene(card: nil), .unknownCard, false),
        (Scene(card: changed(status: .lost)), .cardLost, true),
        (Scene(card: changed(status: .stolen)), .cardStolen, true),
        (Scene(card: changed(status: .restricted)), .cardRestricted, true),
        (Scene(card: changed(expiry: "2610")), .cardExpired, true),
        (Scene(expiry: "2911"), .expiryDiffers, true),
        (Scene(chip: nil), .chipDataMissing, false),
        (Scene(chip: without(.unpredictableNumber)), .chipDataMalformed, false),
        (Scene(chip: without(.transactionDate)), .chipDataMalformed, false),
        (Scene(chip: with(.cryptogramInformationData, [0x40])), .notAnARQC, false),
        (Scene(chip: with(.cryptogramInformationData, [0x00])), .notAnARQC, true),
        (
            Scene(chip: with(.issuerApplicationData, [0x06, 0x01, 0x0A, 0x03, 0xA0, 0xB8, 0x00])),
            .cryptogramProfileUnknown, false
        ),
        (Scene(chip: with(.issuerApplicationData, [1, 2, 3])), .cryptogramProfileUnknown, false),
        (Scene(cryptogramIsRight: false), .cryptogramWrong, false),
        (Scene(minorUnits: 4_251), .amountDiffers, true),
        (Scene(card: changed(reference: nil), pinBlock: 1), .pinNotOnRecord, true),
    ]

    @Test("Each reason to decline, and whether the ATC was used", arguments: declines.indices)
    func decline(index: Int) async throws {
        let (scene, reason, claimsATC) = Self.declines[index]
        let (decision, commits) = try await run(scene)
        #expect(decision.outcome.declineReason == reason)
        #expect(commits.count == 1 && commits.first?.declined == reason)
        #expect((commits.first?.verifiedATC != nil) == claimsATC)
        #expect(commits.first?.pin == .notChecked)
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
            let (decision, commits) = try await run(scene)
            #expect(decision.outcome.declineReason == nil, "\(index)")
            #expect(commits.first?.entry.keyVersion == version)
            #expect(commits.first?.entry.derivationKeyIndex == index)
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
            let (decision, commits) = try await run(scene)
            #expect(
                commits.first?.declined == .keyVersionUnknown || commits.first?.declined == .expiryDiffers)
            #expect(commits.first?.verifiedATC == nil && commits.first?.entry.keyVersion == "")
            #expect(decision.trace.lines.first { $0.rule == .cryptogram }?.reason == words)
        }
        // A range with one key says nothing of versions.
        let plain = try await run(Scene())
        #expect(plain.decision.trace.lines.first { $0.rule == .cryptogram }?.reason == "visa-cvn18")
        #expect(plain.commits.first?.entry.keyVersion == "")
    }

    @Test func expiryEndsWithItsMonth() async throws {
        // The surroundings say November 2026.
        #expect(
            try await run(Scene(card: Self.changed(expiry: "2611"), expiry: "2611")).decision.outcome
                .declineReason == nil)
        #expect(
            try await run(Scene(card: Self.changed(expiry: "2611"), expiry: nil)).decision.outcome
                .declineReason == nil)
    }

    @Test func aWrongPINIsTheStoresToJudge() async throws {
        for stored in [DeclineReason.pinWrong, .pinTriesExceeded] {
            let (decision, commits) = try await run(Scene(pinBlock: 1, translated: 78, stored: stored))
            #expect(commits.map(\.pin) == [.wrong] && commits.map(\.declined) == [nil])
            #expect(decision.outcome.declineReason == stored)
            #expect(decision.issuerAuthenticationData?.method2.statusUpdate == .decline)
        }
    }

    @Test(
        "While a zone PIN key changes, a block may be under either key, and is wrong only under both",
        arguments: [
            (UInt64(77), UInt64(5), false, PINEvidence.right), (78, 77, false, .right),
            (78, 77, true, .right),
            (78, 79, true, .wrong), (78, 0, false, .wrong), (78, 0, true, .notChecked),
        ])
    func overlap(now: UInt64, before: UInt64, malformed: Bool, expected: PINEvidence) async throws {
        let scene = Scene(pinBlock: 1, translated: now, translatedBefore: before, isMalformed: malformed)
        let (decision, commits) = try await run(scene)
        #expect(commits.map(\.pin) == [expected])
        let isUnreadable = decision.outcome.declineReason == .pinBlockUnreadable
        #expect(isUnreadable == (expected == .notChecked))
    }

    @Test(
        "What the store says is final",
        arguments: [
            DeclineReason.atcReplayed, .atcOutOfRange, .insufficientFunds, .currencyNotServed, .cardLost,
        ])
    func final(stored: DeclineReason) async throws {
        let (decision, _) = try await run(Scene(stored: stored))
        #expect(decision.outcome.declineReason == stored)
    }

    @Test func aRepeatIsAnsweredAsBeforeAndMovesNothing() async throws {
        let approved = RecordedAnswer(fingerprint: 1, declined: nil, approvalCode: Array("ABC123".utf8))
        let (first, commits) = try await run(Scene(answered: approved))
        guard case .approved(let approval) = first.outcome else { throw Unexpected() }
        #expect(approval.code == approved.approvalCode && first.repeated && commits.isEmpty)
        #expect(first.issuerAuthenticationData != nil)
        let declined = RecordedAnswer(fingerprint: 1, declined: .insufficientFunds, approvalCode: [])
        #expect(try await run(Scene(answered: declined)).decision.outcome.declineReason == .insufficientFunds)
        // The earlier approval is worth nothing to a cryptogram that is not the card's.
        let forged = try await run(Scene(answered: approved, cryptogramIsRight: false))
        #expect(forged.decision.outcome.declineReason == .cryptogramWrong && forged.commits.isEmpty)
    }

    @Test func theSameKeyWithOtherContentIsNoRepeat() async throws {
        let other = RecordedAnswer(fingerprint: 2, declined: nil, approvalCode: Array("ABC123".utf8))
        let (decision, commits) = try await run(Scene(answered: other))
        #expect(decision.outcome.declineReason == .retransmissionDiffers)
        #expect(commits.first?.retransmission == nil && commits.first?.verifiedATC == nil)
    }

    @Test func machineryThatFailsJudgesNobody() async throws {
        for scene in [
            Scene(tokenFails: true), Scene(tokenFails: true, tokenKnown: false), Scene(readFails: true),
            Scene(commitFails: true),
        ] {
            await #expect(throws: CouldNotDecide.self) { _ = try await self.run(scene) }
        }
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
        // What has to be counted reaches the store, and only that.
        limits.transactionMax = nil
        #expect(try await run(Scene(circumstances: verified, limits: limits)).commits.first?.limits == nil)
        limits.daily.count = 3
        let commit = try await run(Scene(circumstances: verified, limits: limits)).commits.first
        #expect(commit?.limits?.day == 1_795_000_000 / 86_400 && commit?.limits?.limits == limits)
    }

    private struct Unexpected: Error {}

    private static func changed(
        status: CardStatus = .active, expiry: String = "2912", reference: UInt64? = 77
    ) -> CardRecord {
        CardRecord(
            status: status, expiry: ExpiryDate(ascii: Array(expiry.utf8))!,
            pinReference: reference.map(EncipheredPINBlock.init(rawValue:)), pinTriesMax: 3, pinTriesUsed: 0,
            highestATC: nil, availableMinorUnits: 10_000, currency: CurrencyCode(rawValue: 752)!,
            profile: "visa-cvn18")
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
    private struct FakeToken: CardCryptography {
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

        func knownToken(of card: CardIdentity) -> CardToken? {
            scene.tokenKnown ? CardToken(high: 1, low: 1) : nil
        }

        func begin(_ question: CryptographyQuestion) -> Pending<CryptographyAnswer, CryptographyUnavailable> {
            if scene.tokenFails { return Pending(.failure(.tokenFailed("C_DeriveKey"))) }
            var cryptogram = CryptogramAnswer.notAsked
            if let asked = question.cryptogram {
                cryptogram = scene.cryptogramIsRight ? .matches(asked.prepared.map(data)) : .differs
            }
            var pin = PINAnswer.notAsked
            if question.pin != nil, scene.cryptogramIsRight {
                pin = .translated(EncipheredPINBlock(rawValue: scene.translated))
            }
            return Pending(
                .success(
                    CryptographyAnswer(token: CardToken(high: 1, low: 1), cryptogram: cryptogram, pin: pin)))
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

    /// A store that remembers what it was asked to commit.
    private final class FakeState: CardState {
        func reverse(_ reversal: ReversalCommit) async throws(StateUnavailable) -> CommitResult {
            if scene.commitFails { throw StateUnavailable("reverse: gone") }
            reversed.withLock { $0.append(reversal) }
            return CommitResult(
                declined: scene.stored, approvalCode: [], repeated: false, atc: .notAsked, pinTriesLeft: 3,
                availableMinorUnits: 1, effect: scene.effect)
        }

        var reversals: [ReversalCommit] { reversed.withLock { $0 } }
        private let reversed = Mutex<[ReversalCommit]>([])

        private let scene: Scene
        private let kept = Mutex<[AuthorisationCommit]>([])

        init(scene: Scene) { self.scene = scene }

        var commits: [AuthorisationCommit] { kept.withLock { $0 } }

        func read(
            _ token: CardToken, retransmission: RetransmissionKey, deadline: Deadline
        ) async throws(StateUnavailable) -> CardReading {
            if scene.readFails { throw StateUnavailable("read: gone") }
            return CardReading(card: scene.card, answered: scene.answered)
        }

        func commit(_ commit: AuthorisationCommit) async throws(StateUnavailable) -> CommitResult {
            if scene.commitFails { throw StateUnavailable("commit: gone") }
            kept.withLock { $0.append(commit) }
            return CommitResult(
                declined: commit.declined ?? scene.stored, approvalCode: commit.approvalCode, repeated: false,
                atc: commit.verifiedATC == nil ? .notAsked : .ahead, pinTriesLeft: 3, availableMinorUnits: 1,
                effect: scene.effect)
        }
    }
}
