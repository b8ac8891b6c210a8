import Foundation
import Glibc

/// A program at a terminal of its own, and somebody who reads its screen and types.
final class Pseudoterminal {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let process = Process()
    private let master: Int32
    /// All that was on the screen, what the terminal echoed included.
    private(set) var screen = ""
    private var read = "".startIndex

    /// - Parameter name: one of the project's executables.
    init(_ name: String, _ arguments: [String], variables: [String: String] = [:]) throws {
        var slave: Int32 = -1
        var master: Int32 = -1
        guard openpty(&master, &slave, nil, nil, nil) == 0 else {
            throw Failure(description: "no pseudo-terminal")
        }
        self.master = master
        let handle = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
        process.executableURL = URL(fileURLWithPath: DemoEnvironment.executable(name))
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        process.standardInput = handle
        process.standardOutput = handle
        process.standardError = handle
        try DemoEnvironment.start(process)
        // The program alone has the terminal then, and its end is the end of what can be read.
        try handle.close()
    }

    deinit {
        if process.isRunning { process.terminate() }
        close(master)
    }

    /// Waits until the screen shows the words, after all that was waited for before.
    func expect(_ words: String, seconds: Int = 60) throws {
        let end = Date().addingTimeInterval(TimeInterval(seconds))
        while true {
            if let found = screen[read...].range(of: words) {
                read = found.upperBound
                return
            }
            guard receive(until: end) else {
                throw Failure(description: "no \"\(words)\" on the screen after: \(screen.suffix(600))")
            }
        }
    }

    /// Types a line.
    func type(_ line: String) throws { try send(Array((line + "\n").utf8)) }

    /// Ends the program as a power cut would.
    func cutOff() { kill(process.processIdentifier, SIGKILL) }

    /// Ctrl-C.
    func interrupt() throws { try send([3]) }

    /// Answers a prompt.
    func answer(_ prompt: String, _ line: String) throws {
        try expect(prompt)
        try type(line)
    }

    /// Waits for the end.
    func finish(seconds: Int = 60) -> Int32 {
        let end = Date().addingTimeInterval(TimeInterval(seconds))
        while receive(until: end) {}
        process.waitUntilExit()
        return process.terminationStatus
    }

    private func send(_ bytes: [UInt8]) throws {
        guard write(master, bytes, bytes.count) == bytes.count else {
            throw Failure(description: "the program does not read")
        }
    }

    /// False at the end of the program, or of the time.
    private func receive(until end: Date) -> Bool {
        let left = end.timeIntervalSinceNow
        guard left > 0 else { return false }
        var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, Int32(left * 1_000)) == 1 else { return false }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        // The last program to close the other side makes this an error.
        let count = Glibc.read(master, &buffer, buffer.count)
        guard count > 0 else { return false }
        let position = screen.distance(from: screen.startIndex, to: read)
        screen += String(decoding: buffer.prefix(count), as: UTF8.self).replacingOccurrences(
            of: "\r\n", with: "\n")
        read = screen.index(screen.startIndex, offsetBy: position)
        return true
    }
}
