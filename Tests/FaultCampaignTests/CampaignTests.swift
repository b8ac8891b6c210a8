import FaultCampaign
import Foundation
import Testing

/// The campaign in its short form: real processes of this build, each fault that costs most once.
@Suite(.timeLimit(.minutes(5))) struct CampaignTests {
    @Test func nothingIsLostNothingIsDoubled() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
            .path
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("fault-campaign-test-\(UInt32.random(in: .min ... .max))")
        defer { try? FileManager.default.removeItem(at: folder) }
        let kinds: [FaultKind] = [
            .hostKilled, .storeKilled, .storeFailedOver, .terminalLinkCut, .storeLinkBad, .tokenStalled,
            .flood,
        ]
        var campaign = Campaign(
            FaultPlan(seed: 11, count: kinds.count, kinds: kinds), root: root,
            binaries: Self.binaries(root), folder: folder.path)
        campaign.lanes = 6
        let result = try await campaign.run()
        #expect(result.violations.isEmpty, "\(result.summary)")
        #expect(result.faults == kinds.count && result.approvalsTold > 50, "\(result.summary)")
        #expect(result.replaysSent > 0 && result.notDecided + result.unanswered > 0, "\(result.summary)")
    }

    /// `swift test` runs the bundle from another place than `swift build` puts executables; both are known.
    private static func binaries(_ root: String) -> String {
        let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
        let candidates = [beside, "\(root)/.build/debug", "\(root)/.build/out/Products/Debug"]
        return candidates.first { FileManager.default.isExecutableFile(atPath: "\($0)/issuer-host") }
            ?? "\(root)/.build/debug"
    }
}
