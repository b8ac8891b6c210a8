internal import ByteCoding
package import EMV

/// One command of an issuer script (tag 86).
package struct IssuerScriptCommand: Hashable, Sendable, CustomStringConvertible {
    /// 71: before the final cryptogram; 72: after it (EMV Book 3 10.10).
    package let template: Tag
    /// CLA, INS, P1, P2, Lc and data.
    package let bytes: [UInt8]
    /// Tag 9F18 of the script that it belongs to, 0 where there is none.
    package let script: UInt32

    /// The command's name and length; never its data, which may hold a PIN block.
    package var description: String {
        let head = Hex.encode(bytes.prefix(4))
        let name = bytes.count > 1 ? IssuerScriptCommand.names[bytes[1]] ?? "unknown" : "cut short"
        return "\(template) 86 \(head) \(name), \(max(0, bytes.count - 5)) bytes of data"
    }

    /// EMV Book 3 6.5 and table 6.
    private static let names: [UInt8: String] = [
        0x1E: "APPLICATION BLOCK", 0x18: "APPLICATION UNBLOCK", 0x16: "CARD BLOCK",
        0x24: "PIN CHANGE/UNBLOCK", 0xDA: "PUT DATA", 0xDC: "UPDATE RECORD",
    ]
}

/// Issuer scripts of an answer.
package enum IssuerScripts {
    /// The commands in order.
    /// - Parameter chipData: DE55 of the answer.
    package static func commands(in chipData: [UInt8]) throws(TLVError) -> [IssuerScriptCommand] {
        var found: [IssuerScriptCommand] = []
        for (tag, value) in try TLVReader.objects(in: chipData[...])
        where tag == .issuerScript1 || tag == .issuerScript2 {
            var script: UInt32 = 0
            for (inner, content) in try TLVReader.objects(in: value) {
                if inner == .issuerScriptIdentifier {
                    script = content.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
                } else if inner == .issuerScriptCommand {
                    found.append(IssuerScriptCommand(template: tag, bytes: Array(content), script: script))
                }
            }
        }
        return found
    }
}
