import Foundation
import IssuerConfiguration
import Testing

/// What is written about the configuration is what the program goes by.
@Suite struct ReferenceTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func file(_ name: String) throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent(name), encoding: .utf8)
    }

    @Test("docs/configuration.md is what `issuer-host config reference` prints")
    func reference() throws {
        #expect(try file("docs/configuration.md") == ConfigurationReference.markdown)
        for key in ConfigurationSchema.keys {
            #expect(ConfigurationReference.markdown.contains("`\(key.path)`"), "\(key.path)")
        }
    }

    @Test("Config/issuer-host.schema.json is what `issuer-host config schema` prints")
    func schema() throws {
        #expect(try file("Config/issuer-host.schema.json") == ConfigurationJSONSchema.text)
    }

    @Test("Every key is in the JSON Schema with its kind, and nothing unknown is allowed beside it")
    func schemaHoldsEveryKey() throws {
        let document = try #require(
            JSONSerialization.jsonObject(with: Data(ConfigurationJSONSchema.text.utf8)) as? [String: Any])
        for key in ConfigurationSchema.keys {
            var node = document
            for part in key.path.split(separator: ".") {
                let next: Any?
                if part == "*" {
                    next = node["additionalProperties"]
                } else {
                    #expect(node["additionalProperties"] as? Bool == false, "\(key.path)")
                    next = (node["properties"] as? [String: Any])?[String(part)]
                }
                node = try #require(next as? [String: Any], "\(key.path)")
            }
            #expect(node["type"] != nil || node["enum"] != nil, "\(key.path)")
        }
    }

    @Test("Rows are complete: paths once, sentences that end, defaults that convert")
    func rows() {
        #expect(Set(ConfigurationSchema.keys.map(\.path)).count == ConfigurationSchema.keys.count)
        for key in ConfigurationSchema.keys {
            #expect(key.sentence.hasSuffix("."), "\(key.path)")
            guard case .value = key.standard else { continue }
            #expect(key.standardValue != nil, "\(key.path): its default is none of its kind")
        }
    }
}
