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

    /// The simulator's own CA and issuer.
    static func scheme() throws -> TestScheme {
        try TestScheme(contentsOf: root.appending(path: "Config/demo/test-scheme.json").path())
    }

    static func caKeys() throws -> CAKeys {
        let data = try Data(contentsOf: root.appending(path: "Config/demo/ca-keys.json"))
        return try CAKeys(JSONDecoder().decode(CAKeyFile.self, from: data), .libcrypto)
    }

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
        try configuration(
            links: """
                  acquirer-b: {host: 127.0.0.1, port: \(portB), dialect: bcd87-rightF, zonePINKey: zpk-acquirer-b}
                  acquirer-a: {host: 0.0.0.0, port: \(portA), dialect: ascii87-binbitmap, framing: 2be,
                    zonePINKey: zpk-acquirer-a, inFlightMax: 5}
                """, state: state)
    }

    /// A host's whole file with these links.
    static func file(links: String, state: String) -> String {
        """
        profile: demo
        dialects: \(root.path())/Config/iso8583
        token: {module: module.so, uri: "pkcs11:token=t"}
        keys: {panHash: pan-hash}
        issuers:
          visa: {prefix: "476173", issuerMasterKey: imk-ac-476173, profiles: [visa-cvn10]}
        links:
        \(links)
        demo: {issuer: \(root.path())/Config/demo/demo-issuer.json, cardState: \(state)}
        """
    }

    static func configuration(links: String, state: String) throws -> SimulatorConfiguration {
        try configuration(file(links: links, state: state))
    }

    static func configuration(_ text: String) throws -> SimulatorConfiguration {
        let path = temporaryFolder() + ".yaml"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try SimulatorConfiguration(contentsOf: path)
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
