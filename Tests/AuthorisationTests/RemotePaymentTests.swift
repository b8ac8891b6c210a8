@testable import Authorisation
import EMV
import Testing

/// Payments without a card and without CVV2: what passes is named by the range, kind by kind.
@Suite struct RemotePaymentTests {
    private func policy(_ most: [RemoteKind: Int64], needsFirst: Bool = true) -> NonChipPolicy {
        var policy = NonChipPolicy(cardVerificationKey: KeyName("cvk"))
        policy.remote.most = most
        policy.remote.needsFirst = needsFirst
        return policy
    }

    /// The message that a finding of the check comes to, sent to a card.
    private func send(
        _ payment: RemotePayment?, _ minorUnits: Int64 = 1_000, kind: TransactionKind = .purchase,
        cvv2: UInt16? = nil,
        under policy: NonChipPolicy, stan: UInt32 = 7, _ scene: inout CardScene
    ) throws -> DeclineReason? {
        let draft = Draft {
            $0.kind = kind
            $0.minorUnits = minorUnits
            $0.remote = NonChipEvidence(entry: .cardNotPresent, printedValue: cvv2, remote: payment)
            $0.remotePolicy = policy
        }.next(stan)
        return try scene.send(draft).declined
    }

    @Test("What the range does not name does not pass", arguments: RemoteKind.allCases)
    func named(_ kind: RemoteKind) throws {
        var scene = try CardScene()
        let isRefund = kind == .refund
        let transaction: TransactionKind = isRefund ? .refund : .purchase
        let amount: Int64 = kind == .accountVerification ? 0 : 500
        let payment = RemotePayment(kind: kind)
        for other in RemoteKind.allCases where other != kind {
            let policy = policy([other: 1_000], needsFirst: false)
            #expect(
                try send(payment, amount, kind: transaction, under: policy, &scene) == .printedValueWrong,
                "\(other) let \(kind) pass")
        }
        let own = policy([kind: kind == .accountVerification ? 0 : 500], needsFirst: false)
        #expect(try send(payment, amount, kind: transaction, under: own, stan: 8, &scene) == nil)
        #expect(scene.available == 10_000 + (isRefund ? amount : -amount))
        #expect(
            try send(payment, amount + 1, kind: transaction, under: own, stan: 30, &scene)
                == .transactionAmountTooHigh)
    }

    @Test("No kind, no exemption; and a refund's is no purchase's")
    func unnamed() throws {
        var scene = try CardScene()
        let all = policy(Dictionary(uniqueKeysWithValues: RemoteKind.allCases.map { ($0, 10_000) }))
        #expect(try send(nil, under: all, &scene) == .printedValueWrong)
        #expect(try send(RemotePayment(kind: .refund), under: all, stan: 8, &scene) == .printedValueWrong)
    }

    @Test("A later payment names a first one that was approved, and the first needs CVV2")
    func series() throws {
        var scene = try CardScene()
        let policy = policy([.recurring: 2_000, .storedCredential: 500])
        let later = RemotePayment(kind: .recurring, reference: 77)
        #expect(try send(later, under: policy, &scene) == .firstPaymentUnknown)
        #expect(
            try send(RemotePayment(kind: .recurring), under: policy, stan: 8, &scene) == .firstPaymentUnknown)
        let first = RemotePayment(kind: .recurring, isFirst: true, reference: 77)
        #expect(try send(first, under: policy, stan: 9, &scene) == .printedValueWrong)
        #expect(try send(later, under: policy, stan: 40, &scene) == .firstPaymentUnknown)
        #expect(try send(first, cvv2: 0x123, under: policy, stan: 60, &scene) == nil)
        for stan in [80, 100, 120] as [UInt32] {
            #expect(try send(later, under: policy, stan: stan, &scene) == nil)
        }
        #expect(scene.available == 6_000)
        #expect(
            try send(RemotePayment(kind: .recurring, reference: 78), under: policy, stan: 140, &scene)
                == .firstPaymentUnknown)
        // Another kind has a bound of its own.
        #expect(
            try send(RemotePayment(kind: .storedCredential, reference: 77), under: policy, stan: 160, &scene)
                == .transactionAmountTooHigh)
        // A first one that was declined is none.
        let poor = RemotePayment(kind: .recurring, isFirst: true, reference: 90)
        #expect(try send(poor, 99_999, cvv2: 0x123, under: policy, stan: 180, &scene) == .insufficientFunds)
        #expect(
            try send(RemotePayment(kind: .recurring, reference: 90), under: policy, stan: 200, &scene)
                == .firstPaymentUnknown)
    }

    @Test("Of more series than are kept the longest unused one is forgotten")
    func bounded() {
        var agreements = Agreements([])
        for reference in 1...UInt64(Agreements.countMax) { agreements.use(reference, now: Int64(reference)) }
        agreements.use(1, now: 900)
        agreements.use(1_000, now: 901)
        #expect(agreements.has(1) && agreements.has(1_000) && !agreements.has(2) && agreements.has(3))
        let read = Agreements(agreements.content[...])
        #expect(read.list.count == Agreements.countMax && read.has(1_000))
    }

    @Test("CVV2 that came is looked at, whatever the kind")
    func printedValue() throws {
        let check = NonChipCheck(policy: policy([.mailOrder: 5_000]))
        let draft = Draft {
            $0.expiry = ExpiryDate(monthsSince2000: 12 * 30)
            $0.remote = NonChipEvidence(
                entry: .cardNotPresent, printedValue: 0x123, remote: RemotePayment(kind: .mailOrder))
        }
        guard case .askValue = check.prepare(try draft.asRequest()) else {
            Issue.record("CVV2 was passed over")
            return
        }
    }
}
