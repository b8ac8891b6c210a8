/// Every key that a configuration may have. What is not here is refused.
package enum ConfigurationSchema {
    /// In the order in which the reference lists them.
    package static let keys: [ConfigurationKey] =
        general + token + store + issuer + issuerAuthentication + issuerLimits + link + linkAuthentication
        + linkSecurity + operation + demo

    /// The row of a key, nil where the key is unknown.
    static func key(_ path: [String]) -> ConfigurationKey? {
        index[path.count]?.first { $0.parts.elementsEqual(path, by: { $0 == "*" || $0 == $1 }) }?.key
    }

    /// True if some key lies below this path.
    static func isSection(_ path: [String]) -> Bool {
        index.contains { count, rows in
            count > path.count && rows.contains { zip($0.parts, path).allSatisfy { $0 == "*" || $0 == $1 } }
        }
    }

    /// True if the names directly below this path are the operator's to choose.
    static func holdsNames(_ path: [String]) -> Bool {
        keys.contains { row in
            let parts = row.parts
            return parts.count > path.count && parts[path.count] == "*"
                && zip(parts, path).allSatisfy { $0 == "*" || $0 == $1 }
        }
    }

    /// The valid name at this place that is nearest to what was written.
    static func nearest(to path: [String]) -> String? {
        guard let written = path.last else { return nil }
        let names = keys.compactMap { key -> String? in
            let parts = key.parts
            guard parts.count >= path.count, parts[path.count - 1] != "*",
                zip(parts, path.dropLast()).allSatisfy({ $0 == "*" || $0 == $1 })
            else { return nil }
            return parts[path.count - 1]
        }
        return nearest(written, among: names)
    }

    /// The same, unless it takes more changes than so many, or than half of what was written.
    package static func nearest(_ written: String, among names: some Sequence<String>, changesMax: Int)
        -> String?
    {
        nearest(written, among: names).flatMap {
            distance($0, written) <= min(changesMax, written.unicodeScalars.count / 2) ? $0 : nil
        }
    }

    /// The one of these names that takes the fewest changes of a character; of several the first in the alphabet.
    static func nearest(_ written: String, among names: some Sequence<String>) -> String? {
        Set(names).map { (distance($0, written), $0) }.min { $0 < $1 }?.1
    }

    private static let index = Dictionary(
        grouping: keys.map { (parts: $0.parts, key: $0) }, by: \.parts.count)

    /// Levenshtein's distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right.unicodeScalars)
        var row = Array(0...right.count)
        for (index, character) in left.unicodeScalars.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let cost = diagonal + (character == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(cost, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[right.count]
    }
}
