internal import Yams

/// The keys that a profile may have, at each place: a misspelt one would be passed over in silence.
enum ProfileKeys {
    static let top = [
        "name", "cards", "products", "seed", "links", "connections", "reconnectSeconds",
        "repeatsUnanswered", "precompute",
        "pinTriesMax", "mix", "thresholds", "stages",
    ]
    static let stage = [
        "name", "role", "seconds", "outstanding", "rate", "ramp", "spike", "ofSaturation", "arrivals",
    ]
    static let ramp = ["from", "to"]
    static let spike = ["base", "peak", "from", "until"]

    /// - Throws: the first key that is none, with its line.
    static func check(_ yaml: String, path: String) throws(LoadSetupError) {
        // What is no YAML at all, the decoder says better.
        guard let document = try? Yams.compose(yaml: yaml), let mapping = document.mapping else { return }
        try check(mapping, top, path: path)
        if let products = mapping["products"]?.mapping { try checkMerges(products, path: path) { _ in } }
        for stage in mapping["stages"]?.sequence ?? [] {
            guard let entries = stage.mapping else { continue }
            try checkStage(entries, path: path)
        }
        if let mix = mapping["mix"]?.mapping {
            try check(mix, TrafficKind.allCases.map(\.rawValue), path: path)
        }
    }

    private static func checkStage(_ entries: Node.Mapping, path: String) throws(LoadSetupError) {
        try check(entries, stage, path: path)
        if let inner = entries["ramp"]?.mapping { try check(inner, ramp, path: path) }
        if let inner = entries["spike"]?.mapping { try check(inner, spike, path: path) }
        try checkMerges(entries, path: path) { (merged) throws(LoadSetupError) in
            try checkStage(merged, path: path)
        }
    }

    private static func check(
        _ mapping: Node.Mapping, _ valid: [String], path: String
    ) throws(LoadSetupError) {
        for (key, _) in mapping where key.tag.description != Tag.Name.merge.rawValue {
            let name = key.string ?? "?"
            guard !valid.contains(name) else { continue }
            throw LoadSetupError(
                "\(path)\(place(key)): unknown key \(name); known here: \(valid.joined(separator: ", "))")
        }
        try checkMerges(mapping, path: path) { (merged) throws(LoadSetupError) in
            try check(merged, valid, path: path)
        }
    }

    /// What `<<` names has to be maps; the decoder puts them together.
    private static func checkMerges(
        _ mapping: Node.Mapping, path: String, by check: (Node.Mapping) throws(LoadSetupError) -> Void
    ) throws(LoadSetupError) {
        for (key, value) in mapping where key.tag.description == Tag.Name.merge.rawValue {
            for source in value.sequence.map(Array.init) ?? [value] {
                guard let source = source.mapping else {
                    throw LoadSetupError(
                        "\(path)\(place(value)): << takes a map, such as *NAME of an anchor &NAME, or a list of maps"
                    )
                }
                try check(source)
            }
        }
    }

    private static func place(_ node: Node) -> String { node.mark.map { ":\($0.line):\($0.column)" } ?? "" }
}

/// The YAML form of a profile.
struct ProfileFile: Decodable {
    struct Stage: Decodable {
        struct Ramp: Decodable { let from: Double, to: Double }
        struct Spike: Decodable { let base: Double, peak: Double, from: Double, until: Double }

        let name: String
        let role: LoadProfile.Stage.Role?
        let seconds: Double
        let outstanding: Int?
        let rate: Double?
        let ramp: Ramp?
        let spike: Spike?
        let ofSaturation: Double?
        let arrivals: ArrivalSpacing?

        func stage(_ path: String) throws(LoadSetupError) -> LoadProfile.Stage {
            let spacing = arrivals ?? .poisson
            var loads: [LoadProfile.Stage.Load] = []
            if let outstanding { loads.append(.closed(outstanding: outstanding)) }
            if let rate { loads.append(.open(.constant(rate), spacing)) }
            if let ramp { loads.append(.open(.ramp(from: ramp.from, to: ramp.to), spacing)) }
            if let spike {
                loads.append(
                    .open(
                        .spike(base: spike.base, peak: spike.peak, from: spike.from, until: spike.until),
                        spacing))
            }
            if let ofSaturation { loads.append(.fraction(ofSaturation, spacing)) }
            guard loads.count == 1, let load = loads.first else {
                throw LoadSetupError(
                    "\(path): stage \(name): exactly one of outstanding, rate, ramp, spike, ofSaturation")
            }
            return LoadProfile.Stage(name: name, role: role, seconds: seconds, load: load)
        }
    }

    let name: String
    let cards: Int
    let products: [String: Int]?
    let seed: UInt64?
    let links: [String]?
    let connections: Int?
    let reconnectSeconds: Double?
    let repeatsUnanswered: Bool?
    let precompute: Bool?
    let pinTriesMax: Int?
    let mix: [TrafficKind: Double]?
    let thresholds: [String]?
    let stages: [Stage]
}

/// Key and reason; no values.
func describe(_ error: any Error) -> String {
    func place(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }
    switch error {
    case DecodingError.keyNotFound(let key, let context):
        return "\(place(context.codingPath + [key])) is missing"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
        return "\(place(context.codingPath)) is of the wrong type"
    case DecodingError.dataCorrupted(let context):
        let key = place(context.codingPath)
        return key.isEmpty ? context.debugDescription : "\(key): \(context.debugDescription)"
    default: return "\(error)"
    }
}
