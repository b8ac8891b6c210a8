internal import Yams

/// Where something stands in a scenario file.
package struct ScenarioPlace: Hashable, Sendable, CustomStringConvertible {
    /// The file as it was named.
    package let file: String
    /// From 1.
    package let line: Int
    /// From 1.
    package let column: Int

    /// `FILE:LINE:COLUMN`, as compilers say it.
    package var description: String { "\(file):\(line):\(column)" }
}

extension ScenarioPlace {
    fileprivate init(_ node: Node, _ file: String) {
        self.init(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }
}

/// A scenario file that cannot be used: where, and what is wrong there.
package struct ScenarioError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Of the value at fault.
    package let place: ScenarioPlace
    /// In words.
    package let reason: String

    /// `FILE:LINE:COLUMN: reason`.
    package var description: String { "\(place): \(reason)" }
}

/// YAML as scenarios need it: scalars as they are written (`00` stays `00`), every value with its place.
struct ScenarioNode: Sendable {
    indirect enum Content: Sendable {
        case scalar(String)
        case list([ScenarioNode])
        case map([Entry])
    }

    struct Entry: Sendable {
        let key: String
        let place: ScenarioPlace
        let value: ScenarioNode
    }

    let content: Content
    let place: ScenarioPlace

    /// Reads a document.
    init(yaml: String, file: String) throws(ScenarioError) {
        let start = ScenarioPlace(file: file, line: 1, column: 1)
        let node: Node?
        do { node = try Yams.compose(yaml: yaml) } catch let error as YamlError {
            throw ScenarioNode.fault(error, file)
        } catch {
            throw ScenarioError(place: start, reason: "no valid YAML")
        }
        guard let node else { throw ScenarioError(place: start, reason: "the file is empty") }
        try self.init(node, file: file)
    }

    private init(_ node: Node, file: String) throws(ScenarioError) {
        place = ScenarioPlace(node, file)
        switch node {
        case .scalar(let scalar): content = .scalar(scalar.string)
        case .sequence(let sequence):
            var items: [ScenarioNode] = []
            for item in sequence { items.append(try ScenarioNode(item, file: file)) }
            content = .list(items)
        case .mapping(let mapping): content = .map(try ScenarioNode.entries(mapping, file))
        case .alias: content = .scalar("")
        }
    }

    /// The entries of a map, and behind them those of the maps that `<<` names: what stands here, or comes earlier, counts.
    private static func entries(_ mapping: Node.Mapping, _ file: String) throws(ScenarioError) -> [Entry] {
        var (own, merged): ([Entry], [Entry]) = ([], [])
        for (key, value) in mapping {
            guard key.tag.description == Tag.Name.merge.rawValue else {
                let node = try ScenarioNode(value, file: file)
                own.append(Entry(key: key.string ?? "", place: ScenarioPlace(key, file), value: node))
                continue
            }
            for source in value.sequence.map(Array.init) ?? [value] {
                guard let source = source.mapping else {
                    throw ScenarioError(
                        place: ScenarioPlace(value, file),
                        reason: "<< takes a map, such as *NAME of an anchor &NAME, or a list of maps")
                }
                merged += try entries(source, file)
            }
        }
        var names = Set(own.map(\.key))
        return own + merged.filter { names.insert($0.key).inserted }
    }

    private init(content: Content, place: ScenarioPlace) {
        self.content = content
        self.place = place
    }

    private static func fault(_ error: YamlError, _ file: String) -> ScenarioError {
        func fault(_ mark: Mark?, _ reason: String) -> ScenarioError {
            ScenarioError(
                place: ScenarioPlace(file: file, line: mark?.line ?? 1, column: mark?.column ?? 1),
                reason: reason)
        }
        return switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            fault(mark, problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            fault(context.mark, "key \(duplicates.first.map { "\($0)" } ?? "?") stands twice")
        default: fault(nil, "no valid YAML")
        }
    }

    /// The same with `${NAME}` replaced in every scalar. A list or a map can be a variable's value where the
    /// scalar is nothing but the variable.
    func substituting(_ variables: [String: ScenarioNode]) throws(ScenarioError) -> ScenarioNode {
        switch content {
        case .scalar(let text):
            guard text.contains("${") else { return self }
            return try substituting(text, variables)
        case .list(let items):
            var result: [ScenarioNode] = []
            for item in items { result.append(try item.substituting(variables)) }
            return ScenarioNode(content: .list(result), place: place)
        case .map(let entries):
            var result: [Entry] = []
            for entry in entries {
                let key = try ScenarioNode(content: .scalar(entry.key), place: entry.place)
                    .substituting(variables).text()
                result.append(
                    Entry(key: key, place: entry.place, value: try entry.value.substituting(variables)))
            }
            return ScenarioNode(content: .map(result), place: place)
        }
    }

    private func substituting(
        _ text: String, _ variables: [String: ScenarioNode]
    ) throws(ScenarioError) -> ScenarioNode {
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${"), let end = rest[start.upperBound...].firstIndex(of: "}") {
            let name = String(rest[start.upperBound..<end])
            guard let value = variables[name] else { throw fault("there is no variable \(name)") }
            if start.lowerBound == text.startIndex, rest.index(after: end) == text.endIndex {
                return ScenarioNode(content: value.content, place: place)
            }
            guard case .scalar(let inner) = value.content else {
                throw fault("variable \(name) is no text, it has to stand alone")
            }
            result += rest[..<start.lowerBound] + inner
            rest = rest[rest.index(after: end)...]
        }
        return ScenarioNode(content: .scalar(result + rest), place: place)
    }

    /// A scalar at the same place, for loop counters.
    func scalar(_ text: String) -> ScenarioNode { ScenarioNode(content: .scalar(text), place: place) }

    func fault(_ reason: String) -> ScenarioError { ScenarioError(place: place, reason: reason) }
}

extension ScenarioNode {
    /// The scalar's text.
    func text() throws(ScenarioError) -> String {
        guard case .scalar(let text) = content else { throw fault("one value is expected here") }
        return text
    }

    /// The items; a single scalar counts as a list of one.
    func items() throws(ScenarioError) -> [ScenarioNode] {
        switch content {
        case .list(let items): items
        case .scalar: [self]
        case .map: throw fault("a list is expected here")
        }
    }

    /// The entries of a map with these keys only; an empty scalar counts as an empty map.
    func entries(_ valid: [String]? = nil) throws(ScenarioError) -> [Entry] {
        if case .scalar(let text) = content, text.isEmpty { return [] }
        guard case .map(let entries) = content else { throw fault("keys and values are expected here") }
        guard let valid else { return entries }
        for entry in entries where !valid.contains(entry.key) {
            throw ScenarioError(
                place: entry.place,
                reason: "unknown key \(entry.key); known here: \(valid.joined(separator: ", "))")
        }
        return entries
    }

    func integer(_ range: ClosedRange<Int>) throws(ScenarioError) -> Int {
        guard let number = Int(try text()), range.contains(number) else {
            throw fault("a whole number of \(range.lowerBound) to \(range.upperBound) is expected here")
        }
        return number
    }

    func flag() throws(ScenarioError) -> Bool {
        switch try text() {
        case "true", "yes", "on": true
        case "false", "no", "off": false
        default: throw fault("true or false is expected here")
        }
    }

    /// `250 ms` or `2 s`.
    func duration() throws(ScenarioError) -> Duration {
        let parts = try text().split(separator: " ")
        guard parts.count == 2, let number = Double(parts[0]), number >= 0, number <= 600_000 else {
            throw fault("a time such as 250 ms or 2 s is expected here")
        }
        switch parts[1] {
        case "ms": return .milliseconds(number)
        case "s" where number <= 600: return .seconds(number)
        default: throw fault("a time such as 250 ms or 2 s is expected here")
        }
    }

    /// One of a table's names.
    func choice<Value>(_ table: KeyValuePairs<String, Value>) throws(ScenarioError) -> Value {
        let name = try text()
        for (key, value) in table where key == name { return value }
        throw fault("\(name) is unknown; known here: \(table.map(\.key).joined(separator: ", "))")
    }
}
