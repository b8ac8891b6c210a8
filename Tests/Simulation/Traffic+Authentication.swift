internal import Authorisation
internal import EMV

/// Web shops with 3-D Secure, in every eighth seed: new values, and values that somebody uses again, at once or later, for
/// another payment. Nothing is drawn from the seed for it, so that all other seeds stay what they were.
extension Traffic {
    /// Turns some of what came without a chip into such a shop's request.
    func authenticated(_ deal: Deal) -> Deal {
        guard plan.hasAuthentication, deal.pin == nil, deal.entry == .typed || deal.entry == .stripe else {
            return deal
        }
        var deal = deal
        deal.entry = .typed
        (deal.isCloned, deal.hidesExpiry, deal.isHolderVerified) = (false, false, true)
        let last = deals.last { $0.account == deal.account && $0.authentication != nil }?.authentication
        deal.authentication = deal.number % 3 != 0 ? last ?? deal.number + 1 : deal.number + 1
        return deal
    }
}

extension Deal {
    /// What the shop sends of it; nil: nothing.
    var authenticationEvidence: AuthenticationEvidence? {
        guard let authentication else { return nil }
        let draft = AuthenticationValueDraft(.cvvWithTrackingNumber, number: UInt64(authentication))
        let value = draft.value(proof: isForged ? 0x666 : SimulatedPort.authenticationProof)
        return AuthenticationEvidence(
            value: value.map { .bytes($0.encoded) } ?? .none, indicator: 0x05, isElectronicCommerce: true,
            isRecurring: false, merchant: [])
    }
}
