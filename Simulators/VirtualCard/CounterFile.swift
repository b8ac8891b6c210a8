internal import EMV
internal import Glibc

/// The file with a card's last ATC: decimal digits and a line end. Replaced as a whole, so that a reader or a
/// crash finds the old number or the new one, never half of one.
struct CounterFile: Sendable {
    private let directory: String
    private let card: String
    private var path: String { "\(directory)/\(card).atc" }

    /// - Throws: `.counter` if the name is no plain file name or the directory cannot be made.
    init(directory: String, card: String) throws(DemoIssuerError) {
        let allowed = card.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x2D || byte == 0x5F
        }
        guard allowed, !card.isEmpty else { throw .counter(card: card, reason: "impossible file name") }
        self.directory = directory
        self.card = card
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw failure("mkdir", errno) }
    }

    /// The last counter; zero where there is no file yet.
    func read() throws(DemoIssuerError) -> ApplicationTransactionCounter {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return ApplicationTransactionCounter(rawValue: 0) }
            throw failure("open", errno)
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw failure("read", errno) }
        let text = String(decoding: bytes.prefix(count).prefix { $0 != 0x0A }, as: UTF8.self)
        guard let number = UInt16(text) else {
            throw .counter(card: card, reason: "\(card).atc holds no counter of 0…65535")
        }
        return ApplicationTransactionCounter(rawValue: number)
    }

    /// Writes beside and renames.
    func write(_ atc: ApplicationTransactionCounter) throws(DemoIssuerError) {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("open", errno) }
        let bytes = Array("\(atc)\n".utf8)
        let written = Glibc.write(descriptor, bytes, bytes.count)
        let code = errno
        guard close(descriptor) == 0, written == bytes.count else {
            unlink(temporary)
            throw failure("write", code)
        }
        guard rename(temporary, path) == 0 else { throw failure("rename", errno) }
    }

    private func failure(_ function: String, _ code: Int32) -> DemoIssuerError {
        .counter(card: card, reason: "\(function): \(String(cString: strerror(code)))")
    }
}
