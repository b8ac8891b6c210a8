import Foundation

/// A host beside the environment's own.
final class HostProcess {
    private let process = Process()
    private let output = Pipe()

    init(configuration: String) throws {
        process.executableURL = URL(fileURLWithPath: DemoEnvironment.executable("issuer-host"))
        process.arguments = ["serve", "--config", configuration]
        process.standardOutput = output
        process.standardError = output
        try DemoEnvironment.start(process)
        var text = ""
        while !text.contains("ready:") {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else {
                throw DemoEnvironment.Failure(description: "a host beside the environment's: \(text)")
            }
            text += String(decoding: data, as: UTF8.self)
        }
    }

    func stop() {
        if process.isRunning { process.terminate() }
        _ = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
    }
}
