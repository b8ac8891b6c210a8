import Foundation
import FuzzTargets
import Testing

/// Every file of the corpus and every crash that was ever found, once more.
@Suite struct FuzzReplayTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .appending(path: "Fuzz")

    @Test("Corpus and regressions", arguments: FuzzTarget.allCases)
    func replay(target: FuzzTarget) throws {
        var played = 0
        for kind in ["corpus", "regressions"] {
            let folder = Self.folder.appending(path: kind).appending(path: target.rawValue)
            let files =
                (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil))
                ?? []
            for file in files {
                let bytes = Array(try Data(contentsOf: file))
                target.run(bytes)
                // Cut short, and with one byte changed, for what lies next to it.
                for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 16)) {
                    target.run(Array(bytes.prefix(count)))
                    var changed = bytes
                    changed[count] ^= 0x81
                    target.run(changed)
                }
                played += 1
            }
        }
        #expect(played > 0, "nothing to replay for \(target)")
    }
}
