internal import Foundation

/// One decision of an exported journal, as far as the audit looks at it.
struct JournalledDecision: Decodable, Sendable {
    let id: String
    let bucket: Int
    /// `decision`, or what else happened: `undecided`, `late`.
    let kind: String
    let transaction: String?
    let card: String?
    let rrn: String?
    let minorUnits: Int64?
    let atc: UInt16?
    let atcFinding: String?
    let de39: String?
    let outcome: String?
    let approvalCode: String?
    let pinTriesLeft: Int?
    let takenMinorUnits: Int64?
    let givenBackMinorUnits: Int64?

    var isReversal: Bool { transaction?.contains("reversal") == true }

    /// What it took of the card's money.
    var taken: Int64 {
        de39 == "00" && !isReversal ? takenMinorUnits ?? minorUnits ?? 0 : 0
    }

    /// What it gave back of an earlier one's.
    var givenBack: Int64 { de39 == "00" ? givenBackMinorUnits ?? 0 : 0 }

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
