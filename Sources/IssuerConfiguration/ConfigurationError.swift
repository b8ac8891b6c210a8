/// A configuration that cannot be used. Names file, line and key.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    public let description: String

    init(_ description: String) { self.description = description }
}
