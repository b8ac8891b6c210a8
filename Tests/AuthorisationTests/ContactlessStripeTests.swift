@testable import Authorisation
import EMV
import Testing

/// Contactless magnetic stripe: what track 2 has to have, and its counter in the window.
@Suite struct ContactlessStripeTests {
    private static let track = ContactlessTrack(
        valuePositions: 0x0E00, numberPositions: 0x01FE, atcDigits: 4)!

    private func policy(_ form: ContactlessStripe.Form?) -> NonChipPolicy {
        var policy = NonChipPolicy(cardVerificationKey: KeyName("cvk"))
        policy.contactlessStripe = form.map {
            ContactlessStripe(issuerMasterKey: KeyName("imk"), masterKeyOption: .a, form: $0)
        }
        return policy
    }

    /// - Parameter digits: the discretionary data.
    private func draft(_ digits: String, _ policy: NonChipPolicy, stan: UInt32 = 7) -> Draft {
        let bcd = digits.utf8.reduce(UInt64(0)) { $0 << 4 | UInt64($1 - 0x30) }
        return Draft {
            $0.entry = .none
            $0.remote = NonChipEvidence(
                entry: .contactlessStripe, stripeExpiry: 0x3012, serviceCode: 0x201,
                discretionary: bcd << UInt64(4 * (16 - digits.utf8.count)),
                discretionaryCount: digits.utf8.count)
            $0.remotePolicy = policy
        }.next(stan)
    }

    @Test func aboveTenThousand() {
        #expect(ATCOnTrack.lastFour(3).atc(highest: 9_998) == 10_003)
        #expect(ATCOnTrack.lastFour(9_999).atc(highest: 9_998) == 9_999)
        #expect(ATCOnTrack.lastFour(12).atc(highest: nil) == 12)
        #expect(ATCOnTrack.lastFour(5_535).atc(highest: 65_534) == 65_535)
        #expect(ATCOnTrack.lastFour(5_534).atc(highest: 65_535) == 65_534)
        #expect(ATCOnTrack.lastFour(9_998).atc(highest: 10_003) == 9_998)
        #expect(ATCOnTrack.lastFour(5).atc(highest: 2_052) == 5)
        #expect(ATCOnTrack.lastFour(5).atc(highest: 2_053) == 10_005)
        #expect(ATCOnTrack.whole(77).atc(highest: 900) == 77)
    }

    @Test(
        "CVC3: value, number and counter are read from their places, and every counter that fits is asked for"
    )
    func cvc3() throws {
        let check = NonChipCheck(policy: policy(.cvc3(Self.track)))
        // CVC3 in positions 9 to 11, ATC in 5 to 8, four digits of the number in 1 to 4, and how many at the end.
        let request = try draft("0" + "464" + "0123" + "9876" + "4", check.policy).asRequest()
        guard case .askValue(let question, _) = check.prepare(request), let dynamic = question.dynamic,
            case .cvc3(_, let number, let atcs, let digits) = dynamic.form
        else {
            Issue.record("no question")
            return
        }
        #expect(dynamic.value == 464 && digits == 3 && number == 0x9876)
        #expect(atcs == [123, 10_123, 20_123, 30_123, 40_123, 50_123, 60_123])
        #expect(NonChipCheck.atc(question, 2) == .whole(20_123))
        // Another number of digits than there are places for is no such track.
        let other = try draft("0" + "464" + "0123" + "9876" + "3", check.policy).asRequest()
        guard case .decline(.cardValueMissing, _) = check.prepare(other) else {
            Issue.record("taken for a track")
            return
        }
    }

    /// PVV and its key index, dCVV, and four digits of the counter.
    private func counted(_ atc: Int, _ stan: UInt32) -> Draft {
        let digits = String(10_000 + atc % 10_000).dropFirst()
        return draft("10000" + "123" + digits, policy(.dcvv(valueOffset: 5, atcOffset: 8)), stan: stan)
    }

    @Test(
        "The counter of dCVV is claimed in the window of the plastic, once, beside those of its cryptograms")
    func counter() throws {
        var scene = try CardScene()
        func send(_ atc: Int, _ stan: UInt32) throws -> CommitResult { try scene.send(counted(atc, stan)) }
        let first = try send(5, 10)
        #expect(first.declined == nil && first.atc == .first && scene.available == 9_000)
        // The same message again is a repeat; the same counter in another one a copy.
        let again = try scene.send(counted(5, 10).again())
        #expect(again.repeated && again.declined == nil && scene.available == 9_000)
        #expect(try send(5, 30).declined == .atcReplayed)
        #expect(try send(9, 50).atc == .ahead)
        let late = try send(7, 70)
        #expect(late.declined == nil && late.atc == .late)
        #expect(try send(7, 90).declined == .atcReplayed)
        // A cryptogram's counter and a stripe's are one.
        let chip = Draft {
            $0.entry = .chip(10, plastic: 1)
            $0.minorUnits = 0
        }.next(110)
        #expect(try scene.send(chip).declined == nil)
        #expect(try send(10, 130).declined == .atcReplayed)
        let spent = Draft {
            $0.entry = .chip(9, plastic: 1)
            $0.minorUnits = 0
        }.next(150)
        #expect(try scene.send(spent).declined == .atcReplayed)
        #expect(scene.available == 7_000)
    }

    @Test(
        "Four digits stand for the counter above the highest; what is too far ahead is refused and not claimed"
    )
    func wrapped() throws {
        var scene = try CardScene()
        let high = Draft {
            $0.entry = .chip(9_998, plastic: 1)
            $0.minorUnits = 0
        }.next(10)
        #expect(try scene.send(high).declined == nil)
        #expect(try scene.send(counted(10_003, 30)).declined == nil)
        #expect(try scene.plastic(1).highestATC == 10_003)
        #expect(try scene.send(counted(10_003, 50)).declined == .atcReplayed)
        // 12,500 is too far ahead, 8,000 late and not seen, 7,000 older than the window and 17,000 too far ahead.
        #expect(try scene.send(counted(12_500, 55)).declined == .atcOutOfRange)
        #expect(try scene.send(counted(8_000, 60)).atc == .late)
        #expect(try scene.send(counted(7_000, 65)).declined == .atcOutOfRange)
        #expect(try scene.plastic(1).highestATC == 10_003)
        #expect(try scene.send(counted(10_004, 70)).declined == nil)
    }

    @Test("A value that the token finds wrong claims nothing")
    func forged() throws {
        var scene = try CardScene()
        #expect(try scene.send(counted(5, 10)).declined == nil)
        let before = try scene.plastic(1).highestATC
        let forged = Draft { $0.entry = .badStripe }.next(30)
        #expect(try scene.send(forged).declined == .cardValueWrong)
        #expect(try scene.plastic(1).highestATC == before)
        #expect(try scene.send(counted(6, 50)).declined == nil)
    }

    @Test("Places that overlap or leave less than three digits are no track that can be relied on")
    func places() {
        #expect(ContactlessTrack(valuePositions: 0x0E01, numberPositions: 0x01F0, atcDigits: 4) == nil)
        #expect(ContactlessTrack(valuePositions: 0x0E00, numberPositions: 0x0FF0, atcDigits: 4) == nil)
        #expect(ContactlessTrack(valuePositions: 0x0E00, numberPositions: 0x0030, atcDigits: 4) == nil)
        #expect(
            ContactlessTrack(valuePositions: 0x0600, numberPositions: 0x01FE, atcDigits: 4)?.isStrong == false
        )
        #expect(Self.track.isStrong)
    }
}
