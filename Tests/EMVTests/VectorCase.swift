import ByteCoding
import Foundation

/// One case of a vector file. Shows its name only: the rest may be a key.
struct VectorCase: CustomStringConvertible {
    let fields: [String: Any]

    var id: String { fields["id"] as? String ?? "?" }
    var description: String { id }

    func text(_ name: String) throws -> String {
        guard let value = fields[name] as? String else { throw VectorFault(id: id, field: name) }
        return value
    }

    func optionalText(_ name: String) -> String? { fields[name] as? String }

    func bytes(_ name: String) throws -> [UInt8] { try Hex.decode(text(name)) }

    func number(_ name: String) throws -> Int {
        guard let value = fields[name] as? Int else { throw VectorFault(id: id, field: name) }
        return value
    }

    /// Up to eight bytes of hex, big endian.
    func word(_ name: String) throws -> UInt64 { try bytes(name).reduce(0) { $0 << 8 | UInt64($1) } }

    func inner(_ name: String) throws -> VectorCase {
        guard var value = fields[name] as? [String: Any] else { throw VectorFault(id: id, field: name) }
        value["id"] = id
        return VectorCase(fields: value)
    }

    /// All cases of a file in `Tests/Vectors`, or in the directory that `VECTORS_DIR` names.
    static func all(_ file: String) throws -> [VectorCase] {
        let besideThisFile = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Vectors").path
        let directory = ProcessInfo.processInfo.environment["VECTORS_DIR"] ?? besideThisFile
        let data = try Data(contentsOf: URL(filePath: "\(directory)/\(file)"))
        let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        let cases = (object?["cases"] as? [[String: Any]] ?? []).map(VectorCase.init(fields:))
        guard !cases.isEmpty else { throw VectorFault(id: file, field: "cases") }
        return cases
    }
}

/// A vector file that has not the form we know.
struct VectorFault: Error {
    let id: String
    let field: String
}

/// A small generator with a seed, so that a failing run can be run again (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
