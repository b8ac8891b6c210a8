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
