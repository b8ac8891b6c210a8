internal import ArgumentParser

/// What a command refuses or fails at, however well it was typed: a file that is missing or damaged, a key that is not there,
/// a policy that says no. Exit code 1; `ValidationError`, exit code 64, is for the words of the command line alone.
package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Reads words of the command line by a function that other callers have, too: what it throws is about the words.
///
/// - Parameter option: that the words stand behind, such as `--subject`; nil for an argument, whose error names it.
/// - Throws: `ValidationError`.
package func commandWords<Result>(
    _ option: String? = nil, _ body: () throws -> Result
) throws -> Result {
    do { return try body() } catch {
        throw ValidationError((option.map { "\($0): " } ?? "") + "\(error)")
    }
}
