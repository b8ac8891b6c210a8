import EMV
import Testing

@testable import Authorisation

/// A failed expectation prints the values in it, and what these show of themselves: no PAN, no PIN block, no reference.
@Suite struct UndescribedTests {
    private static let block: UInt64 = 0x1122_3344_5566_7788

    @Test func noBlockAndNoNumberIsInWhatARequestShows() throws {
        let scene = try CardScene(pin: Self.block)
        let draft = Draft {
            $0.entry = .chip(5, plastic: 1)
            $0.pin = Self.block
        }
        let request = try draft.asRequest()
        let record = try #require(scene.record)
        let script = QueuedScript(
            identifier: 1, command: try #require(ScriptCommand(.pinChange)),
            newPIN: NewPIN(
                zonePINKey: KeyName("zpk"), block: EncipheredPINBlock(rawValue: Self.block)),
            newReference: EncipheredPINBlock(rawValue: Self.block))
        let values: [(String, Any)] = [
            ("request", request),
            ("message", try draft.message(policy: CardPolicy(), now: scene.now, random: 1)),
            ("record", record), ("plastics", record.plastics), ("script", script),
            ("chip data", try ICCData(parsing: [0x5A, 8, 0x47, 0x61, 0x73, 0x90, 0x01, 0x01, 0x00, 0x10])),
            ("reading", CardReading(record: record, past: [])),
        ]
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: Self.block >> UInt64(56 - 8 * $0)) }
        let forms = [
            "\(Self.block)", String(Self.block, radix: 16), "\(bytes)".dropLast().dropFirst().description,
            "4761739001010010", "71, 97, 115, 144",
        ]
        for (name, value) in values {
            var dumped = ""
            dump(value, to: &dumped)
            for text in [String(describing: value), String(reflecting: value), dumped] {
                let showsIt = forms.contains { text.contains($0) }
                #expect(!showsIt, "\(name)")
            }
        }
    }
}
