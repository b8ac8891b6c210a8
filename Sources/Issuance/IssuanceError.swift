/// Something of issuance that could not be done. Names the key, file or card at fault, never holds key material.
package struct IssuanceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The key, file or field.
    package let subject: String
    /// Why.
    package let reason: String

    /// Takes both.
    package init(_ subject: String, _ reason: String) {
        self.subject = subject
        self.reason = reason
    }

    /// One line for people.
    package var description: String { "\(subject): \(reason)" }
}
