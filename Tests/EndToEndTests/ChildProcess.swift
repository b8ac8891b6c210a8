import Foundation
import Glibc

/// A process that gets exactly the descriptors that it is given. `Process` gives its children one of its own to
/// see when they end, which daemons and browsers keep open for ever.
final class ChildProcess {
    let pid: Int32
    private var status: Int32?
    private static let descriptorsMax: Int32 = 1_024

    /// - Parameters:
    ///   - arguments: the program, looked for in PATH, and its arguments.
    ///   - descriptors: those of this process that it gets, in the order of its own from 0.
    init(_ arguments: [String], environment: [String: String] = [:], descriptors: [Int32]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // First out of the way, so that no descriptor is overwritten before it is copied.
        let parked = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 64) }
        defer { for descriptor in parked { close(descriptor) } }
        for (number, descriptor) in parked.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        // Closing what is not open is no error.
        for number in Int32(descriptors.count)..<ChildProcess.descriptorsMax {
            posix_spawn_file_actions_addclose(&actions, number)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Threads of the test runner block every signal.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let merged = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var words = arguments.map { strdup($0) } + [nil]
        var variables = merged.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var pid: Int32 = 0
        let code = posix_spawnp(&pid, arguments[0], &actions, &attributes, &words, &variables)
        guard code == 0 else {
            throw DemoEnvironment.Failure(
                description: "\(arguments[0]) cannot be started: \(String(cString: strerror(code)))")
        }
        self.pid = pid
    }

    /// Waits for the end.
    @discardableResult
    func wait() -> Int32 {
        if let status { return status }
        var raw: Int32 = 0
        while waitpid(pid, &raw, 0) < 0, errno == EINTR {}
        let code = raw & 0x7F == 0 ? raw >> 8 & 0xFF : 128 + raw & 0x7F
        status = code
        return code
    }

    /// Ends it, if it has not ended.
    func stop() {
        guard status == nil else { return }
        kill(pid, SIGKILL)
        wait()
    }

    deinit { stop() }
}
