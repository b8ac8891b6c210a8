import Foundation
import Glibc
import SocketSupport

/// A host beside the environment's own.
final class HostProcess {
    private let process = Process()
    private let output = Pipe()
    private(set) var text = ""

    /// - Parameter variables: of the environment, beside those of this process.
    init(configuration: String, variables: [String: String] = [:]) throws {
        process.executableURL = URL(fileURLWithPath: DemoEnvironment.executable("issuer-host"))
        process.arguments = ["serve", "--config", configuration]
        process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        process.standardOutput = output
        process.standardError = output
        try DemoEnvironment.start(process)
        try waitUntil(says: "ready:")
    }

    /// Everything that it has said so far, once that contains these words; throws when it ends before.
    func waitUntil(says words: String) throws {
        while !text.contains(words) {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else {
                throw DemoEnvironment.Failure(description: "never said \(words): \(text)")
            }
            text += String(decoding: data, as: UTF8.self)
        }
    }

    /// Of the system.
    var identifier: Int32 { process.processIdentifier }

    /// Has it read its configuration again.
    func reload() { kill(process.processIdentifier, SIGHUP) }

    func stop() {
        if process.isRunning { process.terminate() }
        text += String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
    }
}

extension DemoEnvironment {
    /// The configuration for a host beside its own, on the same token and store.
    /// - Returns: the file's text, and its ports: link a, link b, admin.
    func configurationBeside() throws -> (text: String, ports: [UInt16]) {
        let ports = [try freePort(), try freePort(), try freePort()]
        var text = try String(contentsOfFile: configuration, encoding: .utf8)
        for (old, new) in zip([portA, portB, adminPort], ports) {
            text = text.replacingOccurrences(of: "port: \(old)", with: "port: \(new)")
        }
        return (text, ports)
    }
}
