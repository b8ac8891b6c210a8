/// Something of issuance that could not be done. Names the key, file or card at fault, never holds key material.
public struct IssuanceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The key, file or field.
    public let subject: String
    /// Why.
    public let reason: String

    /// Takes both.
    public init(_ subject: String, _ reason: String) {
        self.subject = subject
        self.reason = reason
    }

    /// One line for people.
    public var description: String { "\(subject): \(reason)" }
}
