internal import Foundation

/// What one authorisation costs a program, by how busy the machine is.
///
/// The cost falls with load: a busy event loop does more requests in one turn, so that each pays less for waking up. How it
/// falls is not known. The estimate is an exponential curve by least squares. Its interval spans what other shapes would
/// say as well: a straight line over the busy part of the machine, as a queue would show that is woken only when it is
/// empty, and, beyond the busiest step, a cost that falls no further.
package struct CostModel: Codable, Sendable {
    /// One step.
    package struct Point: Codable, Sendable {
        /// Part of the machine's cores that host, store and generator kept busy, 0 to 1.
        package var busy: Double
        /// CPU seconds of an authorisation, without what the program takes at rest.
        package var cost: Double
    }

    /// CPU seconds of one authorisation.
    package struct Estimate: Codable, Sendable {
        /// By the exponential curve.
        package var likely: Double
        /// The lower end of the 95 % interval; nil for fewer than three steps, or where it is not above zero.
        package var least: Double?
        /// The upper end; nil for fewer than three steps.
        package var most: Double?
    }

    /// CPU seconds a second with nothing to do.
    package var atRest: Double
    /// The steps that it was fitted over.
    package var points: [Point]

    private let line: Line
    private let curve: Line

    private enum CodingKeys: String, CodingKey { case atRest, points }

    /// - Parameters:
    ///   - points: at least one, with costs above zero.
    ///   - atRest: CPU seconds a second with nothing to do.
    /// - Returns: nil without such a point.
    init?(_ points: [Point], atRest: Double = 0) {
        let points = points.filter { $0.cost > 0 && $0.cost.isFinite && $0.busy.isFinite }
        guard !points.isEmpty else { return nil }
        self.points = points
        self.atRest = atRest
        line = Line(points.map { ($0.busy, $0.cost) })
        curve = Line(points.map { ($0.busy, log($0.cost)) })
    }

    /// Fits again what was written.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let rest = try container.decode(Double.self, forKey: .atRest)
        guard let model = CostModel(try container.decode([Point].self, forKey: .points), atRest: rest) else {
            throw DecodingError.dataCorruptedError(
                forKey: .points, in: container, debugDescription: "no point with a cost above zero")
        }
        self = model
    }

    /// The cost where so much of the machine is busy. Fewer than three steps say nothing of what lies beyond them.
    /// - Parameter busy: 0 to 1.
    package func cost(atBusy busy: Double) -> Estimate {
        var busy = busy
        if points.count < 3 {
            let measured = points.map(\.busy)
            busy = min(max(busy, measured.min() ?? busy), measured.max() ?? busy)
        }
        let (straight, falling) = (line.value(at: busy), exp(curve.value(at: busy)))
        guard let margin = line.margin(at: busy), let factor = curve.margin(at: busy).map({ exp($0) }) else {
            return Estimate(likely: falling)
        }
        let least = min(straight - margin, falling / factor)
        var most = max(straight + margin, falling * factor)
        if let busiest = points.max(by: { $0.busy < $1.busy }), busiest.busy < busy {
            most = max(most, busiest.cost)
        }
        return Estimate(likely: falling, least: least > 0 ? least : nil, most: most)
    }
}

/// A straight line by least squares, with the interval in which a further point is to be expected.
struct Line: Sendable {
    private let slope: Double
    private let meanX: Double
    private let meanY: Double
    private let count: Double
    private let spread: Double
    /// Of the points around the line; nil for fewer than three.
    private let variance: Double?

    /// - Parameter points: at least one; where all have the same x, the line is level.
    init(_ points: [(x: Double, y: Double)]) {
        let count = Double(points.count)
        let meanX = points.reduce(0) { $0 + $1.x } / count
        let meanY = points.reduce(0) { $0 + $1.y } / count
        let spread = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
        let together = points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) }
        let slope = spread > 1e-12 ? together / spread : 0
        (self.count, self.meanX, self.meanY, self.spread, self.slope) = (count, meanX, meanY, spread, slope)
        let misfits = points.map { $0.y - meanY - slope * ($0.x - meanX) }
        variance = count > 2 ? misfits.reduce(0) { $0 + $1 * $1 } / (count - 2) : nil
    }

    func value(at x: Double) -> Double { meanY + slope * (x - meanX) }

    /// Half of the 95 % interval of one more measurement there (Student's t, count − 2 degrees of freedom).
    func margin(at x: Double) -> Double? {
        guard let variance, spread > 1e-12 else { return nil }
        let distance = (x - meanX) * (x - meanX) / spread
        return Student.quantile95(degrees: Int(count) - 2)
            * (variance * (1 + 1 / count + distance)).squareRoot()
    }
}

/// Student's t distribution.
enum Student {
    /// Two-sided, 95 %, by degrees of freedom from 1.
    private static let table = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ]

    static func quantile95(degrees: Int) -> Double {
        degrees < 1 ? .infinity : degrees <= table.count ? table[degrees - 1] : 1.96
    }
}
