internal import ByteCoding
internal import EMV
package import VirtualCard

/// A conversation as text: every command and object by name, accounts masked.
package enum ConversationText {
    /// Commands in order, then what was decided.
    package static func lines(_ conversation: CardConversation) -> [String] {
        conversation.commands.flatMap(lines)
            + [
                "95 = \(hex(conversation.verificationResults, 5))"
                    + "  9F34 = \(hex(UInt64(conversation.verificationMethodResults), 3))"
            ]
            + conversation.notes
    }

    private static func lines(_ command: CardCommand) -> [String] {
        var lines = ["\(command.name)  [\(Hex.encode(command.header))]"]
        var writer = TLVWriter()
        for (tag, value) in command.sent { writer.append(tag, value) }
        lines += objects(writer.bytes, mark: ">")
        // A challenge is no object: eight bytes of chance.
        let isChallenge = command.header.dropFirst().first == 0x84
        lines += isChallenge ? ["  < \(Hex.encode(command.received))"] : objects(command.received, mark: "<")
        lines.append("  < \(hex(UInt64(command.status), 2))")
        return lines
    }

    private static func objects(_ bytes: [UInt8], mark: String) -> [String] {
        guard let lines = try? ChipDataListing.lines(bytes[...]) else { return ["  \(mark) not readable"] }
        return lines.map { line in
            let indent = String(repeating: "  ", count: line.depth)
            let name = line.name == "(not in the table)" ? names[line.tag.rawValue] ?? line.name : line.name
            return "  \(mark) \(indent)\(line.tag) \(name)  \(line.value)"
        }
    }

    /// Objects that occur between card and terminal only (EMV Book 3 annex A).
    private static let names: [UInt32: String] = [
        0x61: "Application Template", 0x6F: "File Control Information", 0x70: "Record Template",
        0x77: "Response Message Template", 0x87: "Application Priority Indicator", 0x8C: "CDOL1",
        0x8D: "CDOL2", 0x8E: "CVM List", 0x94: "Application File Locator",
        0xA5: "FCI Proprietary Template", 0xBF0C: "FCI Issuer Discretionary Data",
        0x9F0D: "Issuer Action Code, Default", 0x9F0E: "Issuer Action Code, Denial",
        0x9F0F: "Issuer Action Code, Online", 0x9F13: "Last Online ATC Register",
        0x9F14: "Lower Consecutive Offline Limit", 0x9F17: "PIN Try Counter",
        0x9F23: "Upper Consecutive Offline Limit",
    ]

    private static func hex(_ number: UInt64, _ count: Int) -> String {
        Hex.encode((0..<count).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * (count - 1 - $0))) })
    }
}

/// The card decided without the issuer: there is nothing to send.
package struct OfflineDecision: Error, Sendable {
    /// TC or AAC.
    package let approved: Bool
}
