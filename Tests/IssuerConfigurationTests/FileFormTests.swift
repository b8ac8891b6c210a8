import Foundation
import IssuerConfiguration
import Testing

/// Faults in the form of the file: named by line, without a word of its content.
@Suite struct FileFormTests {
    private func fault(_ text: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).yaml").path
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        do {
            _ = try IssuerConfiguration(path: path, environment: [:])
            return "accepted"
        } catch {
            return String(describing: error).replacingOccurrences(of: path, with: "FILE")
        }
    }

    @Test("A key that is there twice is named with both lines and nothing else of the file")
    func duplicates() throws {
        let text = """
            profile: demo
            links:
              a:
                port: 8583
                # the secret is 4711
                dialect: d4711
                port: 8584
            """
        #expect(try fault(text) == "FILE:7: the key port is there twice; its lines are 4, 7")
        #expect(try fault("redis: {port: 4711, port: 4712}").hasPrefix("FILE:1: the key port is there twice"))
        #expect(try !fault("redis: {port: 4711, port: 4712}").contains("471"))
        #expect(
            try fault("profile: demo\nkeys: {panHash: a}\n\nprofile: demo")
                == "FILE:4: the key profile is there twice; its lines are 1, 4")
    }

    @Test("What is no YAML is named by line and nothing else of the file")
    func noYAML() throws {
        for (text, line) in [
            ("profile: demo\nlinks:\n\t4711: x", 3), ("profile: demo\nlinks: [4711", 2),
            ("profile: demo\nkeys: {panHash: 'k4711}", 2), ("profile: demo\n---\nprofile: k4711", 2),
            ("profile: *k4711", 1),
        ] {
            let words = try fault(text)
            #expect(
                words.hasPrefix("FILE:\(line): is no YAML")
                    || words.hasPrefix("FILE:\(line + 1): is no YAML"), "\(words)")
            #expect(!words.contains("4711"), "\(words)")
        }
        #expect(try fault("") == "FILE: is empty")
    }

    @Test(
        "Empty is no value",
        arguments: [
            ("admin: {port: }", "admin.port is empty"), ("admin: {port: ~}", "admin.port is empty"),
            ("keys: {panHash: ''}", "keys.panHash is empty"),
            ("keys: {panHash: null}", "keys.panHash is empty"),
            ("links: {a: {tls: {}}}", "links.a.tls is empty"), ("links: {}", "links is empty"),
            ("issuers: {a: {limits: {}}}", "issuers.a.limits is empty"),
            ("issuers: {a: {profiles: ['']}}", "issuers.a.profiles has an empty item"),
            ("issuers: {a: {profiles: [x, x]}}", "issuers.a.profiles has an item twice"),
            ("links: {'a b': {port: 1}}", "links: a name is letters"),
            ("links: {a: {signOn: ture}}", "links.a.signOn has to be true or false"),
        ])
    func empty(text: String, words: String) throws {
        let found = try fault(text)
        #expect(found.contains("FILE:1: \(words)"), "\(found)")
    }
}
