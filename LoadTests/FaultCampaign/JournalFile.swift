internal import Foundation

/// One decision of an exported journal, as far as the audit looks at it.
struct JournalledDecision: Decodable, Sendable {
    let id: String
    let bucket: Int
    let kind: String
    let card: String?
    let rrn: String?
    let minorUnits: Int64?
    let atc: UInt16?
    let atcFinding: String?
    let de39: String?
    let outcome: String?
    let approvalCode: String?
    let pinTriesLeft: Int?

    /// All lines of an export, in its order: within a bucket that of the decisions.
    static func read(_ path: String) throws -> [JournalledDecision] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let decoder = JSONDecoder()
        return try text.split(separator: "\n").map { line in
            do { return try decoder.decode(JournalledDecision.self, from: Data(line.utf8)) } catch {
                throw CampaignError("a line of the journal's export cannot be read: \(error)")
            }
        }
    }
}

/// What a card's record holds after everything.
struct StoredBalance: Equatable, Sendable {
    let availableMinorUnits: Int64
    let pinTriesUsed: Int
    let highestATC: UInt16?
}
