extension IssuerConfiguration {
    /// How a range verifies 3-D Secure authentication values.
    package struct AuthenticationValue: Sendable {
        /// `cvv-atn`, `spa-hmac` or `spa2-hmac`.
        package var form: String
        /// Label of the key; nil: `keys` name them.
        package var key: String?
        /// `SELECTOR:LABEL`.
        package var keys: [String]
        /// Electronic commerce without a value is declined.
        package var required: Bool
        /// An attempt is enough.
        package var attempts: Bool
        /// The ACS numbers its values by the time.
        package var numberIsTime: Bool
        /// How old a value may be.
        package var ageMaxMinutes: Int
        /// How far the amount may differ.
        package var amountTolerancePercent: Int
        /// Further payments of a series on one value.
        package var seriesMax: Int
        /// Indicators that claim an authentication.
        package var eciAuthenticated: [String]
        /// Indicators that claim an attempt.
        package var eciAttempted: [String]
        /// `OUTCOME:DE39` or `OUTCOME:DE39:DE44`.
        package var answers: [String]

        /// Labels of all its keys.
        package var keyLabels: [String] {
            [key].compactMap(\.self)
                + keys.compactMap {
                    $0.split(separator: ":", maxSplits: 1).dropFirst().first.map(String.init)
                }
        }

        init(_ section: Section) throws(ConfigurationError) {
            form = try section.text("form")
            key = section.textIfThere("key")
            keys = try section.list("keys")
            required = try section.flag("required")
            attempts = try section.flag("attempts")
            numberIsTime = try section.flag("numberIsTime")
            ageMaxMinutes = try section.number("ageMaxMinutes")
            amountTolerancePercent = try section.number("amountTolerancePercent")
            seriesMax = try section.number("seriesMax")
            eciAuthenticated = try section.list("eciAuthenticated")
            eciAttempted = try section.list("eciAttempted")
            answers = try section.list("answers")
        }
    }

    /// Where a link has what 3-D Secure brings.
    package struct LinkAuthentication: Sendable {
        /// Number of the data element with the value.
        package var element: Int
        /// What stands before it there.
        package var offset: Int
        /// `raw`, `base64` or `hex`.
        package var encoding: String
        /// Number of the data element with the indicator.
        package var eciElement: Int?
        /// Characters before it there.
        package var eciOffset: Int
        /// Its digits.
        package var eciLength: Int
        /// `ELEMENT:OFFSET:TEXT`.
        package var recurring: [String]
        /// Characters of DE43.
        package var merchantNameLength: Int

        init(_ section: Section) throws(ConfigurationError) {
            element = try section.number("element")
            offset = try section.number("offset")
            encoding = try section.text("encoding")
            eciElement = section.numberIfThere("eciElement")
            eciOffset = try section.number("eciOffset")
            eciLength = try section.number("eciLength")
            recurring = try section.list("recurring")
            merchantNameLength = try section.number("merchantNameLength")
        }
    }
}
