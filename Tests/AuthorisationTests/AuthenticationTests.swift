@testable import Authorisation
import EMV
import Testing

/// 3-D Secure by check and transition: what a value proves, and that it is good once.
@Suite("Authentication values, by check and transition")
struct AuthenticationTests {
    private static let now: Int64 = 1_795_000_000
    private static let merchant = Array("Test Shop 1".utf8)

    /// A value and what comes with it; everything right.
    private struct Shop {
        var form = AuthenticationValueForm.hmacSHA256
        var status = AuthenticationStatus.authenticated
        var number = UInt64(AuthenticationTests.now - 60)
        var minorUnits: Int64 = 1_000
        var indicator: UInt8? = 0x05
        var sendsValue = true
        var isRecurring = false
        var merchant = AuthenticationTests.merchant
        var answer = AuthenticationAnswer.matches
        var terms = AuthenticationPolicy.Terms(form: .hmacSHA256, key: KeyName("av-hmac-1"))

        init(_ change: (inout Shop) -> Void = { _ in }) {
            terms.numberIsTime = true
            terms.isRequired = true
            change(&self)
            terms.form = form
        }

        func entry() throws -> Draft.Entry {
            var draft = AuthenticationValueDraft(form, number: number)
            (draft.status, draft.merchant) = (status, AuthenticationTests.merchant)
            (draft.minorUnits, draft.currency) = (minorUnits, CardScene.currency.rawValue)
            let value = try #require(draft.value(proof: 0x123)).encoded
            let evidence = AuthenticationEvidence(
                value: sendsValue ? .bytes(value) : .none, indicator: indicator,
                isElectronicCommerce: !isRecurring,
                isRecurring: isRecurring, merchant: merchant)
            return .shop(evidence, AuthenticationPolicy(terms), answer)
        }

        func draft(_ stan: UInt32 = 7) throws -> Draft {
            let entry = try entry()
            return Draft { $0.entry = entry }.next(stan)
        }
    }

    private func declined(_ change: (inout Shop) -> Void = { _ in }) throws -> DeclineReason? {
        var scene = try CardScene()
        let outcome = try scene.outcome(try Shop(change).draft())
        let line = outcome.trace.lines.last { $0.rule == .authentication }
        #expect(line?.verdict == (outcome.result.declined == nil ? .approved : .declined))
        #expect((scene.available == 9_000) == (outcome.result.declined == nil))
        return outcome.result.declined
    }

    @Test("Each reason", arguments: AuthenticationValueForm.allCases)
    func reasons(form: AuthenticationValueForm) throws {
        let number = UInt64(Self.now / form.secondsOfNumber - 2)
        func decline(_ change: (inout Shop) -> Void) throws -> DeclineReason? {
            try declined {
                ($0.form, $0.number) = (form, number)
                change(&$0)
            }
        }
        #expect(try decline { _ in } == nil)
        #expect(try decline { $0.answer = .differs } == .authenticationWrong)
        #expect(try decline { $0.answer = .notAsked } == .authenticationWrong)
        #expect(try decline { $0.sendsValue = false } == .authenticationMissing)
        #expect(
            try decline {
                $0.sendsValue = false
                $0.terms.isRequired = false
            } == .authenticationClaimUnproven)
        #expect(try decline { $0.terms.key = nil } == .authenticationWrong, "a selector without a key")
        let late = number - UInt64(91 * 86_400 / form.secondsOfNumber)
        #expect(try decline { $0.number = late } == .authenticationTooOld)
        #expect(try decline { $0.number = number + 1_000 } == .authenticationTooOld, "not made yet")
        let isOther = try decline { $0.merchant = Array("Another".utf8) }
        #expect(isOther == (form.merchantHashBytes > 0 ? .authenticationMerchantDiffers : nil))
        let isMore = try decline { $0.minorUnits = 999 }
        #expect(isMore == (form.bindsAmount ? .authenticationAmountDiffers : nil))
        let isNear = try decline {
            $0.minorUnits = 900
            $0.terms.amountTolerancePercent = 12
        }
        #expect(isNear == nil)
    }

    @Test("An indicator claims no more than the value proves")
    func claims() throws {
        func decline(
            _ status: AuthenticationStatus, _ indicator: UInt8?, attempts: Bool = false
        ) throws -> DeclineReason? {
            try declined {
                ($0.form, $0.number) = (.cvvWithTrackingNumber, UInt64(Self.now / 60 - 1))
                ($0.status, $0.indicator, $0.terms.acceptsAttempts) = (status, indicator, attempts)
            }
        }
        for indicator in [UInt8(0x05), 0x02, 0x06, 0x01, 0x07] {
            #expect(try decline(.authenticated, indicator) == nil)
        }
        #expect(try decline(.attempted, 0x05, attempts: true) == .authenticationClaimUnproven)
        #expect(try decline(.attempted, 0x06, attempts: true) == nil)
        #expect(try decline(.attempted, 0x06) == .authenticationAttemptOnly)
        #expect(try decline(.notAuthenticated, 0x07, attempts: true) == .cardholderNotAuthenticated)
        #expect(try decline(.notAuthenticated, 0x06, attempts: true) == .authenticationClaimUnproven)
    }

    @Test("A value is good once, for whatever it is sent again")
    func replay() throws {
        var scene = try CardScene()
        let first = try Shop().draft(1)
        #expect(try scene.send(first).declined == nil)
        #expect(try scene.send(first.again()).repeated, "a repeat is no second use")
        #expect(try scene.send(try Shop().draft(2)).declined == .authenticationReplayed)
        #expect(try scene.send(first.reversal()).declined == nil && scene.available == 10_000)
        #expect(try scene.send(try Shop().draft(3)).declined == .authenticationReplayed)
        // A series is for payments that say so, where the range has them.
        #expect(
            try scene.send(try Shop { $0.isRecurring = true }.draft(4)).declined == .authenticationReplayed)
        #expect(try scene.send(try Shop { $0.number -= 1 }.draft(5)).declined == nil)
    }

    @Test("What an ATN's unproven digits say makes no value a new one")
    func movedTrackingNumber() throws {
        var scene = try CardScene()
        func shop(_ number: UInt64) throws -> Draft {
            try Shop { ($0.form, $0.number, $0.terms.numberIsTime) = (.cvvWithTrackingNumber, number, false) }
                .draft(UInt32(number % 97))
        }
        #expect(try scene.send(try shop(29_916_665)).declined == nil)
        #expect(try scene.send(try shop(29_926_665)).declined == .authenticationReplayed)
        #expect(try scene.send(try shop(29_926_666)).declined == nil)
    }

    @Test("A decline uses nothing up, and a value outlives its record's other parts")
    func unused() throws {
        var scene = try CardScene(500)
        #expect(try scene.send(try Shop().draft(1)).declined == .insufficientFunds)
        try scene.order(.importCard(CardScene.definition(1, 5_000), forgettingATCs: false))
        #expect(try scene.send(try Shop().draft(2)).declined == nil)
        for stan in UInt32(10)..<30 { try scene.send(Draft().next(stan).with { $0.minorUnits = 1 }) }
        #expect(try scene.send(try Shop().draft(40)).declined == .authenticationReplayed)
    }

    @Test("A series: so many payments on one value, at one merchant, the first within its terms")
    func series() throws {
        var scene = try CardScene()
        func payment(_ stan: UInt32, _ change: (inout Shop) -> Void = { _ in }) throws -> DeclineReason? {
            let draft = try Shop {
                $0.isRecurring = true
                $0.terms.seriesMax = 2
                change(&$0)
            }.draft(stan)
            return try scene.send(draft).declined
        }
        #expect(try payment(1) { $0.minorUnits = 999 } == .authenticationAmountDiffers)
        #expect(try payment(2) == nil)
        scene.now += 100 * 86_400
        #expect(try payment(3) == nil, "a series lives longer than a value")
        let other = try Shop {
            $0.isRecurring = true
            $0.terms.seriesMax = 2
        }.draft(4).with { $0.numbers.merchant = 99 }
        #expect(try scene.send(other).declined == .authenticationReplayed)
        #expect(try payment(5) == nil)
        #expect(try payment(6) == .authenticationSeriesEnded)
    }

    @Test("A record keeps as many uses as it says, and declines before it forgets one that could come again")
    func bound() throws {
        var scene = try CardScene(10_000_000)
        for number in 0..<UInt64(UsedAuthenticationValues.countMax) {
            let draft = try Shop { $0.number = UInt64(Self.now) - number }.draft(UInt32(number + 1))
            #expect(try scene.send(draft).declined == nil)
        }
        let more = Shop { $0.number = UInt64(Self.now) - 5_000 }
        #expect(try scene.send(try more.draft(5_000)).declined == .authenticationReplayed)
        scene.now += 91 * 86_400
        let later = try Shop { $0.number = UInt64(Self.now + 91 * 86_400) }.draft(6_000)
        #expect(try scene.send(later).declined == nil)
        let names = CardReading(record: scene.record, past: []).fieldsByName
        #expect(names.count { $0.hasPrefix("authenticationValue[") } == 1, "what is too old is forgotten")
    }

    @Test("An advice on a used value is booked and flagged")
    func advice() throws {
        var scene = try CardScene()
        try scene.send(try Shop().draft(1))
        let outcome = try scene.outcome(try Shop().draft(2).advice())
        #expect(outcome.result.declined == nil && scene.available == 8_000)
        #expect(outcome.trace.lines.contains { $0.reason.contains("flagged") })
    }

    @Test("What the range answers in DE39 and DE44")
    func answers() throws {
        var shop = Shop()
        shop.terms.answers = [
            .right: ConfiguredAnswer(responseCode: nil, additionalData: "2"),
            .replayed: ConfiguredAnswer(responseCode: "59", additionalData: "R"),
        ]
        let message = try shop.draft().message(policy: CardPolicy(), now: Self.now, random: 1)
        let range = IssuerRange(
            name: "visa", prefix: PANPrefix("476173")!,
            keys: IssuerKeys([IssuerKeyVersion(name: "", issuerMasterKey: KeyName("imk"))]),
            masterKeyOption: .a, profiles: [], authentication: AuthenticationPolicy(shop.terms))
        let finding = try #require(AuthenticationFinding.of(message.request, range))
        let verified = try #require(message.authentication)
        #expect(finding.answer(nil, .authentication(verified))?.additionalData == "2")
        #expect(
            finding.answer(.authenticationReplayed, nil)
                == ConfiguredAnswer(responseCode: "59", additionalData: "R"))
        #expect(finding.answer(.insufficientFunds, nil) == nil)
    }
}
