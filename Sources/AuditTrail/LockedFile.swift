internal import Glibc

/// The log, held by one process at a time, open at its end.
struct LockedFile: ~Copyable {
    private let descriptor: CInt
    private let path: String

    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw AuditTrailError("\(path): \(String(cString: strerror(errno)))") }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                throw AuditTrailError("\(path): cannot be locked: \(String(cString: strerror(errno)))")
            }
        }
    }

    deinit { close(descriptor) }

    /// Writes lines, each with its line feed; returns when they are on disk. What a process that died left half written
    /// stays a line of its own.
    func append(_ lines: [[UInt8]]) throws {
        let bytes = lines.reduce(into: try endsWithinLine() ? [0x0A] : [] as [UInt8]) { $0 += $1 + [0x0A] }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                write(descriptor, $0.baseAddress! + written, $0.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw AuditTrailError("\(path): \(String(cString: strerror(errno)))") }
            written += count
        }
        guard fsync(descriptor) == 0 else {
            throw AuditTrailError("\(path): \(String(cString: strerror(errno)))")
        }
    }

    private func endsWithinLine() throws -> Bool {
        let size = try byteCount()
        var last: UInt8 = 0x0A
        guard size == 0 || pread(descriptor, &last, 1, size - 1) == 1 else {
            throw AuditTrailError("\(path): cannot be read")
        }
        return last != 0x0A
    }

    private func byteCount() throws -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw AuditTrailError("\(path): \(String(cString: strerror(errno)))")
        }
        return status.st_size
    }

    /// The last line that ends with a line feed, without it, and what stands after that; nil where there is none. A line
    /// is far shorter than what is read here.
    func lastLines() throws -> (whole: [UInt8]?, begun: [UInt8]?) {
        let size = try byteCount()
        var bytes = [UInt8](repeating: 0, count: min(size, 262_144))
        let offset = size - bytes.count
        let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, offset) }
        guard count == bytes.count else { throw AuditTrailError("\(path): cannot be read") }
        var lines = bytes.split(separator: 0x0A)
        let begun = bytes.last.map { $0 != 0x0A } == true ? lines.popLast() : nil
        return (lines.last.map(Array.init), begun.map(Array.init))
    }
}
