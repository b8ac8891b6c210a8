internal import ArgumentParser
internal import Foundation
internal import KeyManagement

/// A process of this program that looks at a share of an audit's keys. Over its pipes goes nothing that is secret; it finds
/// the token's PIN where this process does.
struct AuditHelper: Sendable {
    /// The configuration file.
    let config: String

    /// - Parameters:
    ///   - share: what `audit-share` reads.
    ///   - progress: called after each key.
    /// - Returns: what it writes behind its dots, one for each key.
    func run(_ share: Data, progress: () -> Void) throws -> Data {
        let (process, input, output) = (Process(), Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["audit-share", "--config", config]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer { process.waitUntilExit() }
        try input.fileHandleForWriting.write(contentsOf: share)
        try input.fileHandleForWriting.close()
        var answer = Data()
        while let part = try output.fileHandleForReading.read(upToCount: 65_536), !part.isEmpty {
            let dots = answer.isEmpty ? part.prefix { $0 == AuditShareCommand.dot } : Data()
            for _ in dots { progress() }
            answer += part.dropFirst(dots.count)
        }
        return answer
    }
}

/// What a helper runs.
struct AuditShareCommand: ParsableCommand {
    static let dot = UInt8(ascii: ".")
    static let configuration = CommandConfiguration(
        commandName: "audit-share", abstract: "A part of `audit`, for that command alone.",
        shouldDisplay: false)

    @OptionGroup var token: TokenOption

    func run() throws {
        let share = try FileHandle.standardInput.readToEnd() ?? Data()
        let output = FileHandle.standardOutput
        let found = try KeyAudit.runShare(share, at: token.desk().location) { output.write(Data([Self.dot])) }
        try output.write(contentsOf: found)
    }
}
