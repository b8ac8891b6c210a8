internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import KeyManagement

/// A process of this program that looks at keys of an audit. Over its pipes go lines of JSON, nothing secret among them; it
/// finds the token's PIN where this process does.
final class AuditHelperProcess: AuditHelper {
    private let process = Process()
    private let (input, output) = (Pipe(), Pipe())

    /// - Parameter config: the configuration file.
    init(config: String) throws {
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["audit-share", "--config", config]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        // The process's own ends alone: its end is the end of what can be read.
        try input.fileHandleForReading.close()
        try output.fileHandleForWriting.close()
    }

    func answer(_ request: Data) throws -> Data {
        try input.fileHandleForWriting.write(contentsOf: request + [AuditShareCommand.lineEnd])
        var answer = Data()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while answer.last != AuditShareCommand.lineEnd {
            let count = read(output.fileHandleForReading.fileDescriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw CocoaError(.fileReadUnknown) }
            answer += buffer.prefix(count)
        }
        return answer
    }

    func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}

/// What a helper runs.
struct AuditShareCommand: ParsableCommand {
    static let lineEnd = UInt8(ascii: "\n")
    static let configuration = CommandConfiguration(
        commandName: "audit-share", abstract: "A part of `audit`, for that command alone.",
        shouldDisplay: false)

    @OptionGroup var token: TokenOption

    func run() throws {
        var work = try AuditHelperWork(at: token.desk().location)
        while let request = readLine() {
            try FileHandle.standardOutput.write(
                contentsOf: work.answer(Data(request.utf8)) + [Self.lineEnd])
        }
    }
}
