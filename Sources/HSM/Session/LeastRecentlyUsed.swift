/// A bounded map that gives up what was used longest ago. Links are indices, so nothing is allocated once it
/// is full.
struct LeastRecentlyUsed<Key: Hashable, Value> {
    private struct Node {
        var key: Key
        var value: Value
        var newer: Int32
        var older: Int32
    }

    private var places: [Key: Int32] = [:]
    private var nodes: [Node] = []
    private var newest: Int32 = -1
    private var oldest: Int32 = -1
    let capacity: Int

    /// - Parameter capacity: 0 keeps nothing.
    init(capacity: Int) { self.capacity = capacity }

    var count: Int { nodes.count }

    mutating func value(for key: Key) -> Value? {
        guard let place = places[key] else { return nil }
        touch(place)
        return nodes[Int(place)].value
    }

    /// Keeps a value. The caller has made sure that the key is not there.
    /// - Returns: the value that had to go; with capacity 0 the value itself.
    mutating func insert(_ value: Value, for key: Key) -> Value? {
        guard capacity > 0 else { return value }
        guard nodes.count == capacity else {
            nodes.append(Node(key: key, value: value, newer: -1, older: -1))
            places[key] = Int32(nodes.count - 1)
            pushNewest(Int32(nodes.count - 1))
            return nil
        }
        let place = oldest
        let evicted = nodes[Int(place)].value
        unlink(place)
        places[nodes[Int(place)].key] = nil
        nodes[Int(place)].key = key
        nodes[Int(place)].value = value
        places[key] = place
        pushNewest(place)
        return evicted
    }

    private mutating func touch(_ place: Int32) {
        guard place != newest else { return }
        unlink(place)
        pushNewest(place)
    }

    private mutating func unlink(_ place: Int32) {
        let (newer, older) = (nodes[Int(place)].newer, nodes[Int(place)].older)
        if newer >= 0 { nodes[Int(newer)].older = older } else { newest = older }
        if older >= 0 { nodes[Int(older)].newer = newer } else { oldest = newer }
    }

    private mutating func pushNewest(_ place: Int32) {
        nodes[Int(place)].newer = -1
        nodes[Int(place)].older = newest
        if newest >= 0 { nodes[Int(newest)].newer = place }
        newest = place
        if oldest < 0 { oldest = place }
    }
}
