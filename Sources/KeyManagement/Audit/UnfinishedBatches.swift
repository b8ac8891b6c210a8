internal import AuditTrail
internal import ByteCoding

/// Batches of cards that were begun and have not ended, as a trail tells of them. A program that was ended leaves lines of
/// cards without the line of their batch: no finding, since people approved each of them, but something that they have to
/// end or account for.
struct UnfinishedBatches: Sendable {
    private struct Batch: Sendable {
        let begun: AuditLine
        let signers: [String]
        var cards: Set<String> = []
        var last: UInt64?
    }

    private var open: [String: Batch] = [:]

    /// - Parameter lines: those whose seal is right, in the order of the log.
    init(_ lines: [AuditLine], operators: OperatorRegister?) {
        for line in lines {
            let details = line.event.details
            guard let list = details["list"] else { continue }
            switch line.event.kind {
            case .commandStarted where details["command"] == "personalise":
                // Gone on with: cards of before count on.
                let before = open[list]
                open[list] = Batch(
                    begun: line, signers: operators?.signers(of: line).sorted() ?? [],
                    cards: before?.cards ?? [], last: before?.last)
            case .cardCertified:
                if let card = details["card"] { open[list]?.cards.insert(card) }
                open[list]?.last = line.sequence
            case .cardsPersonalised:
                // A batch into chips says what is left of it.
                let isWhole = ["left", "in-doubt"].allSatisfy { (details[$0] ?? "0") == "0" }
                if isWhole { open[list] = nil }
            default: continue
            }
        }
    }

    /// A line each, oldest first.
    var words: [String] {
        open.sorted { $0.value.begun.sequence < $1.value.begun.sequence }.map { list, batch in
            let details = batch.begun.event.details
            let approved =
                batch.signers.isEmpty ? "" : ", approved by \(batch.signers.joined(separator: ", "))"
            let made =
                batch.last.map { "; \(batch.cards.count) cards were certified, the last in line \($0)" } ?? ""
            return printable(
                "cards of list \(list.prefix(16)) (\(details["cards"] ?? "?")), begun in line "
                    + "\(batch.begun.sequence), \(batch.begun.time)\(approved)\(made): the batch has not ended. The same "
                    + "command goes on with it; else its cards have to be accounted for")
        }
    }
}
