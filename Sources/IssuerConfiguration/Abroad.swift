extension IssuerConfiguration {
    /// Transactions in another currency than the account's.
    package struct Abroad: Sendable {
        /// The issuer's own rates; nil: it has none.
        package var rates: String?
        /// `decline` or `flag`: a DE6 that is not what DE10 makes of DE4.
        package var rateDifference: String

        init(_ section: Section) throws(ConfigurationError) {
            rates = section.fileIfThere("rates")
            rateDifference = try section.text("rateDifference")
        }
    }
}
