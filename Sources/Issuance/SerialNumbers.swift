internal import Foundation

/// Serial numbers of one signing key's certificates: each given once, whatever becomes of the program. The number is on
/// disk before it is used.
package struct SerialNumbers: Sendable {
    private let path: String

    /// - Parameter path: of the counter's file, made when first needed.
    package init(path: String) { self.path = path }

    /// The next number, 1 to 2^24 - 1.
    package func next() throws -> UInt32 { try take(1).first ?? 0 }

    /// The next numbers, in one step: what is not used of them is nobody's any more.
    package func take(_ wanted: Int) throws -> ArraySlice<UInt32> {
        guard wanted > 0 else { return [] }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw IssuanceError(path, "cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        // Two programs that certify at once take turns.
        guard flock(descriptor, LOCK_EX) == 0 else { throw IssuanceError(path, "cannot be locked") }
        var buffer = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw IssuanceError(path, "cannot be read") }
        let text = String(decoding: buffer.prefix(count), as: UTF8.self)
        var last: UInt32 = 0
        if count > 0 {
            guard let found = UInt32(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
                throw IssuanceError(path, "does not hold a serial number")
            }
            last = found
        }
        guard let highest = UInt32(exactly: Int(last) + wanted), highest <= 0xFF_FFFF else {
            throw IssuanceError(path, "all serial numbers of this key are used up")
        }
        let line = Array("\(highest)\n".utf8)
        guard pwrite(descriptor, line, line.count, 0) == line.count, fsync(descriptor) == 0 else {
            throw IssuanceError(path, "cannot be written")
        }
        return Array(last + 1...highest)[...]
    }
}

/// Serial numbers for many cards side by side, taken from the file several at a time.
package final class SerialNumberSupply: @unchecked Sendable {
    // Sendable because everything that changes is only touched under `lock`.
    private let lock = NSLock()
    private let numbers: SerialNumbers
    private var wanted: Int
    private var ready: ArraySlice<UInt32> = []
    private static let block = 32

    /// - Parameter wanted: certificates that are to be made; no more numbers than these are taken ahead.
    package init(_ numbers: SerialNumbers, wanted: Int) {
        self.numbers = numbers
        self.wanted = wanted
    }

    /// A number that nobody had.
    package func number() throws -> UInt32 {
        lock.lock()
        defer { lock.unlock() }
        wanted -= 1
        if let number = ready.popFirst() { return number }
        // A card that was pulled out wants a second number; the last few of a key come one by one.
        ready = (try? numbers.take(min(wanted + 1, SerialNumberSupply.block))) ?? []
        return try ready.popFirst() ?? numbers.next()
    }
}
