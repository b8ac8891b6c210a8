@testable import Authorisation
import EMV
import Testing

/// Completions and holds, limits, PIN, operators: by the transition alone.
@Suite("Money, PIN and operators, by the transition")
struct TransitionMoneyTests {
    private static let bounds: [(category: UInt16?, excess: Int64)] = [
        (nil, 15), (5_411, 15), (5_542, 0), (5_812, 20), (7_011, 20), (7_512, 25),
    ]

    @Test("A hold's completions are bounded in their sum", arguments: bounds.indices)
    func bound(index: Int) throws {
        let (category, excess) = Self.bounds[index]
        var scene = try CardScene()
        let hold = Draft {
            $0.kind = .preAuthorisation
            $0.category = category
        }
        try scene.send(hold)
        #expect(scene.available == 9_000)
        #expect(try scene.send(hold.completion(600, stan: 3)).declined == nil && scene.available == 9_400)
        let top = 1_000 + 10 * excess - 600
        #expect(try scene.send(hold.completion(top + 1, stan: 4)).declined == .completionTooHigh)
        #expect(try scene.send(hold.completion(top, stan: 5)).declined == nil)
        #expect(scene.available == 10_000 - 600 - top)
        // What has happened elsewhere is booked and flagged.
        let beyond = try scene.outcome(
            hold.completion(900, stan: 6).with { $0.purpose = .advice(approved: true) })
        #expect(beyond.result.declined == nil && scene.available == 10_000 - 600 - top - 900)
        #expect(beyond.trace.lines.contains { $0.reason.contains("flagged") })
    }

    @Test func anEqualPartWithANewTimeIsAFurtherShipment() throws {
        var scene = try CardScene()
        let hold = Draft { $0.kind = .preAuthorisation }
        try scene.send(hold)
        let part = hold.completion(400, stan: 3)
        try scene.send(part)
        #expect(try scene.send(part).repeated, "the very same message is one")
        let further = part.with { $0.numbers.sentAt += 50 }
        #expect(try !scene.send(further).repeated && scene.available == 9_200)
        scene.now += 8 * 86_400
        #expect(try scene.send(part.with { $0.numbers.sentAt += 90 }).declined != nil)
    }

    @Test func aHoldExpiresWithALineInTheJournal() throws {
        var scene = try CardScene()
        try scene.send(Draft { $0.kind = .preAuthorisation })
        scene.now += 7 * 86_400 - 1
        try scene.send(Draft { $0.kind = .balanceEnquiry }.next(2))
        #expect(scene.available == 9_000)
        scene.now += 1
        try scene.send(Draft { $0.kind = .balanceEnquiry }.next(3))
        #expect(scene.available == 10_000)
        guard case .change("hold-expired", "1000", "7")? = scene.lines.first else {
            throw CardScene.Unexpected("\(scene.lines)")
        }
    }

    @Test func aHoldLivesLongerThanWhatIsKept() throws {
        var scene = try CardScene()
        try scene.send(
            Draft {
                $0.kind = .preAuthorisation
                $0.category = 7_011
            })
        for number in 100..<440 as Range<UInt32> {
            scene.now += 60
            try scene.send(
                Draft().next(number).with {
                    $0.minorUnits = 0
                    $0.numbers.sentAt = MonthClock.at(scene.now)
                    $0.numbers.localTime = MonthClock.at(scene.now)
                })
        }
        scene.now += 31 * 86_400
        try scene.send(Draft { $0.kind = .balanceEnquiry }.next(900))
        #expect(scene.available == 10_000)
    }

    @Test("A refund's money is nobody's to complete", arguments: [true, false])
    func refund(isAdvice: Bool) throws {
        var scene = try CardScene()
        let refund = Draft { $0.kind = .refund }
        try scene.send(refund)
        #expect(scene.available == 11_000)
        var completion = refund.completion(100, stan: 3)
        if isAdvice { completion.purpose = .advice(approved: true) }
        try scene.send(completion)
        #expect(scene.available == (isAdvice ? 10_900 : 11_000))
    }

    @Test func twoAdvicesWithOneATCAreNotEachOthersCompletion() throws {
        var scene = try CardScene()
        let advice = Draft { $0.entry = .chip(5, plastic: 1) }.advice()
        try scene.send(advice)
        let other = try scene.outcome(advice.next(2).with { $0.minorUnits = 1_500 })
        #expect(scene.available == 7_500 && other.trace.lines.contains { $0.reason.contains("flagged") })
    }

    @Test func balancesPastTwelveDigits() throws {
        var scene = try CardScene(9_999_999_999_999)
        let part = Draft {
            $0.allowsPart = true
            $0.minorUnits = Amount.minorUnitsMax
        }
        let enquiry = Draft { $0.kind = .balanceEnquiry }.next(2)
        let first = try scene.outcome(enquiry)
        #expect(first.balanceMinorUnits == 9_999_999_999_999)
        #expect(try scene.outcome(enquiry.again()).balanceMinorUnits == 9_999_999_999_999)
        #expect(try scene.send(part).declined == nil && scene.available == 9_000_000_000_000)
        // What does not fit moves nothing.
        var full = try CardScene(.max - 10)
        #expect(try full.send(Draft { $0.kind = .refund }).declined == .transactionAmountTooHigh)
        #expect(full.available == .max - 10)
    }

    @Test func aJumpOfAThousandATCsIsOneStep() throws {
        var scene = try CardScene()
        try scene.send(Draft { $0.entry = .chip(1, plastic: 1) })
        let jump = Draft { $0.entry = .chip(1_001, plastic: 1) }.next(2)
        #expect(try scene.send(jump).atc == .ahead)
        for atc in [2, 500, 1_000] as [UInt16] {
            #expect(
                try scene.send(Draft { $0.entry = .chip(atc, plastic: 1) }.next(UInt32(atc) + 9)).atc == .late
            )
        }
        #expect(try scene.send(Draft { $0.entry = .chip(2_002, plastic: 1) }.next(4)).atc == .outOfRange)
    }

    // MARK: - PIN

    @Test func withNoTriesLeftNothingIsCompared() throws {
        var scene = try CardScene()
        for number in 1...3 as ClosedRange<UInt32> {
            let result = try scene.send(Draft { $0.pin = 78 }.next(number))
            #expect(result.declined == (number < 3 ? .pinWrong : .pinTriesExceeded))
        }
        let asked = scene.pinQuestions
        for (number, pin) in [(4, 77), (5, 78)] as [(UInt32, UInt64)] {
            #expect(try scene.send(Draft { $0.pin = pin }.next(number)).declined == .pinTriesExceeded)
        }
        #expect(scene.pinQuestions == asked && scene.available == 10_000)
    }

    @Test(
        "Plastics with one PIN share one count, whoever clears it",
        arguments: ["right", "unblock", "import", "script"])
    func sharedTries(how: String) throws {
        var scene = try CardScene(numbers: [1, 2])
        let wrong = Draft {
            $0.entry = .chip(1, plastic: 1)
            $0.pin = 78
        }
        try scene.send(wrong)
        #expect(try scene.plastic(2).pinTriesUsed == 1)
        switch how {
        case "right": try scene.send(wrong.next(2).with { ($0.entry, $0.pin) = (.chip(1, plastic: 2), 77) })
        case "unblock": try scene.order(.unblockPIN(sequenceNumber: 2))
        case "import": try scene.order(.importCard(CardScene.definition(2, 10_000), forgettingATCs: false))
        default:
            let script = QueuedScript(identifier: 0, command: try #require(ScriptCommand(.pinUnblock)))
            try scene.order(.queueScript(script, sequenceNumber: 2))
            #expect(
                try scene.outcome(Draft { $0.entry = .chip(1, plastic: 2) }.next(2)).script?.identifier == 1)
            try scene.send(
                Draft {
                    $0.entry = .chip(2, plastic: 2)
                    $0.scriptResults = [0x20, 0, 0, 0, 1]
                }.next(3))
        }
        #expect(try scene.plastic(1).pinTriesUsed == 0 && scene.plastic(2).pinTriesUsed == 0)
    }

    // MARK: - Operators

    @Test func everyOrderHasALineInTheJournal() throws {
        var scene = try CardScene()
        let script = QueuedScript(identifier: 0, command: try #require(ScriptCommand(.pinUnblock)))
        let orders: [(OperatorOrder, String)] = [
            (.importCard(CardScene.definition(1, 5), forgettingATCs: false), "import"),
            (.importCard(CardScene.definition(2, 5), forgettingATCs: false), "import"),
            (.status(.lost, sequenceNumber: nil), "status"), (.status(.active, sequenceNumber: 1), "status"),
            (.unblockPIN(sequenceNumber: 1), "unblock-pin"), (.resetATC(sequenceNumber: 1), "reset-atc"),
            (.queueScript(script, sequenceNumber: 1), "script-queue"),
            (.withdrawScript(1, sequenceNumber: 1), "script-withdraw"),
        ]
        for (order, operation) in orders {
            try scene.order(order)
            guard case .change(operation, _, _)? = scene.lines.last else {
                throw CardScene.Unexpected("\(operation): \(scene.lines)")
            }
        }
    }

    @Test func whatLimitsCountBeginsAnewWithAnImport() throws {
        var scene = try CardScene()
        var limits = SpendingLimits(currency: CardScene.currency)
        limits.daily = Allowance(minorUnits: 3_000)
        scene.policy = CardPolicy(limits: limits)
        let before = Draft()
        try scene.send(before)
        try scene.order(.importCard(CardScene.definition(1, 10_000), forgettingATCs: false))
        for number in 1...3 as ClosedRange<UInt32> {
            #expect(try scene.send(Draft().next(number)).declined == nil)
        }
        // Its reversal gives back nothing of what was counted since.
        try scene.send(before.reversal())
        #expect(try scene.send(Draft().next(9)).declined == .dailyAmountExceeded)
    }

    @Test func aDecisionStandsOnWhatTheRecordSaysNow() throws {
        var scene = try CardScene()
        try scene.order(.status(.lost, sequenceNumber: nil))
        #expect(try scene.send(Draft()).declined == .cardLost)
        try scene.order(.status(.active, sequenceNumber: nil))
        try scene.order(.importCard(CardScene.definition(1, 10_000, 99), forgettingATCs: false))
        #expect(try scene.send(Draft { $0.pin = 77 }.next(2)).declined == .pinWrong)
        #expect(try scene.send(Draft { $0.pin = 99 }.next(3)).declined == nil)
    }
}
