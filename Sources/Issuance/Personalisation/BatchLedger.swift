internal import Foundation
internal import Glibc

/// What a batch has done, on disk before anything that cannot be undone: a line of JSON for each step. A batch goes on
/// where its ledger ends, whatever became of the program.
package final class BatchLedger: @unchecked Sendable {
    // Sendable because everything that changes is only touched under `condition`.

    /// Where an order stands.
    package enum State: String, Codable, Sendable {
        /// A chip was begun for it and has not had the last command: any other chip can have it.
        case begun
        /// The last command was about to go: this chip has it, or none.
        case finishing
        /// A chip has it.
        case done
        /// It turned out that no chip has it.
        case released
    }

    private struct Line: Codable {
        let card: Int
        let state: State
        var chip: String?
        var record: CardRecord?
    }

    private struct Head: Codable {
        let batch: String
        let cards: Int
    }

    private let condition = NSCondition()
    private let file: FileHandle
    private let path: String
    private var states: [Int: State] = [:]
    private var records: [Int: CardRecord] = [:]
    /// Chips that were begun, in order, with what became of them.
    private var chips: [(chip: String, card: Int)] = []
    /// Lines that were written here, and how many of them are on the disk.
    private var (written, safe) = (0, 0)
    private var isSyncing = false
    private var hasFailed = false

    /// Opens or goes on with a ledger.
    /// - Parameters:
    ///   - batch: says what is personalised; the ledger of anything else is refused.
    ///   - cards: in the list.
    package init(path: String, batch: String, cards: Int) throws {
        self.path = path
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw IssuanceError(path, "cannot be opened: \(String(cString: strerror(errno)))")
        }
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw IssuanceError(path, "another program works on this batch")
        }
        let data = try file.readToEnd() ?? Data()
        var kept = 0
        var isFirst = true
        // A line that was not finished was not done.
        for text in data.split(separator: 0x0A, omittingEmptySubsequences: false)
        where kept + text.count < data.count {
            try isFirst ? check(Data(text), batch, cards: cards) : read(Data(text), cards)
            isFirst = false
            kept += text.count + 1
        }
        try file.truncate(atOffset: UInt64(kept))
        if isFirst { try write(try JSONEncoder().encode(Head(batch: batch, cards: cards))) }
    }

    /// The ledger of a batch that was broken off; nil where there is none.
    package static func existing(path: String, batch: String, cards: Int) throws -> BatchLedger? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try BatchLedger(path: path, batch: batch, cards: cards)
    }

    private func check(_ text: Data, _ batch: String, cards: Int) throws {
        guard let head = try? JSONDecoder().decode(Head.self, from: text), head.batch == batch,
            head.cards == cards
        else { throw IssuanceError(path, "is of another batch; take it away to begin anew") }
    }

    private func read(_ text: Data, _ cards: Int) throws {
        guard let line = try? JSONDecoder().decode(Line.self, from: text), (1...cards).contains(line.card)
        else {
            throw IssuanceError(path, "is damaged; it cannot be known which cards are done")
        }
        take(line)
    }

    private func take(_ line: Line) {
        states[line.card] = line.state
        if let record = line.record { records[line.card] = record }
        if line.state == .begun, let chip = line.chip { chips.append((chip, line.card)) }
    }

    private func write(_ data: Data) throws {
        try file.write(contentsOf: data + [0x0A])
    }

    private func append(_ line: Line, isSafe: Bool) throws {
        condition.lock()
        defer { condition.unlock() }
        try write(try JSONEncoder().encode(line))
        take(line)
        written += 1
        // What says that a card may be personalised has to outlive the machine.
        if isSafe { try waitUntilSafe(written) }
    }

    /// Lines of many threads go to the disk together: those that come while it is at work go with its next turn. Called
    /// and left with the lock held.
    private func waitUntilSafe(_ number: Int) throws {
        while safe < number {
            guard !hasFailed else { throw IssuanceError(path, "cannot be written") }
            guard !isSyncing else {
                condition.wait()
                continue
            }
            isSyncing = true
            let reached = written
            condition.unlock()
            let result = fsync(file.fileDescriptor)
            condition.lock()
            isSyncing = false
            if result == 0 { safe = reached } else { hasFailed = true }
            condition.broadcast()
        }
    }

    /// A chip is begun.
    package func begin(_ card: Int, chip: String) throws {
        try append(Line(card: card, state: .begun, chip: chip), isSafe: false)
    }

    /// The last command is about to go.
    package func finish(_ record: CardRecord) throws {
        try append(Line(card: record.card, state: .finishing, record: record), isSafe: true)
    }

    /// The chip has it.
    package func complete(_ card: Int) throws {
        try append(Line(card: card, state: .done), isSafe: true)
    }

    /// No chip has it.
    package func release(_ card: Int) throws {
        try append(Line(card: card, state: .released), isSafe: true)
    }

    /// Cards of the list that are still to be made, from 1.
    package func left(of cards: Int) -> [Int] {
        condition.lock()
        defer { condition.unlock() }
        return (1...cards).filter { states[$0] != .done && states[$0] != .finishing }
    }

    /// Cards that one chip has, or none.
    package var inDoubt: [CardRecord] {
        condition.lock()
        defer { condition.unlock() }
        return states.filter { $0.value == .finishing }.keys.sorted().compactMap { records[$0] }
    }

    /// Cards in doubt whose chip is found to have no card: it opened a channel as a fresh one does, or has got another.
    /// - Parameter taker: the card that the chip has now, or gets.
    /// - Returns: the cards; no chip has them.
    package func release(inDoubtIn chip: String, taker: Int) throws -> [Int] {
        let freed = inDoubt.filter { $0.chip == chip && $0.card != taker }.map(\.card)
        for card in freed { try release(card) }
        return freed
    }

    /// What the cards have that are done, by their place.
    package var done: [CardRecord] {
        condition.lock()
        defer { condition.unlock() }
        return states.filter { $0.value == .done }.keys.sorted().compactMap { records[$0] }
    }

    /// Chips that were begun and have no card's data now: they are good for another, or for the shredder.
    package var spoiled: [String] {
        condition.lock()
        defer { condition.unlock() }
        let used = Set(records.filter { states[$0.key] != .released }.values.map(\.chip))
        var seen: Set<String> = []
        return chips.map(\.chip).filter { !used.contains($0) && seen.insert($0).inserted }
    }

    /// Takes the file away once the report stands.
    package func remove() { try? FileManager.default.removeItem(atPath: path) }
}
