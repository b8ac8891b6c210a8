import ByteCoding
import EMV
import Foundation
import ISO8583
import LibCrypto
import Synchronization
import TerminalSimulator
import VirtualCard

/// Where the tests find the project's files, and what they make of them.
enum TestData {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static var issuerPath: String { root.appending(path: "Config/demo/demo-issuer.json").path() }

    static func codec(_ dialect: String) throws -> MessageCodec {
        MessageCodec(
            dialect: try Dialect(contentsOf: root.appending(path: "Config/iso8583/\(dialect).json").path()))
    }

    /// A folder that nobody else has; removed by whoever made it.
    static func temporaryFolder() -> String {
        FileManager.default.temporaryDirectory.appending(path: "terminal-\(UUID().uuidString)").path
    }

    /// Time and chance that are the same in every run.
    static func stillSurroundings(unixSeconds: Int64 = 1_795_500_000) -> TerminalSurroundings {
        let state = SequenceOfNumbers()
        return TerminalSurroundings(unixSeconds: { unixSeconds }, random: { state.next() })
    }

    static func configuration(portA: UInt16, portB: UInt16, state: String) throws -> SimulatorConfiguration {
        let yaml = """
            demo: {issuer: Config/demo/demo-issuer.json, cardState: \(state)}
            dialects: Config/iso8583
            links:
              acquirer-b: {host: 127.0.0.1, port: \(portB), dialect: bcd87-rightF, zonePINKey: zpk-acquirer-b}
              acquirer-a: {host: 0.0.0.0, port: \(portA), dialect: ascii87-binbitmap, framing: 2be,
                zonePINKey: zpk-acquirer-a, drainSeconds: 5}
            redis: {socket: ignored}
            """
        return try SimulatorConfiguration(yaml: yaml, path: "test.yaml", folder: root.path())
    }

    static func digits(of pan: PAN) -> String {
        (0..<pan.digitCount).map { String(pan.digit(at: $0)) }.joined()
    }

    /// What no text for people may contain. PINs of four digits occur in dates and amounts by chance: of those
    /// only the longer ones are looked for.
    static func secrets(_ issuer: DemoIssuer) throws -> [String] {
        let file = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(filePath: issuerPath)))
        let object = file as? [String: Any]
        let cards = object?["cards"] as? [[String: Any]] ?? []
        let keys = object?["keys"] as? [String: [String: String]] ?? [:]
        let pins = cards.compactMap { $0["pin"] as? String }.filter { $0.count > 4 }
        return cards.compactMap { $0["pan"] as? String } + pins + keys.values.compactMap { $0["value"] }
    }
}

private final class SequenceOfNumbers: Sendable {
    private let state = Atomic<UInt64>(2026)

    func next() -> UInt32 {
        let value = state.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        return UInt32(truncatingIfNeeded: (value ^ value >> 29) &* 0xBF58_476D_1CE4_E5B9 >> 32)
    }
}
