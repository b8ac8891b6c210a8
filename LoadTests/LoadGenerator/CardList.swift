internal import ByteCoding
internal import EMV
internal import Foundation
package import VirtualCard

/// The population as `issuer-host cards import` reads it.
package enum CardList {
    /// Writes the cards of a profile. PINs are given as reference blocks under the test verification key, which
    /// spares the token one unwrapping a card.
    /// - Parameter clearPINs: true gives them as they are instead; the token then makes the blocks.
    package static func write(
        _ profile: LoadProfile, issuer: DemoIssuer, to path: String, clearPINs: Bool = false
    ) throws {
        let plan = try CardPlan(profile, issuer: issuer)
        var pad = try PINPad(zonePINKey: issuer.key("pvk"))
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw LoadSetupError("cannot write \(path)") }
        defer { try? file.close() }
        var text = "{\"cards\":[\n"
        for number in 0..<profile.cards {
            let identity = try plan.identity(of: number)
            guard let pin = Population.pin(of: number) else { throw LoadSetupError("card \(number): no PIN") }
            let definition = plan.products[plan.product(of: number)].definition
            let pan = String(
                decoding: (0..<identity.pan.digitCount).map { 0x30 + identity.pan.digit(at: $0) },
                as: UTF8.self)
            var secret = "\"pin\":\"\(digits((number * 7_919 + 1_234) % 10_000, count: 4))\""
            if !clearPINs {
                let block = try pad.block(pin, pan: identity.pan, fill: 0).rawValue
                secret = "\"pinReference\":\"\(hexadecimal(block))\""
            }
            text += number == 0 ? "" : ",\n"
            text += "{\"name\":\"load-\(number)\",\"pan\":\"\(pan)\","
            if let sequence = identity.panSequenceNumber { text += "\"panSequenceNumber\":\"\(sequence)\"," }
            text += "\"expiry\":\"\(definition.expiry)\",\"status\":\"active\",\"currency\":\"752\","
            text += "\"cryptogramProfile\":\"\(definition.product.profile.name)\",\(secret),"
            text += "\"availableMinorUnits\":\(Population.availableMinorUnits)}"
            if text.utf8.count > 1 << 20 {
                try file.write(contentsOf: Data(text.utf8))
                text = ""
            }
        }
        try file.write(contentsOf: Data((text + "\n]}\n").utf8))
    }

    private static func hexadecimal(_ block: UInt64) -> String {
        Hex.encode((0..<8).map { UInt8(truncatingIfNeeded: block >> UInt64(56 - 8 * $0)) })
    }
}
