internal import Configuration

extension IssuerConfiguration {
    /// How PINs of one issuer's cards are verified: `issuers.NAME.pin`.
    public struct IssuerPINs: Sendable {
        /// `reference`, `pvv`, or a way that is refused by name.
        public var verification: String
        /// PVKI of the verification values, 0 to 9.
        public var keyIndex: Int
        /// Whether a malformed PIN block counts as a wrong PIN.
        public var countsMalformed: Bool

        init(_ reader: ConfigReader) {
            verification = reader.string(forKey: "verification", default: "reference")
            keyIndex = reader.int(forKey: "keyIndex", default: 1)
            countsMalformed = reader.bool(forKey: "countsMalformed", default: false)
        }
    }

    /// How PIN blocks come on one link: `links.NAME.pin`, beside `zonePINKey`.
    public struct LinkPINs: Sendable, Equatable {
        /// ISO 9564 format where DE53 does not say it or is absent: 0, 1, 3 or 4.
        public var format: Int
        /// Label of the AES zone PIN key; needed for format 4.
        public var aesKey: String?
        /// Digits 5 and 6 of DE53 and the format that they stand for, as `01:0`; empty: DE53 is not looked at.
        public var formatCodes: [String]

        init(_ reader: ConfigReader) {
            format = reader.int(forKey: "format", default: 0)
            aesKey = reader.string(forKey: "aesKey")
            formatCodes = reader.stringArray(forKey: "formatCodes", default: [])
        }
    }
}
