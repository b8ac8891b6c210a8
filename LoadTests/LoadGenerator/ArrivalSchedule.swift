/// How the rate of an open load goes over time, in requests a second.
package enum RateCurve: Hashable, Sendable {
    /// The same all the time: steady load, a soak, or one step of a staircase.
    case constant(Double)
    /// From the first to the second, evenly.
    case ramp(from: Double, to: Double)
    /// `base`, but `peak` between two moments (seconds from the start).
    case spike(base: Double, peak: Double, from: Double, until: Double)

    /// Pieces of linear rate: from, until (seconds) and the rates at both.
    func pieces(seconds: Double) -> [RatePiece] {
        switch self {
        case .constant(let rate): return [RatePiece(start: 0, end: seconds, first: rate, last: rate)]
        case .ramp(let from, let to): return [RatePiece(start: 0, end: seconds, first: from, last: to)]
        case .spike(let base, let peak, let from, let until):
            let up = min(max(0, from), seconds)
            let down = min(max(up, until), seconds)
            return [
                RatePiece(start: 0, end: up, first: base, last: base),
                RatePiece(start: up, end: down, first: peak, last: peak),
                RatePiece(start: down, end: seconds, first: base, last: base),
            ].filter { $0.end > $0.start }
        }
    }
}

/// A stretch of time over which the rate is linear.
struct RatePiece: Hashable, Sendable {
    let start: Double
    let end: Double
    let first: Double
    let last: Double

    /// Expected arrivals in the whole piece.
    var arrivals: Double { (first + last) / 2 * (end - start) }

    /// The moment at which so many arrivals of this piece are expected: the inverse of the rate's integral.
    func time(ofArrival arrivals: Double) -> Double {
        let slope = (last - first) / (end - start)
        if abs(slope) < 1e-9 { return start + arrivals / first }
        // first·t + slope·t²/2 = arrivals, in the form that does not cancel.
        let root = max(0, first * first + 2 * slope * arrivals).squareRoot()
        return start + 2 * arrivals / (first + root)
    }
}

/// The distances of arrivals.
package enum ArrivalSpacing: String, Codable, Sendable {
    /// As even as a clock.
    case fixed
    /// Exponential, as independent customers arrive.
    case poisson
}

/// Intended send times of an open load. They are fixed before the first request goes out and nothing that the
/// host does can move them: that is what keeps omission out of the latencies.
package struct ArrivalSchedule: Sequence, IteratorProtocol, Sendable {
    private let pieces: [RatePiece]
    private let spacing: ArrivalSpacing
    private var chance: Chance
    private var piece = 0
    /// Of the current piece.
    private var arrivals = 0.0

    /// A schedule; the same for the same seed.
    package init(_ curve: RateCurve, seconds: Double, spacing: ArrivalSpacing, seed: UInt64) {
        pieces = curve.pieces(seconds: seconds)
        self.spacing = spacing
        chance = Chance(seed: seed)
    }

    /// Nanoseconds from the start of the stage; nil at its end.
    package mutating func next() -> UInt64? {
        guard piece < pieces.count else { return nil }
        arrivals += spacing == .fixed ? 1 : chance.exponential()
        while arrivals > pieces[piece].arrivals {
            // What is left of the distance goes on in the next piece, at that one's rate.
            arrivals -= pieces[piece].arrivals
            piece += 1
            guard piece < pieces.count else { return nil }
        }
        return UInt64(pieces[piece].time(ofArrival: arrivals) * 1e9)
    }
}
