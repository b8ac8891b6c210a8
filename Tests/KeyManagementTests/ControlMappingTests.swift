import AuditTrail
import Foundation
@testable import KeyManagement
import Testing
import TokenSupport

@Suite("Controls", .serialized)
struct ControlMappingTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private func mapping() throws -> ControlMapping {
        let configuration = KeyAuditConfiguration(profile: "demo", module: "module", accepted: [], trail: nil)
        return ControlMapping(try KeyAudit.run(configuration, at: try TestTokens.nss.get()))
    }

    @Test("Every test that is named as evidence is there, and the page of controls has every row")
    func evidence() throws {
        let tests = Self.root.appendingPathComponent("Tests")
        let files = try FileManager.default.subpathsOfDirectory(atPath: tests.path).filter {
            $0.hasSuffix(".swift")
        }
        let source = try files.map { try String(contentsOfFile: "\(tests.path)/\($0)", encoding: .utf8) }
            .joined()
        let page = try String(
            contentsOf: Self.root.appendingPathComponent("docs/controls.md"), encoding: .utf8)
        let rows = try mapping().rows
        #expect(rows.count > 20 && Set(rows.map(\.standard)).count == 4)
        for row in rows {
            #expect(page.contains("| \(row.standard) | \(row.requirement) | \(row.words) |"), "\(row.words)")
            guard row.evidence.hasPrefix("test ") else { continue }
            for name in row.evidence.dropFirst(5).components(separatedBy: "; ") {
                #expect(source.contains("\"\(name)\"") || source.contains("func \(name)("), "\(name)")
            }
        }
    }

    @Test("What a run finds otherwise is not met")
    func notMet() throws {
        // A key to find fault with, whatever ran before.
        var store = try KeyStore(at: try TestTokens.nss.get())
        let name = "imk-ac-controls-\(UInt32.random(in: .min ... .max))"
        try store.generate(VersionedKeyName(label: name))
        let mapping = try mapping()
        let met = Dictionary(grouping: mapping.rows, by: \.requirement)
        #expect(met["26"]?.first?.means == .notMet, "no trail")
        #expect(met["25"]?.first?.means == .notMet, "nobody signs")
        let export = try #require(met["21"]?.first)
        #expect(export.means == .notMet && export.evidence.contains("findings, the first: "))
        #expect(mapping.html.contains("not met") && !mapping.html.contains("<script"))
    }
}
