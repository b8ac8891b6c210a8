package import ArgumentParser
internal import ByteCoding
import Glibc

/// How every executable of this package begins and ends. Exit codes: 0, 1 (refused or failed), 64 (wrong usage).
///
/// The parser alone would print the usage of the root command behind each error that a command meets while it works,
/// and would call an unknown subcommand an unexpected argument.
package enum ProgramEntry {
    /// - Parameter arguments: without the program's own name.
    package static func run(_ root: any ParsableCommand.Type, _ arguments: [String]) {
        CrashReports.turnOff()
        let command = parsed(root, arguments)
        do {
            var command = command
            try command.run()
        } catch {
            end(root, error)
        }
    }

    /// The same for a program whose commands are asynchronous.
    package static func run(_ root: any AsyncParsableCommand.Type, _ arguments: [String]) async {
        CrashReports.turnOff()
        let command = parsed(root, arguments)
        do {
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                var command = command
                try command.run()
            }
        } catch {
            end(root, error)
        }
    }

    /// What was typed behind the program's name.
    package static var arguments: [String] { Array(CommandLine.arguments.dropFirst()) }

    private static func parsed(_ root: any ParsableCommand.Type, _ arguments: [String]) -> any ParsableCommand
    {
        if let unknown = UnknownSubcommand(root, arguments) {
            fail("\(unknown)", code: ExitCode.validationFailure.rawValue)
        }
        do {
            return try root.parseAsRoot(arguments)
        } catch {
            // Help and the version are errors to the parser.
            let code = root.exitCode(for: error)
            if code.isSuccess { root.exit(withError: error) }
            fail(withoutOverview(root.fullMessage(for: error), root), code: code.rawValue, prefix: "")
        }
    }

    /// Behind an error of a program that was given no argument at all, the parser prints the whole help: the usage is enough,
    /// as behind every other one.
    private static func withoutOverview(_ text: String, _ root: any ParsableCommand.Type) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(where: { $0.hasPrefix("OVERVIEW: ") }) else { return text }
        let usage = lines[start...].drop { !$0.hasPrefix("USAGE: ") }.prefix { !$0.isEmpty }
        return lines[..<start].filter { !$0.isEmpty }.joined(separator: "\n") + "\nUsage: "
            + usage.joined(separator: "\n").dropFirst("USAGE: ".count)
            + "\n  See '\(root._commandName) --help' for more information."
    }

    /// An error that a command met while it worked: what it says, and nothing else.
    private static func end(_ root: any ParsableCommand.Type, _ error: any Error) -> Never {
        // Help and the version are errors to the parser.
        if error is ExitCode || root.exitCode(for: error).isSuccess { root.exit(withError: error) }
        fail(root.message(for: error), code: root.exitCode(for: error).rawValue)
    }

    /// What was typed may stand in the text: nothing of it moves the cursor or colours the screen.
    private static func fail(_ text: String, code: Int32, prefix: String = "Error: ") -> Never {
        fflush(nil)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
            printable(String($0))
        }
        let line = Array("\(prefix)\(lines.joined(separator: "\n"))\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        exit(code)
    }
}

/// A word where a subcommand stands that is none of those there are.
struct UnknownSubcommand: CustomStringConvertible {
    let word: String
    let command: String
    let known: [String]

    /// Nil where every subcommand is known. No default subcommand here takes an argument, so any other word is a mistake.
    init?(_ root: any ParsableCommand.Type, _ arguments: [String]) {
        var command: any ParsableCommand.Type = root
        var path = [root._commandName]
        // `help cards` is help for `cards`.
        for argument in arguments.first == "help" ? arguments.dropFirst() : arguments[...] {
            let subcommands = command.configuration.subcommands
            guard !subcommands.isEmpty, !argument.hasPrefix("-"), argument != "help"
            else { return nil }
            guard let next = subcommands.first(where: { $0.names.contains(argument) }) else {
                word = argument
                self.command = path.joined(separator: " ")
                known = subcommands.filter { $0.configuration.shouldDisplay }.map { $0._commandName }.sorted()
                return
            }
            command = next
            path.append(next._commandName)
        }
        return nil
    }

    var description: String {
        "\(command) has no subcommand '\(word)'; it has \(known.joined(separator: ", "))"
    }
}

extension ParsableCommand {
    fileprivate static var names: [String] { [_commandName] + configuration.aliases }
}
