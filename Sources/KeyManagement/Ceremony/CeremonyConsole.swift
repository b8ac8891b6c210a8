package import ByteCoding

/// What went wrong at the table. Names custodian, component or file; never holds a value.
package enum CeremonyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// In words.
    case fault(String)
    /// A passphrase that does not open its custodian's file.
    case wrongPassphrase(custodian: Int, name: String)
    /// The person at the terminal broke off, or the terminal is gone.
    case interrupted

    init(_ words: String) { self = .fault(words) }

    /// One line for people.
    package var description: String {
        switch self {
        case .fault(let words): words
        case .wrongPassphrase(let custodian, let name):
            "wrong passphrase for the file of custodian \(custodian), \(name), or its head was altered"
        case .interrupted: "broken off; start the same command again to go on"
        }
    }
}

/// Where the people of a ceremony read and type.
package protocol CeremonyConsole {
    /// Shows a line.
    func say(_ line: String)
    /// Asks for a line.
    func ask(_ prompt: String) throws(CeremonyError) -> String
    /// Asks for a line that is not shown while it is typed.
    func askSecret(_ prompt: String) throws(CeremonyError) -> SecretBytes
}
