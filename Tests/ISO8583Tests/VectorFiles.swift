import ByteCoding
import Foundation
import ISO8583
import Testing

/// The test data and the dialects, found from the place of this file.
enum VectorFiles {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let folder: URL =
        ProcessInfo.processInfo.environment["VECTORS_DIR"].map { URL(filePath: $0) }
        ?? root.appending(path: "Tests/Vectors")

    static func dialect(_ name: String) throws -> Dialect {
        if let loaded = loaded[name] { return try loaded.get() }
        return try Dialect(contentsOf: root.appending(path: "Config/iso8583/\(name).json").path())
    }

    /// Read once: the tests ask for them thousands of times.
    private static let loaded = dialectNames.reduce(into: [String: Result<Dialect, DialectError>]()) {
        let path = root.appending(path: "Config/iso8583/\($1).json").path()
        do throws(DialectError) {
            $0[$1] = .success(try Dialect(contentsOf: path))
        } catch {
            $0[$1] = .failure(error)
        }
    }

    static let dialectNames: [String] = {
        let folder = root.appending(path: "Config/iso8583").path()
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }()

    /// Every JSON file of the folder that decodes as the given form.
    static func all<Form: Decodable>(_ form: Form.Type) -> [(file: String, content: Form)] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        return files.filter { $0.hasSuffix(".json") }.sorted().compactMap { file in
            guard let data = FileManager.default.contents(atPath: folder.appending(path: file).path()),
                let content = try? JSONDecoder().decode(form, from: data)
            else { return nil }
            return (file, content)
        }
    }

    static let messages: [MessageCase] = all(MessageFile.self).flatMap(\.content.cases)
    static let dumps: [DumpCase] = all(DumpFile.self).flatMap(\.content.cases)
}

/// The form of `iso8583-messages.json`.
struct MessageFile: Decodable {
    var cases: [MessageCase]
}

struct MessageCase: Decodable, Sendable, CustomTestStringConvertible {
    var id: String
    var spec: String
    var kind: String
    var fields: [String: String]
    var encoded: String
    var framed_2byte_be: String
    var framed_4ascii: String

    var testDescription: String { "\(id) \(spec)" }
}

/// The form of `iso8583-public-dumps.json`.
struct DumpFile: Decodable {
    var cases: [DumpCase]
}

struct DumpCase: Decodable, Sendable, CustomTestStringConvertible {
    var id: String
    var spec: String?
    var fields: [String: DumpValue]
    var binary_fields: [String: String]?
    var encoded: String
    var encoded_standard: String?
    var checked: String

    var testDescription: String { id }
}

/// Text, or the elements inside of an element.
enum DumpValue: Decodable, Sendable {
    case text(String)
    case inside([String: String])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            self = .inside(try container.decode([String: String].self))
        }
    }
}

extension Message {
    /// The content in the notation of the vectors: binary elements in hex.
    func vectorValue(_ element: DataElement, in dialect: Dialect) -> String? {
        dialect[element]?.type == .binary
            ? bytes(element).map { Hex.encode($0) } : text(element)
    }

    /// Puts a value in the notation of the vectors in.
    mutating func setVectorValue(_ value: String, _ element: DataElement, in dialect: Dialect) throws {
        if dialect[element]?.type == .binary {
            set(element, bytes: try Hex.decode(value))
        } else {
            set(element, text: value)
        }
    }
}
