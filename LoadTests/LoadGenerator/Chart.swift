internal import Foundation

/// A line chart as SVG, without script.
struct Chart {
    struct Line {
        let name: String
        let points: [(x: Double, y: Double)]
    }

    let title: String
    let xTitle: String
    let yTitle: String
    let lines: [Line]
    /// Labels for the x axis at places of its own; nil for even steps.
    var xMarks: [(place: Double, text: String)]?
    var isLogarithmic = false

    private static let width = 860.0
    private static let height = 260.0
    private static let left = 64.0
    private static let bottom = 40.0
    private static let top = 34.0
    /// As many as ReportStyle has.
    private static let stylesCount = 5

    /// Empty for a chart without points.
    var svg: String {
        let points = lines.flatMap(\.points)
        guard let first = points.first else { return "" }
        let xMin = points.reduce(first.x) { min($0, $1.x) }
        let xMax = max(xMin + 1e-9, points.reduce(first.x) { max($0, $1.x) })
        let highest = max(1e-9, points.reduce(0) { max($0, $1.y) })
        let step = Chart.step(highest, count: 4)
        let scale = Scale(
            xMin: xMin, xMax: xMax, yMax: isLogarithmic ? highest : (highest / step).rounded(.up) * step,
            yMin: points.reduce(Double.infinity) { $1.y > 0 ? min($0, $1.y) : $0 },
            isLogarithmic: isLogarithmic)
        var svg = "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\">"
        svg += "<text class=\"title\" x=\"\(Self.left)\" y=\"16\">\(escaped(title))</text>"
        svg += grid(scale) + axis(scale)
        for (index, line) in lines.enumerated() {
            let style = "s\(index % Self.stylesCount)"
            let path = line.points.map { "\(scale.x($0.x)),\(scale.y($0.y))" }.joined(separator: " ")
            svg += "<polyline class=\"line \(style)\" points=\"\(path)\"/>"
            let x = Self.width - 190 * Double(lines.count - index)
            svg += "<line class=\"key \(style)\" x1=\"\(x - 12)\" x2=\"\(x + 12)\" y1=\"10\" y2=\"10\"/>"
            svg += "<text x=\"\(x + 16)\" y=\"14\">\(escaped(line.name))</text>"
        }
        return svg + "</svg>"
    }

    private struct Scale {
        let xMin: Double
        let xMax: Double
        let yMax: Double
        let yMin: Double
        let isLogarithmic: Bool

        func x(_ value: Double) -> String {
            let part = (value - xMin) / (xMax - xMin)
            return rounded(Chart.left + part * (Chart.width - Chart.left - 16), 1)
        }

        func y(_ value: Double) -> String {
            var part = value / yMax
            if isLogarithmic {
                let low = log10(yMin) - 0.1
                part = (log10(max(value, yMin)) - low) / (log10(yMax) - low)
            }
            return rounded(Chart.height - Chart.bottom - part * (Chart.height - Chart.bottom - Chart.top), 1)
        }

        var yMarks: [Double] {
            guard isLogarithmic else { return Chart.marks(from: 0, to: yMax, count: 4) }
            let powers = Int(log10(yMin).rounded(.down))...Int(log10(yMax).rounded(.up))
            let wide = powers.count > 4
            let marks = powers.flatMap { power in
                (wide ? [1] : [1, 2, 5]).map { $0 * pow(10, Double(power)) }
            }.filter { $0 >= yMin && $0 <= yMax }
            return marks.count > 1 ? marks : [yMin, yMax]
        }
    }

    private func grid(_ scale: Scale) -> String {
        scale.yMarks.map { mark in
            let y = scale.y(mark)
            return
                "<line x1=\"\(Self.left)\" x2=\"\(Self.width - 16)\" y1=\"\(y)\" y2=\"\(y)\" class=\"grid\"/>"
                + "<text x=\"\(Self.left - 6)\" y=\"\(y)\" class=\"right\">\(number(mark))</text>"
        }.joined() + "<text x=\"4\" y=\"16\">\(escaped(yTitle))</text>"
    }

    private func axis(_ scale: Scale) -> String {
        let even = Chart.marks(from: scale.xMin, to: scale.xMax, count: 6).map {
            (place: $0, text: number($0))
        }
        let y = Self.height - Self.bottom + 16
        return (xMarks ?? even).map { mark in
            "<text x=\"\(scale.x(mark.place))\" y=\"\(y)\" class=\"middle\">\(escaped(mark.text))</text>"
        }.joined()
            + "<text x=\"\(Self.width / 2)\" y=\"\(y + 16)\" class=\"middle\">\(escaped(xTitle))</text>"
    }

    private func number(_ value: Double) -> String {
        value >= 100 ? "\(Int(value.rounded()))" : String(format: "%.3g", value)
    }

    /// The distance of about so many marks: 1, 2 or 5 times a power of ten.
    private static func step(_ span: Double, count: Int) -> Double {
        let raw = max(1e-12, span) / Double(count)
        let power = pow(10, log10(raw).rounded(.down))
        return ([1, 2, 5].first { raw <= $0 * power } ?? 10) * power
    }

    /// Round numbers of a range.
    static func marks(from low: Double, to high: Double, count: Int) -> [Double] {
        let step = step(high - low, count: count)
        let first = (low / step - 1e-9).rounded(.up)
        let last = (high / step + 1e-9).rounded(.down)
        return first <= last ? stride(from: first, through: last, by: 1).map { $0 * step } : [low, high]
    }
}

/// Text for HTML and SVG.
func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        .replacing("\"", with: "&quot;")
}
