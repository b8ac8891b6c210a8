import Foundation
import Logging
import Synchronization
import Testing

@testable import HostServer

/// Lines for machines.
@Suite struct LogTests {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    @Test("Each line is one JSON object with time, level, message and fields, whatever is in them")
    func json() throws {
        let lines = Lines()
        var logger = Logger(label: "issuer-host") { label in
            JSONLogHandler(label: label, unixMilliseconds: { 1_795_000_000_042 }) { line in
                lines.all.withLock { $0.append(line) }
            }
        }
        logger[metadataKey: "link"] = "a"
        logger.warning("say \"so\"\n\u{1}", metadata: ["rrn": "0000\\1", "link": "b"])
        let line = try #require(lines.all.withLock { $0 }.first)
        #expect(line.hasSuffix("}\n") && line.dropLast().allSatisfy { !$0.isNewline })
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
        #expect(
            object == [
                "time": "2026-11-18T11:06:40.042Z", "level": "warning", "label": "issuer-host",
                "message": "say \"so\"\n\u{1}", "rrn": "0000\\1", "link": "b",
            ])
    }

    @Test("A flood of refusals is not a flood of log: the rest is counted in one line")
    func bounded() {
        let lines = Lines()
        let logger = Logger(label: "x") { label in
            JSONLogHandler(label: label, unixMilliseconds: { 0 }) { line in
                lines.all.withLock { $0.append(line) }
            }
        }
        var refusals = RefusalLog()
        for _ in 0..<1_000 { refusals.log(logger, .notice, message: "message refused", metadata: [:]) }
        let before = lines.all.withLock { $0.count }
        #expect(before <= 20)
        refusals.tick(logger)
        let after = lines.all.withLock { $0 }
        #expect(after.count == before + 1)
        #expect(after.last?.contains("\"count\":\"\(1_000 - before)\"") == true)
    }

    @Test("Leap days, ends of years and of centuries")
    func calendar() {
        let moments: [(Int64, String)] = [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"), (1_704_067_199, "2023-12-31T23:59:59.000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000Z"), (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ]
        for (seconds, text) in moments {
            #expect(CalendarTime(unixSeconds: seconds).text(milliseconds: 0) == text)
        }
        #expect(CalendarTime(unixSeconds: 1_709_164_799).transmissionTime == "0228235959")
    }
}
