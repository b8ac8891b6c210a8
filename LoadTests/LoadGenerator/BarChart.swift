/// Horizontal bars as SVG, without script: a bar to the value, a thin line on to where it may reach.
struct BarChart {
    struct Bar {
        let name: String
        let value: Double
        let reach: Double
    }

    let title: String
    let bars: [Bar]

    private static let width = 860.0
    private static let left = 150.0
    private static let rowHeight = 24.0
    private static let top = 28.0

    /// Empty without bars.
    var svg: String {
        guard !bars.isEmpty else { return "" }
        let longest = max(1e-9, bars.reduce(0) { max($0, max($1.value, $1.reach)) })
        let scale = (Self.width - Self.left - 110) / longest
        let height = Self.top + Self.rowHeight * Double(bars.count) + 8
        var svg = "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(height))\" role=\"img\">"
        svg += "<text class=\"title\" x=\"0\" y=\"16\">\(escaped(title))</text>"
        for (row, bar) in bars.enumerated() {
            let y = Self.top + Self.rowHeight * Double(row)
            let end = Self.left + bar.value * scale
            let reach = Self.left + max(bar.value, bar.reach) * scale
            svg += "<text class=\"right\" x=\"\(Self.left - 8)\" y=\"\(y + 13)\">\(escaped(bar.name))</text>"
            svg += "<rect x=\"\(Self.left)\" y=\"\(y + 2)\" width=\"\(rounded(bar.value * scale, 1))\""
            svg += " height=\"14\" class=\"bar\"/>"
            svg += "<line x1=\"\(rounded(end, 1))\" x2=\"\(rounded(reach, 1))\" y1=\"\(y + 9)\""
            svg += " y2=\"\(y + 9)\" class=\"reach\"/>"
            svg += "<text x=\"\(rounded(reach + 6, 1))\" y=\"\(y + 13)\">"
            svg += "\(rounded(bar.value, 0)) / \(rounded(bar.reach, 0))</text>"
        }
        return svg + "</svg>"
    }
}
