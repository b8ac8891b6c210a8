/// A configuration that cannot be used. Names file, line and key.
package struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String

    init(_ description: String) { self.description = description }
}
