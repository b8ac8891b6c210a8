import ByteCoding
import Foundation

/// One case of a vector file. Shows its name only: the rest may be a key.
package struct VectorCase: CustomStringConvertible {
    /// The case as JSON has it.
    package let fields: [String: Any]

    /// Takes the JSON object.
    package init(fields: [String: Any]) { self.fields = fields }

    /// The name of the case.
    package var id: String { fields["id"] as? String ?? "?" }
    /// The name and nothing else.
    package var description: String { id }

    /// A text field.
    package func text(_ name: String) throws -> String {
        guard let value = fields[name] as? String else { throw VectorFault(id: id, field: name) }
        return value
    }

    /// A text field, nil where it is absent or null.
    package func optionalText(_ name: String) -> String? { fields[name] as? String }

    /// A field of hex.
    package func bytes(_ name: String) throws -> [UInt8] { try Hex.decode(text(name)) }

    /// A whole number.
    package func number(_ name: String) throws -> Int {
        guard let value = fields[name] as? Int else { throw VectorFault(id: id, field: name) }
        return value
    }

    /// Up to eight bytes of hex, big endian.
    package func word(_ name: String) throws -> UInt64 { try bytes(name).reduce(0) { $0 << 8 | UInt64($1) } }

    /// An object within the case, which keeps the name.
    package func inner(_ name: String) throws -> VectorCase {
        guard var value = fields[name] as? [String: Any] else { throw VectorFault(id: id, field: name) }
        value["id"] = id
        return VectorCase(fields: value)
    }

    /// `Tests/Vectors`, or the directory that `VECTORS_DIR` names.
    package static var directory: String {
        let besideThisFile = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Vectors").path
        return ProcessInfo.processInfo.environment["VECTORS_DIR"] ?? besideThisFile
    }

    /// All cases of a file.
    package static func all(_ file: String) throws -> [VectorCase] {
        let data = try Data(contentsOf: URL(filePath: "\(directory)/\(file)"))
        let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        let cases = (object?["cases"] as? [[String: Any]] ?? []).map(VectorCase.init(fields:))
        guard !cases.isEmpty else { throw VectorFault(id: file, field: "cases") }
        return cases
    }
}

/// A vector file that has not the form we know.
package struct VectorFault: Error {
    /// The case or file.
    package let id: String
    /// What is missing or of another form.
    package let field: String

    /// Takes both.
    package init(id: String, field: String) {
        self.id = id
        self.field = field
    }
}

/// A small generator with a seed, so that a failing run can be run again (SplitMix64).
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    /// - Parameter seed: the same one gives the same numbers.
    package init(seed: UInt64) { state = seed }

    /// The next number.
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
