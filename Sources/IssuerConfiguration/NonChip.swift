extension IssuerConfiguration {
    /// What a range lets pass without a chip. A range without a card verification key lets nothing pass.
    public struct NonChip: Sendable {
        /// Label of the CVK.
        public var cardVerificationKey: String
        /// Digits of track 2 between service code and CVV: five, a PIN key index and a PVV, by default.
        public var stripeValueOffset: Int
        /// The stripe of a card without a chip; allowed by default.
        public var magneticStripe: Bool
        /// The stripe of a card with a chip; not allowed by default.
        public var fallback: Bool
        /// Without a card, with CVV2; allowed by default.
        public var cardNotPresent: Bool
        /// `YYMM` (by default) or `MMYY`: the expiry date as CVV2 is made over it.
        public var printedValueDate: String

        init(_ section: Section) throws(ConfigurationError) {
            cardVerificationKey = try section.text("cardVerificationKey")
            stripeValueOffset = try section.number("stripeValueOffset")
            magneticStripe = try section.flag("magneticStripe")
            fallback = try section.flag("fallback")
            cardNotPresent = try section.flag("cardNotPresent")
            printedValueDate = try section.text("printedValueDate")
        }
    }
}
