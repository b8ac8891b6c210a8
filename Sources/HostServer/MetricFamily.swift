/// One metric with all its samples, as Prometheus' text format 0.0.4 wants it: its help and type once, then a line for each
/// set of labels.
package struct MetricFamily: Sendable {
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    package struct Sample: Sendable {
        /// Behind the family's name: `_bucket`, `_sum` and `_count` of a histogram.
        var suffix = ""
        /// In the order in which they are written. Values are short names that never change, never sentences.
        var labels: [(name: String, value: String)] = []
        /// A number as it is written.
        var value: String
    }

    package let name: String
    package let kind: Kind
    package let help: String
    var samples: [Sample]

    /// - Parameters:
    ///   - name: in base units: seconds, bytes; a counter ends in `_total`.
    ///   - help: one sentence.
    init(_ name: String, _ kind: Kind, help: String, samples: [Sample]) {
        (self.name, self.kind, self.help, self.samples) = (name, kind, help, samples)
    }

    /// One number without labels.
    package static func counter(_ name: String, help: String, value: UInt64) -> MetricFamily {
        MetricFamily(name, .counter, help: help, samples: [Sample(value: "\(value)")])
    }

    /// One number without labels.
    package static func gauge(_ name: String, help: String, value: Int64) -> MetricFamily {
        MetricFamily(name, .gauge, help: help, samples: [Sample(value: "\(value)")])
    }

    /// One number of seconds, given in milliseconds.
    package static func gauge(_ name: String, help: String, milliseconds: Int64) -> MetricFamily {
        let sign = milliseconds < 0 ? "-" : ""
        return MetricFamily(
            name, .gauge, help: help,
            samples: [Sample(value: sign + seconds(microseconds: milliseconds.magnitude * 1_000))])
    }

    /// A number for each set of labels.
    package static func labelled(
        _ name: String, _ kind: Kind, help: String,
        values: [(labels: [(name: String, value: String)], value: String)]
    ) -> MetricFamily {
        MetricFamily(
            name, kind, help: help, samples: values.map { Sample(labels: $0.labels, value: $0.value) })
    }

    /// Seconds in decimal, exactly: `0.00125`.
    package static func seconds(microseconds: UInt64) -> String {
        let fraction = microseconds % 1_000_000
        guard fraction > 0 else { return "\(microseconds / 1_000_000)" }
        var digits = String(fraction)
        digits = String(repeating: "0", count: 6 - digits.count) + digits
        while digits.last == "0" { digits.removeLast() }
        return "\(microseconds / 1_000_000).\(digits)"
    }

    /// The lines, with a line feed behind each. A label's value is escaped as the format asks.
    package var text: String {
        var text = "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(
                separator: ",")
            text += name + sample.suffix + (labels.isEmpty ? "" : "{\(labels)}") + " \(sample.value)\n"
        }
        return text
    }

    private static func escaped(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
    }
}
