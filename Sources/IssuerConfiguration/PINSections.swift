extension IssuerConfiguration {
    /// How PINs of one issuer's cards are verified: `issuers.NAME.pin`.
    package struct IssuerPINs: Sendable {
        /// `reference`, `pvv`, or a way that is refused by name.
        package var verification: String
        /// PVKI of the verification values, 0 to 9.
        package var keyIndex: Int
        /// Whether a malformed PIN block counts as a wrong PIN.
        package var countsMalformed: Bool

        init(_ section: Section) throws(ConfigurationError) {
            verification = try section.text("verification")
            keyIndex = try section.number("keyIndex")
            countsMalformed = try section.flag("countsMalformed")
        }
    }

    /// How PIN blocks come on one link: `links.NAME.pin`, beside `zonePINKey`.
    package struct LinkPINs: Sendable, Equatable {
        /// ISO 9564 format where DE53 does not say it or is absent: 0, 1, 3 or 4.
        package var format: Int
        /// Label of the AES zone PIN key; needed for format 4.
        package var aesKey: String?
        /// Digits 5 and 6 of DE53 and the format that they stand for, as `01:0`; empty: DE53 is not looked at.
        package var formatCodes: [String]

        init(_ section: Section) throws(ConfigurationError) {
            // The schema knows four digits.
            format = Int(try section.text("format")) ?? 0
            aesKey = section.textIfThere("aesKey")
            formatCodes = try section.list("formatCodes")
        }
    }
}
