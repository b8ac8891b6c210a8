/// Requests that wait for their answers, by trace number. A dictionary would hash each number twice with a hash that resists
/// attacks; trace numbers that follow each other need none.
struct PendingTable {
    private static let capacityMin = 64

    /// A power of two, never more than half full: a search ends at the first empty place.
    private var places: [(stan: UInt32, request: PendingRequest)?]
    private(set) var count = 0

    init() { places = Array(repeating: nil, count: Self.capacityMin) }

    var isEmpty: Bool { count == 0 }

    subscript(_ stan: UInt32) -> PendingRequest? {
        get { places[place(of: stan)]?.request }
        set {
            guard let newValue else {
                remove(stan)
                return
            }
            if 2 * (count + 1) > places.count { grow() }
            let place = place(of: stan)
            if places[place] == nil { count += 1 }
            places[place] = (stan, newValue)
        }
    }

    func contains(_ stan: UInt32) -> Bool { places[place(of: stan)] != nil }

    /// - Returns: the request that waited, if one did.
    @discardableResult
    mutating func remove(_ stan: UInt32) -> PendingRequest? {
        var gap = place(of: stan)
        guard let removed = places[gap] else { return nil }
        places[gap] = nil
        count -= 1
        // Whoever stands behind because of it moves up.
        var next = after(gap)
        while let other = places[next] {
            let home = home(of: other.stan)
            let distance = (next &- home) & (places.count - 1)
            if distance >= (next &- gap) & (places.count - 1) {
                places.swapAt(gap, next)
                gap = next
            }
            next = after(next)
        }
        return removed.request
    }

    mutating func removeAll() { self = PendingTable() }

    /// In no order.
    var all: [(stan: UInt32, request: PendingRequest)] { places.compactMap(\.self) }

    /// Where a number stands, or the empty place where it would.
    private func place(of stan: UInt32) -> Int {
        var place = home(of: stan)
        while let other = places[place], other.stan != stan { place = after(place) }
        return place
    }

    /// The numbers of one connection lie apart by the number of connections, often a power of two: multiplied by the golden
    /// ratio they spread (Knuth, volume 3, 6.4).
    private func home(of stan: UInt32) -> Int {
        Int(truncatingIfNeeded: (stan &* 0x9E37_79B1) >> 7) & (places.count - 1)
    }

    private func after(_ place: Int) -> Int { (place + 1) & (places.count - 1) }

    private mutating func grow() {
        let old = all
        places = Array(repeating: nil, count: 2 * places.count)
        for one in old { places[place(of: one.stan)] = one }
    }
}
