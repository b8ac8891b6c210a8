internal import Glibc
package import Logging

/// One line of JSON for each log line, on standard error: `time`, `level`, `label`, `message`, and the fields.
package struct JSONLogHandler: LogHandler {
    /// Lines below it are not written.
    package var logLevel = Logger.Level.info
    /// Fields of every line.
    package var metadata = Logger.Metadata()
    private let label: String
    private let unixMilliseconds: @Sendable () -> Int64
    private let write: @Sendable (String) -> Void

    /// - Parameter label: of the logger.
    package init(label: String) {
        self.init(label: label, unixMilliseconds: wallClock) { line in
            _ = line.utf8.withContiguousStorageIfAvailable { Glibc.write(2, $0.baseAddress, $0.count) }
        }
    }

    init(
        label: String, unixMilliseconds: @escaping @Sendable () -> Int64,
        write: @escaping @Sendable (String) -> Void
    ) {
        self.label = label
        self.unixMilliseconds = unixMilliseconds
        self.write = write
    }

    /// One field of every line.
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes a line.
    package func log(event: LogEvent) {
        let moment = unixMilliseconds()
        var members: [(String, JSONText.Value)] = [
            (
                "time",
                .text(CalendarTime(unixSeconds: moment / 1_000).text(milliseconds: Int(moment % 1_000)))
            ),
            ("level", .text(event.level.rawValue)), ("label", .text(label)),
            ("message", .text("\(event.message)")),
        ]
        var fields = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
        if let error = event.error { fields["error"] = "\(error)" }
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            members.append((key, .text("\(value)")))
        }
        // One write: lines of several threads do not mix.
        write(JSONText.object(members) + "\n")
    }
}

@Sendable private func wallClock() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}
