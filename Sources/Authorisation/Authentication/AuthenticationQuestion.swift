package import EMV

/// An authentication value as it was sent, for the token to prove. A class: most requests have none, and those that do
/// not shall not carry its size.
package final class AuthenticationQuestion: Sendable {
    /// Of the card's range.
    package let key: KeyName
    /// The value.
    package let value: AuthenticationValue

    /// Takes both.
    package init(key: KeyName, value: AuthenticationValue) {
        self.key = key
        self.value = value
    }
}

/// What the token said of an authentication value.
package enum AuthenticationAnswer: UInt8, Sendable {
    /// None was sent in.
    case notAsked
    /// It is not what the key makes of it. Compared in constant time.
    case differs
    /// It is the issuer's own.
    case matches
}
