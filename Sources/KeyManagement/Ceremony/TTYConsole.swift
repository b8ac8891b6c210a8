package import ByteCoding
internal import Glibc
internal import Synchronization

private let interruption = Atomic<Bool>(false)

/// The terminal on standard input. What is secret is typed without echo and kept in memory that is wiped.
package struct TTYConsole: CeremonyConsole {
    /// Characters of a line.
    private static let lineMax = 1_024

    /// - Throws: where standard input is no terminal: secrets do not come from files or pipes.
    package init() throws(CeremonyError) {
        guard isatty(STDIN_FILENO) == 1 else {
            throw CeremonyError("people and passphrases need a terminal: standard input is none")
        }
        // An interrupt ends the wait for an answer, not the program: what was begun is noted as broken off.
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in interruption.store(true, ordering: .relaxed) }
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaction(signal, &action, nil) }
    }

    /// Shows a line.
    package func say(_ line: String) { write(line + "\n") }

    /// Asks for a line.
    package func ask(_ prompt: String) throws(CeremonyError) -> String {
        let line = try readTyped(prompt, echoes: true)
        return line.withUnsafeBytes { bytes in
            var text = String(decoding: bytes, as: UTF8.self)
            while text.last == " " { text.removeLast() }
            return String(text.drop { $0 == " " })
        }
    }

    /// Asks for a line that is not shown while it is typed.
    package func askSecret(_ prompt: String) throws(CeremonyError) -> SecretBytes {
        try readTyped(prompt, echoes: false)
    }

    /// Without signals and line editing of the terminal an interrupt is a character at once, so that the echo always
    /// comes back and what was begun is noted as broken off.
    private func readTyped(_ prompt: String, echoes: Bool) throws(CeremonyError) -> SecretBytes {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { throw .interrupted }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO | ISIG | ICANON)
        withUnsafeMutableBytes(of: &silent.c_cc) { characters in
            characters[Int(VMIN)] = 1
            characters[Int(VTIME)] = 0
        }
        // What was typed ahead of a secret would have been shown.
        guard tcsetattr(STDIN_FILENO, echoes ? TCSADRAIN : TCSAFLUSH, &silent) == 0 else {
            throw .interrupted
        }
        // Asked only now: what is typed before the echo is off would be shown, or thrown away.
        write(prompt + " ")
        defer {
            tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
            write("\n")
        }
        return try readLine(echoes: echoes)
    }

    private func readLine(echoes: Bool) throws(CeremonyError) -> SecretBytes {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: TTYConsole.lineMax, alignment: 1)
        defer {
            explicit_bzero(buffer.baseAddress!, buffer.count)
            buffer.deallocate()
        }
        var count = 0
        while true {
            var byte: UInt8 = 0
            let found = read(STDIN_FILENO, &byte, 1)
            if interruption.load(ordering: .relaxed) { throw .interrupted }
            if found < 0, errno == EINTR { continue }
            guard found == 1 else { throw .interrupted }
            if let edited = try TTYConsole.edit(byte, buffer, count: count) {
                if echoes { erase(buffer, edited..<count) }
                count = edited
                continue
            }
            if byte == 0x0A || byte == 0x0D { break }
            guard count < buffer.count else { throw CeremonyError("more than \(buffer.count) characters") }
            buffer[count] = byte
            count += 1
            // Other control characters count and do not move the cursor.
            if echoes, byte >= 0x20 { writeBytes([byte]) }
        }
        return SecretBytes(copying: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }

    /// What the terminal does for a line that it shows: Ctrl-C and Ctrl-D break off, backspace and Ctrl-U take back.
    /// - Returns: the characters that are left, nil for a byte that belongs to the line.
    private static func edit(
        _ byte: UInt8, _ buffer: UnsafeMutableRawBufferPointer, count: Int
    ) throws(CeremonyError) -> Int? {
        switch byte {
        case 0x03, 0x04: throw .interrupted
        case 0x15: return 0
        case 0x08, 0x7F:
            var left = count
            // A character of UTF-8 is its first byte and those that begin with 10.
            while left > 0 {
                left -= 1
                if buffer[left] & 0xC0 != 0x80 { break }
            }
            return left
        default: return nil
        }
    }

    /// Takes characters back from the screen, one column each.
    private func erase(_ buffer: UnsafeMutableRawBufferPointer, _ bytes: Range<Int>) {
        let characters = bytes.count { buffer[$0] & 0xC0 != 0x80 }
        for _ in 0..<characters { write("\u{8} \u{8}") }
    }

    private func write(_ text: String) { writeBytes(Array(text.utf8)) }

    private func writeBytes(_ all: [UInt8]) {
        var bytes = all[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
