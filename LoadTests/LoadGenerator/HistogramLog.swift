internal import Foundation
internal import Histogram

/// One interval of a load for the log that HdrHistogram's tools read and plot.
struct HistogramInterval: Codable, Sendable {
    /// Seconds from the start of the stage.
    var start: Double
    /// Its length.
    var seconds: Double
    /// Milliseconds.
    var longest: Double
    /// Base 64 of the compressed form, version 2; values in nanoseconds.
    var histogram: String
}

/// The log format of HdrHistogram, version 1.3: a line an interval, tagged with its stage.
enum HistogramLog {
    /// - Parameter result: stages without intervals have no lines.
    static func text(_ result: LoadResult, startedAt: Double) -> String {
        var lines = [
            "#[Logged with load-generator, latencies in nanoseconds]",
            "#[Histogram log format version 1.3]",
            "#[StartTime: \(rounded(startedAt, 3)) (seconds since epoch), \(result.startedAt)]",
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"",
        ]
        var offset = 0.0
        for stage in result.stages {
            // A tag has neither commas nor blanks.
            let tag = String(stage.name.map { $0.isLetter || $0.isNumber ? $0 : "_" })
            for interval in stage.intervals ?? [] {
                lines.append(
                    "Tag=\(tag),\(rounded(offset + interval.start, 3)),\(rounded(interval.seconds, 3)),"
                        + "\(rounded(interval.longest, 3)),\(interval.histogram)")
            }
            offset += stage.series.last?.second ?? stage.seconds
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static let digits = 3
    private static let halfMagnitude = 10
    private static let halfCount = 1 << halfMagnitude
    private static let mask = UInt64(2 * halfCount - 1)

    /// Version 2 of the encoding, in a zlib stream of stored blocks (RFC 1950, RFC 1951 3.2.4), in base 64.
    static func encoded(_ histogram: LatencyHistogram) -> String {
        var counts: [(place: Int, count: UInt64)] = []
        for value in histogram.recordedValues() {
            let index = place(of: histogram.lowestEquivalentForValue(value.value))
            if let last = counts.last, last.place == index {
                counts[counts.count - 1].count += UInt64(value.count)
            } else {
                counts.append((index, UInt64(value.count)))
            }
        }
        var payload: [UInt8] = []
        var next = 0
        for (place, count) in counts {
            if place > next { append(-Int64(place - next), to: &payload) }
            append(Int64(count), to: &payload)
            next = place + 1
        }
        var plain = big(UInt32(0x1C84_9313)) + big(UInt32(payload.count)) + big(UInt32(0))
        plain += big(UInt32(digits)) + big(UInt64(1)) + big(LatencyHistogram.longest)
        plain += big(Double(1).bitPattern) + payload
        let stream = stored(plain)
        return Data(big(UInt32(0x1C84_9314)) + big(UInt32(stream.count)) + stream).base64EncodedString()
    }

    /// Index in the counts of a histogram from 1 with three digits.
    private static func place(of value: UInt64) -> Int {
        let bucket = 64 - halfMagnitude - 1 - (value | mask).leadingZeroBitCount
        let inside = Int(value >> UInt64(bucket))
        return (bucket + 1) << halfMagnitude + inside - halfCount
    }

    /// ZigZag, then seven bits a byte, the ninth whole.
    private static func append(_ value: Int64, to bytes: inout [UInt8]) {
        var rest = UInt64(bitPattern: value << 1 ^ value >> 63)
        for _ in 0..<8 {
            guard rest > 0x7F else { return bytes.append(UInt8(rest)) }
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func stored(_ bytes: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        for start in stride(from: 0, to: max(bytes.count, 1), by: 65_535) {
            let part = bytes[start..<min(start + 65_535, bytes.count)]
            let count = UInt16(part.count)
            stream += [part.endIndex == bytes.count ? 1 : 0, UInt8(count & 0xFF), UInt8(count >> 8)]
            stream += [UInt8(~count & 0xFF), UInt8(~count >> 8)] + part
        }
        var (first, second): (UInt32, UInt32) = (1, 0)
        for byte in bytes {
            first = (first + UInt32(byte)) % 65_521
            second = (second + first) % 65_521
        }
        return stream + big(second << 16 | first)
    }

    private static func big<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

extension LoadResult {
    /// Latencies as HdrHistogram's tools read them.
    package var histogramLog: String {
        let start = (try? Date(startedAt, strategy: .iso8601))?.timeIntervalSince1970 ?? 0
        return HistogramLog.text(self, startedAt: start)
    }

    /// A line a second, over all stages (RFC 4180).
    package var csv: String {
        var lines = [
            "stage,second,answers_per_second,p50_ms,p99_ms,longest_ms,outstanding,host_cpu,redis_cpu,generator_cpu,"
                + "host_mb,redis_mb"
        ]
        for stage in stages {
            for second in stage.series {
                let figures: [Double?] = [
                    second.second, second.answersPerSecond, second.p50, second.p99, second.longest,
                    Double(second.outstanding), second.hostCPU, second.redisCPU, second.generatorCPU,
                    second.hostMegabytes, second.redisMegabytes,
                ]
                let name = "\"\(stage.name.replacing("\"", with: "\"\""))\""
                lines.append(
                    ([name] + figures.map { $0.map { rounded($0, 3) } ?? "" }).joined(separator: ","))
            }
        }
        return lines.joined(separator: "\r\n") + "\r\n"
    }
}
