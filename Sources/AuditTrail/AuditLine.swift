internal import ByteCoding
internal import Foundation

/// One line of the log: JSON, its parts in a fixed order, the seal last. The seal covers every byte before it;
/// `previous` is the SHA-256 of the whole line before, seal included.
package struct AuditLine: Sendable {
    /// 1 for the first line.
    package let sequence: UInt64
    /// UTC, ISO 8601.
    package let time: String
    /// The program.
    package let process: String
    /// Its process number.
    package let processIdentifier: Int32
    /// The user who ran it.
    package let user: String
    /// What happened.
    package let event: AuditEvent
    /// SHA-256 of the line before; zeros before the first line.
    let previous: [UInt8]
    /// HMAC-SHA-256 under the token's key.
    let seal: [UInt8]
    /// What the seal covers.
    let sealed: [UInt8]
    /// What people sign: all before their signatures, the line before it included.
    package let signed: [UInt8]
    /// By name; whether they are right is for those who know the keys.
    package let signatures: [String: [UInt8]]
    /// SHA-256 of the whole line; empty until it was computed.
    package internal(set) var hash: [UInt8] = []

    static let noPrevious = [UInt8](repeating: 0, count: 32)
    private static let signatureMark = Array(#","signatures":{"#.utf8)
    private static let sealMark = Array(#","seal":""#.utf8)

    /// The bytes that a seal is to cover.
    static func unsealed(
        sequence: UInt64, time: String, process: String, processIdentifier: Int32, user: String,
        event: AuditEvent, previous: [UInt8]
    ) -> [UInt8] {
        var parts = [
            "\"sequence\":\(sequence)", "\"time\":\(quoted(time))", "\"process\":\(quoted(process))",
            "\"pid\":\(processIdentifier)", "\"user\":\(quoted(user))",
            "\"event\":\(quoted(event.kind.rawValue))",
        ]
        if let key = event.key { parts.append("\"key\":\(quoted(key))") }
        if !event.details.isEmpty {
            let details = event.details.sorted { $0.key < $1.key }
                .map { "\(quoted($0.key)):\(quoted($0.value))" }
            parts.append("\"details\":{\(details.joined(separator: ","))}")
        }
        parts.append("\"previous\":\"\(Hex.encode(previous))\"")
        return Array(("{" + parts.joined(separator: ",")).utf8)
    }

    /// The bytes with the signatures behind them.
    static func signed(_ unsealed: [UInt8], _ signatures: [(name: String, value: [UInt8])]) -> [UInt8] {
        guard !signatures.isEmpty else { return unsealed }
        let all = signatures.map { "\(quoted($0.name)):\"\(Hex.encode($0.value))\"" }
        return unsealed + signatureMark + Array(all.joined(separator: ",").utf8) + Array("}".utf8)
    }

    /// The whole line without its line feed.
    static func line(_ unsealed: [UInt8], seal: [UInt8]) -> [UInt8] {
        unsealed + sealMark + Array(Hex.encode(seal).utf8) + Array("\"}".utf8)
    }

    /// - Returns: nil for bytes that are no line of a log.
    init?(_ bytes: ArraySlice<UInt8>) {
        struct Parts: Decodable {
            let sequence: UInt64
            let time: String
            let process: String
            let pid: Int32
            let user: String
            let event: String
            let key: String?
            let details: [String: String]?
            let previous: String
            let signatures: [String: String]?
            let seal: String
        }
        guard let parts = try? JSONDecoder().decode(Parts.self, from: Data(bytes)),
            let previous = try? Hex.decode(parts.previous), previous.count == 32,
            let seal = try? Hex.decode(parts.seal), seal.count == 32
        else { return nil }
        // The mark, 64 digits, a quote and a brace.
        let end = bytes.endIndex - AuditLine.sealMark.count - 66
        guard end > bytes.startIndex, bytes[end...].starts(with: AuditLine.sealMark) else { return nil }
        let sealed = Array(bytes[..<end])
        self.sealed = sealed
        signatures = (parts.signatures ?? [:]).compactMapValues { try? Hex.decode($0) }
        // A quote within a text is escaped, so the mark stands nowhere else.
        let mark =
            parts.signatures == nil ? nil : sealed.firstRange(of: AuditLine.signatureMark)?.lowerBound
        signed = Array(sealed[..<(mark ?? sealed.endIndex)])
        (sequence, time, process) = (parts.sequence, parts.time, parts.process)
        (processIdentifier, user) = (parts.pid, parts.user)
        event = AuditEvent(
            AuditEvent.Kind(rawValue: parts.event), key: parts.key, details: parts.details ?? [:])
        (self.previous, self.seal) = (previous, seal)
        guard isAsWritten(parts.signatures ?? [:]) else { return nil }
    }

    /// Whether the bytes are those, and no others, that this event is written as. A name that stands twice in JSON, the
    /// second time behind what people signed, would be read as something that they did not sign.
    private func isAsWritten(_ signatures: [String: String]) -> Bool {
        let unsealed = AuditLine.unsealed(
            sequence: sequence, time: time, process: process, processIdentifier: processIdentifier,
            user: user, event: event, previous: previous)
        guard signed == unsealed else { return false }
        let behind = sealed.dropFirst(signed.count)
        guard !signatures.isEmpty else { return behind.isEmpty }
        // In the order of their places: that in which people signed.
        let all = signatures.map { Array("\(AuditLine.quoted($0.key)):\"\($0.value)\"".utf8) }
        let placed = all.compactMap { text in behind.firstRange(of: text).map { ($0.lowerBound, text) } }
        let texts = placed.sorted { $0.0 < $1.0 }.map(\.1)
        return texts.count == all.count
            && Array(behind) == AuditLine.signatureMark + texts.joined(separator: [0x2C]) + [0x7D]
    }

    /// A JSON string (RFC 8259, 7): one line whatever is in it.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
