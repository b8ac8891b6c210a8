package import EMV

/// How a range verifies 3-D Secure authentication values.
package final class AuthenticationPolicy: Sendable {
    /// What a range has decided; the defaults are those of the configuration.
    package struct Terms: Sendable {
        /// How its values are made.
        package var form: AuthenticationValueForm
        /// AV-CVK or AV-HMAC for every key selector that `keys` does not name; nil: there is none for others.
        package var key: KeyName?
        /// By key selector.
        package var keys: [UInt16: KeyName] = [:]
        /// Electronic commerce without a value is declined.
        package var isRequired = false
        /// A value that says that an authentication was attempted is enough.
        package var acceptsAttempts = false
        /// The ACS puts the time into its numbers.
        package var numberIsTime = false
        /// How old a value may be, and how long a used one is kept.
        package var ageMaxSeconds: Int64 = 90 * 86_400
        /// How far an amount may be beside that which was authenticated.
        package var amountTolerancePercent: Int64 = 0
        /// Further payments of a series on one value.
        package var seriesMax: UInt16 = 0
        /// Indicators that claim that the cardholder was authenticated.
        package var authenticatedIndicators: Set<UInt8> = [0x05, 0x02]
        /// Indicators that claim that an authentication was attempted.
        package var attemptedIndicators: Set<UInt8> = [0x06, 0x01]
        /// Answers in place of the usual.
        package var answers: [AuthenticationOutcome: ConfiguredAnswer] = [:]

        /// Takes what has no default.
        package init(form: AuthenticationValueForm, key: KeyName?) {
            self.form = form
            self.key = key
        }
    }

    package let terms: Terms

    package init(_ terms: Terms) { self.terms = terms }

    /// What an indicator claims; nothing where it is none of the range's.
    func claim(_ indicator: UInt8?) -> AuthenticationStatus {
        guard let indicator else { return .notAuthenticated }
        if terms.authenticatedIndicators.contains(indicator) { return .authenticated }
        return terms.attemptedIndicators.contains(indicator) ? .attempted : .notAuthenticated
    }
}
