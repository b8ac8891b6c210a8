internal import Glibc

/// Standard input and output cannot show a full screen.
package struct NoTTY: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line for people, with what to do instead.
    package let description: String

    init(_ reason: String) {
        description =
            "\(reason). Without a full-screen terminal, use `terminal-simulator purchase`, `run` or `web`; "
            + "--help lists them."
    }
}

/// What a signal handler needs: written before the handlers are set, only read after that.
private nonisolated(unsafe) var savedSettings = termios()
private nonisolated(unsafe) var wakeDescriptor: Int32 = -1
/// Leaves the alternate screen, shows the cursor, wraps lines again, plain text (xterm's control sequences).
private nonisolated(unsafe) let leaving: UnsafeMutableBufferPointer<UInt8> = {
    let bytes = Array("\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l".utf8)
    let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = buffer.initialize(from: bytes)
    return buffer
}()

/// The terminal back as it was. Nothing but calls that a signal handler may make (signal-safety(7)).
private func restore() {
    _ = write(STDOUT_FILENO, leaving.baseAddress, leaving.count)
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &savedSettings)
}

/// The terminal in raw mode and on its alternate screen. It is given back by `leave`, and also if a signal or
/// a crash ends the program.
struct TTYDevice: ~Copyable {
    /// Ends of the program that leave no other chance: each restores the terminal and then takes its course.
    private static let fatal: [Int32] = [
        SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV,
    ]
    /// News for the program.
    private static let news: [Int32] = [SIGWINCH, SIGCONT]

    /// No colours where the user wants none (no-color.org).
    let colours: Bool
    /// The locale does not take UTF-8.
    let ascii: Bool

    /// - Parameter wake: gets a byte whenever the size may have changed.
    /// - Throws: `NoTTY`.
    init(wake: Int32) throws(NoTTY) {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
            throw NoTTY("standard input and output are no terminal")
        }
        let kind = TTYDevice.variable("TERM") ?? ""
        guard !kind.isEmpty, kind != "dumb" else {
            throw NoTTY("the terminal (TERM=\(kind)) cannot place text")
        }
        guard tcgetattr(STDIN_FILENO, &savedSettings) == 0 else {
            throw NoTTY("tcgetattr: \(String(cString: strerror(errno)))")
        }
        colours = (TTYDevice.variable("NO_COLOR") ?? "").isEmpty
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap(TTYDevice.variable)
            .first { !$0.isEmpty }?.uppercased()
        ascii = locale.map { !$0.contains("UTF-8") && !$0.contains("UTF8") } ?? true
        wakeDescriptor = wake
        _ = leaving.count
        TTYDevice.setHandlers()
        enter()
    }

    deinit {
        restore()
        for signal in TTYDevice.fatal + TTYDevice.news { _ = Glibc.signal(signal, SIG_DFL) }
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    private static func setHandlers() {
        var action = sigaction()
        sigemptyset(&action.sa_mask)
        // The default comes back first, so that the signal sent again, or the crash met again, ends the program.
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND) | UInt32(SA_NODEFER))
        action.__sigaction_handler.sa_handler = { number in
            restore()
            raise(number)
        }
        for signal in fatal { sigaction(signal, &action, nil) }
        action.sa_flags = Int32(SA_RESTART)
        action.__sigaction_handler.sa_handler = { _ in
            let before = errno
            var byte: UInt8 = 0
            _ = write(wakeDescriptor, &byte, 1)
            errno = before
        }
        for signal in news { sigaction(signal, &action, nil) }
    }

    /// Raw mode and the alternate screen.
    func enter() {
        var raw = savedSettings
        cfmakeraw(&raw)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw)
        show("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l\u{1B}[2J")
    }

    /// Gives the terminal back and stops, as Control-Z does; returns when the shell lets the program go on.
    func suspend() {
        restore()
        raise(SIGSTOP)
        enter()
    }

    /// Columns and rows.
    var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Writes everything.
    func show(_ sequence: String) {
        var bytes = Array(sequence.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count > 0 { bytes = bytes.dropFirst(count) } else if errno != EINTR { return }
        }
    }

    /// What was typed; empty at the end of input.
    func read() -> [UInt8] {
        var chunk = [UInt8](repeating: 0, count: 256)
        let count = Glibc.read(STDIN_FILENO, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return [] }
        return Array(chunk.prefix(max(count, 0)))
    }
}
