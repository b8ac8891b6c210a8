internal import Foundation

/// The issuer's own program, with which scenarios change a card between two transactions: `issuer-host`, or anything
/// that takes the same arguments.
package struct IssuerDesk: Sendable {
    private let program: String
    private let configuration: String?

    /// - Parameters:
    ///   - program: path of an executable.
    ///   - configuration: goes along as `--config`; nil for none.
    package init(program: String, configuration: String?) {
        self.program = program
        self.configuration = configuration
    }

    /// The `issuer-host` that lies beside this program; nil where there is none.
    package init?(besideThisProgramWith configuration: String) {
        guard let folder = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent()
        else { return nil }
        let path = folder.appendingPathComponent("issuer-host").path
        guard FileManager.default.isExecutableFile(atPath: path) else { return nil }
        self.init(program: path, configuration: configuration)
    }

    /// Runs a command and waits for its end.
    /// - Returns: what it prints.
    /// - Throws: `StepError` with what it says, if it ends with another status than 0.
    func run(_ arguments: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments + (configuration.map { ["--config", $0] } ?? [])
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        do { try process.run() } catch { throw StepError("\(program) cannot be run") }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard process.terminationStatus == 0 else { throw StepError("the issuer's program: \(text)") }
        return text
    }

    /// Imports one card from a file that nobody else can read and that is gone afterwards.
    func importCard(_ card: [String: Any]) throws {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("card-\(UInt64.random(in: .min ... .max)).json").path
        let data = try JSONSerialization.data(withJSONObject: ["cards": [card]])
        guard
            FileManager.default.createFile(
                atPath: file, contents: data, attributes: [.posixPermissions: 0o600])
        else { throw StepError("\(file) cannot be written") }
        defer { try? FileManager.default.removeItem(atPath: file) }
        _ = try run(["cards", "import", file])
    }

    /// The record of a card as the issuer's file has it.
    static func record(of name: String, in path: String) throws -> [String: Any] {
        let data = FileManager.default.contents(atPath: path) ?? Data()
        let file = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        let cards = file?["cards"] as? [[String: Any]] ?? []
        guard let card = cards.first(where: { $0["name"] as? String == name }) else {
            throw StepError("\(path) has no card \(name)")
        }
        return card
    }
}
