/// Payments without the card and without CVV2: what bounds them, and the first one that they rest on.
extension CardTransition {
    /// Why a payment must not pass in place of CVV2, nil where it may.
    @inline(never)
    mutating func remoteDecline(_ exemption: RemoteExemption, _ request: AuthorisationRequest)
        -> DeclineReason?
    {
        let payment = exemption.payment
        if exemption.needsFirst {
            let agreements = Agreements(record.content(.agreements))
            guard payment.reference != 0, agreements.has(payment.reference) else {
                trace.add(
                    .entryMode, .declined,
                    reason: payment.reference == 0
                        ? "\(payment.kind.words) that names no first payment"
                        : "\(payment.kind.words) whose first payment is not known")
                return .firstPaymentUnknown
            }
        }
        let amount = payable(request)
        guard amount.minorUnits <= exemption.most else {
            trace.add(.limits, .declined, reason: "\(amount), \(payment.kind.words) without CVV2")
            return .transactionAmountTooHigh
        }
        return nil
    }

    /// An approved payment is the first of others, or one of them.
    @inline(never)
    mutating func noteAgreement(_ payment: RemotePayment) {
        guard payment.kind.hasFirst, payment.reference != 0 else { return }
        var agreements = Agreements(record.content(.agreements))
        guard payment.isFirst || agreements.has(payment.reference) else { return }
        agreements.use(payment.reference, now: now)
        record.set(.agreements, agreements.content)
    }
}

extension CardTransition {
    /// The counter of a contactless magnetic stripe, in the window of its plastic.
    @inline(never)
    mutating func claimATC(
        _ onTrack: ATCOnTrack, plastic index: Int, kept: inout KeptTransaction
    ) -> ATCFinding {
        let atc = onTrack.atc(highest: record.plastic(index).highestATC)
        kept.atc = atc
        kept.flags.insert(.hasATC)
        return claimATC(atc, plastic: index)
    }
}
