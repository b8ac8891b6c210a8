internal import Foundation
internal import Glibc

/// Something that stops a campaign: a part that does not start, a file that cannot be read.
package struct CampaignError: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// A process that the campaign starts, kills and starts again. Its output goes to a file.
final class ChildProcess: @unchecked Sendable {
    // Sendable because the campaign alone touches it, one step after the other.
    private let command: [String]
    private let environment: [String: String]
    let logPath: String
    private var process: Process?

    init(_ command: [String], log: String, environment: [String: String] = [:]) {
        self.command = command
        self.environment = environment
        logPath = log
    }

    /// Nothing outlives the campaign, wherever it ended.
    deinit { signal(SIGKILL) }

    var isRunning: Bool { process?.isRunning ?? false }

    /// The log is begun anew.
    /// - Parameter more: arguments for this start only.
    func start(adding more: [String] = []) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command + more
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        guard FileManager.default.createFile(atPath: logPath, contents: nil),
            let log = FileHandle(forWritingAtPath: logPath)
        else {
            throw CampaignError("cannot write \(logPath)")
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        try ChildProcess.run(process)
        try? log.close()
        self.process = process
    }

    func signal(_ number: Int32) {
        if let process, process.isRunning { Glibc.kill(process.processIdentifier, number) }
    }

    /// Ends it as a power cut would, and waits until it is gone.
    func kill() {
        signal(SIGKILL)
        process?.waitUntilExit()
    }

    var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    /// Runs a command to its end.
    static func output(
        of command: [String], environment: [String: String] = [:]
    ) throws -> (status: Int32, text: String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        try run(process)
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    /// Threads that block signals hand that on to their children, which then could not be ended.
    private static func run(_ process: Process) throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }
}
