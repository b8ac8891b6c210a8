import Foundation
import Glibc

/// A terminal emulator (tmux) with one program in it, on a server of its own.
final class TerminalEmulator {
    private let socket = "issuer-\(UInt32.random(in: .min ... .max))"

    /// - Parameters:
    ///   - command: for a shell.
    init(columns: Int, rows: Int, command: String) throws {
        try tmux(["new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", "bash --norc --noprofile"])
        // In two parts, so that the command's own echo is not taken for the prompt.
        try type("PS1='re''ady> '; \(command)", "Enter")
    }

    deinit { _ = try? tmux(["kill-server"]) }

    /// Keys by the emulator's names, or text.
    func type(_ keys: String...) throws { try tmux(["send-keys"] + keys) }

    /// What is on the screen.
    func screen() throws -> String { try tmux(["capture-pane", "-p"]) }

    /// The program has the alternate screen.
    func isFullScreen() throws -> Bool {
        try tmux(["display-message", "-p", "#{alternate_on}"]).hasPrefix("1")
    }

    func resize(columns: Int, rows: Int) throws {
        try tmux(["resize-window", "-x", "\(columns)", "-y", "\(rows)"])
    }

    /// The process in the foreground, by the shell's own account of its child.
    func foregroundProcess() throws -> Int32? {
        let shell = try tmux(["display-message", "-p", "#{pane_pid}"]).trimmingCharacters(in: .newlines)
        let children = try String(contentsOfFile: "/proc/\(shell)/task/\(shell)/children", encoding: .utf8)
        return children.split(separator: " ").first.flatMap { Int32($0) }
    }

    /// Waits until the screen shows all of these.
    /// - Returns: the screen, for a test's message; it holds the texts unless ten seconds have passed.
    func wait(for texts: String...) throws -> String {
        var screen = ""
        for _ in 0..<500 {
            screen = try self.screen()
            if texts.allSatisfy(screen.contains) { return screen }
            usleep(20_000)
        }
        throw DemoEnvironment.Failure(description: "\(texts) did not show up on:\n\(screen)")
    }

    @discardableResult
    private func tmux(_ arguments: [String]) throws -> String {
        let file = FileHandle(fileDescriptor: try temporaryFile(), closeOnDealloc: true)
        let client = try ChildProcess(
            ["tmux", "-L", socket, "-f", "/dev/null", "-u"] + arguments,
            environment: ["LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"],
            descriptors: [STDIN_FILENO, file.fileDescriptor, file.fileDescriptor])
        let status = client.wait()
        try file.seek(toOffset: 0)
        let text = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
        guard status == 0 else {
            throw DemoEnvironment.Failure(description: "tmux \(arguments): \(text)")
        }
        return text
    }

    /// No pipe: the server that the first call starts would keep it open.
    private func temporaryFile() throws -> Int32 {
        var template = Array("\(NSTemporaryDirectory())/\(socket)-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw DemoEnvironment.Failure(description: "no temporary file") }
        unlink(template)
        return descriptor
    }
}
