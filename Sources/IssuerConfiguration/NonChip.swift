extension IssuerConfiguration {
    /// What a range lets pass without a chip. A range without a card verification key lets nothing pass.
    package struct NonChip: Sendable {
        /// Label of the CVK.
        package var cardVerificationKey: String
        /// Digits of track 2 between service code and CVV: five, a PIN key index and a PVV, by default.
        package var stripeValueOffset: Int
        /// The stripe of a card without a chip; allowed by default.
        package var magneticStripe: Bool
        /// The stripe of a card with a chip; not allowed by default.
        package var fallback: Bool
        /// Without a card, with CVV2; allowed by default.
        package var cardNotPresent: Bool
        /// `none` (by default), `dcvv` or `cvc3`.
        package var contactlessStripe: String
        /// Label of its issuer master key.
        package var contactlessStripeKey: String?
        /// Where its digits stand.
        package var contactlessStripePlaces: String?
        /// `KIND:MOST`: what passes without CVV2.
        package var withoutCVV2: [String]
        /// `required` (by default) or `ignored`.
        package var firstPayment: String
        /// `YYMM` (by default) or `MMYY`: the expiry date as CVV2 is made over it.
        package var printedValueDate: String

        init(_ section: Section) throws(ConfigurationError) {
            cardVerificationKey = try section.text("cardVerificationKey")
            stripeValueOffset = try section.number("stripeValueOffset")
            magneticStripe = try section.flag("magneticStripe")
            fallback = try section.flag("fallback")
            cardNotPresent = try section.flag("cardNotPresent")
            contactlessStripe = try section.text("contactlessStripe")
            contactlessStripeKey = section.textIfThere("contactlessStripeKey")
            contactlessStripePlaces = section.textIfThere("contactlessStripePlaces")
            withoutCVV2 = try section.list("withoutCVV2")
            firstPayment = try section.text("firstPayment")
            printedValueDate = try section.text("printedValueDate")
        }
    }
}
