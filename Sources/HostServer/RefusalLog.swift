internal import Logging

/// Log lines that a peer can cause at will: so many a second, the rest is counted and told in one line. A flood of bad
/// messages must not become a flood of log.
struct RefusalLog {
    private static let linesPerTick = 20

    private var left = RefusalLog.linesPerTick
    private var suppressed = 0

    mutating func log(
        _ logger: Logger, _ level: Logger.Level, message: Logger.Message,
        metadata: @autoclosure () -> Logger.Metadata
    ) {
        guard logger.logLevel <= level else { return }
        guard left > 0 else {
            suppressed += 1
            return
        }
        left -= 1
        logger.log(level: level, message, metadata: metadata())
    }

    /// Some times a second.
    mutating func tick(_ logger: Logger) {
        left = RefusalLog.linesPerTick
        guard suppressed > 0 else { return }
        logger.notice("lines left out", metadata: ["count": "\(suppressed)"])
        suppressed = 0
    }
}
