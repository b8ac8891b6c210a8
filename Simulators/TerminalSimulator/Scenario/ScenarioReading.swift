internal import FoundationEssentials

/// Reads scenario files and unrolls what they repeat.
package enum ScenarioFile {
    /// More test cases than anybody means to have in one file.
    static let scenariosMax = 5_000

    /// All scenarios of these files, and of all `.yaml` and `.yml` files in these folders, by name of file.
    package static func scenarios(at paths: [String]) throws -> [Scenario] {
        var result: [Scenario] = []
        for path in paths {
            for file in try files(path) {
                guard let text = try? String(contentsOf: URL(filePath: file), encoding: .utf8) else {
                    throw StepError("\(file): no file of scenarios that can be read")
                }
                result += try scenarios(yaml: text, file: file)
            }
        }
        return result
    }

    private static func files(_ path: String) throws -> [String] {
        var isFolder: Bool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw StepError("there is no file or folder \(path)")
        }
        guard isFolder else { return [path] }
        let folder = path.hasSuffix("/") ? String(path.dropLast()) : path
        return try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.sorted().map { "\(folder)/\($0)" }
    }

    /// The scenarios of one file.
    package static func scenarios(yaml: String, file: String) throws(ScenarioError) -> [Scenario] {
        let document = try ScenarioNode(yaml: yaml, file: file)
        var variables: [String: ScenarioNode] = [:]
        var list: ScenarioNode?
        for entry in try document.entries(["name", "about", "vars", "scenarios", "anchors"]) {
            switch entry.key {
            case "vars":
                for variable in try entry.value.entries() { variables[variable.key] = variable.value }
            case "scenarios": list = entry.value
            default: break
            }
        }
        guard let list else { throw document.fault("key scenarios is missing") }
        var result: [Scenario] = []
        var names: Set<String> = []
        for node in try list.items() {
            for scenario in try unrolled(node, variables) {
                guard names.insert(scenario.name).inserted else {
                    throw node.fault(
                        "two scenarios are called \"\(scenario.name)\": put the variable into the name")
                }
                result.append(scenario)
                guard result.count <= scenariosMax else {
                    throw node.fault("more than \(scenariosMax) scenarios in one file")
                }
            }
        }
        return result
    }

    private static func unrolled(
        _ node: ScenarioNode, _ variables: [String: ScenarioNode]
    ) throws(ScenarioError) -> [Scenario] {
        let entries = try node.entries(["name", "about", "labels", "covers", "for", "vars", "steps"])
        var axes: [(String, [ScenarioNode])] = []
        var own: [(String, ScenarioNode)] = []
        for entry in entries {
            if entry.key == "for" {
                for axis in try entry.value.substituting(variables).entries() {
                    axes.append((axis.key, try axis.value.items()))
                }
            } else if entry.key == "vars" {
                own += try entry.value.entries().map { ($0.key, $0.value) }
            }
        }
        var rows: [[String: ScenarioNode]] = [variables]
        for (name, values) in axes {
            rows = rows.flatMap { row in
                values.map { value in
                    var next = row
                    spread(value, name: name, into: &next)
                    return next
                }
            }
        }
        var result: [Scenario] = []
        for row in rows {
            var filled = row
            for (name, value) in own { filled[name] = try value.substituting(filled) }
            result.append(try scenario(node, entries, variables: filled))
        }
        return result
    }

    /// A map as an axis value is several variables at once: `{tag: 9F02, value: "000000009999"}`.
    private static func spread(
        _ value: ScenarioNode, name: String, into row: inout [String: ScenarioNode]
    ) {
        guard case .map(let entries) = value.content else {
            row[name] = value
            return
        }
        for entry in entries { row["\(name).\(entry.key)"] = entry.value }
    }

    private static func scenario(
        _ node: ScenarioNode, _ entries: [ScenarioNode.Entry], variables: [String: ScenarioNode]
    ) throws(ScenarioError) -> Scenario {
        var name: String?
        var labels: [String] = []
        var covers: [String] = []
        var steps: [ScenarioStep] = []
        for entry in entries {
            switch entry.key {
            case "name": name = try entry.value.substituting(variables).text()
            case "labels":
                for label in try entry.value.substituting(variables).items() {
                    labels.append(try label.text())
                }
            case "covers":
                for name in try entry.value.substituting(variables).items() {
                    covers.append(try name.text())
                }
            case "steps": steps = try ScenarioStepReader.steps(entry.value, variables)
            default: break
            }
        }
        guard let name, !name.isEmpty else { throw node.fault("key name is missing") }
        guard !steps.isEmpty else { throw node.fault("scenario \"\(name)\" has no steps") }
        return Scenario(name: name, labels: labels, covers: covers, place: node.place, steps: steps)
    }
}
