internal import ArgumentParser
internal import Authorisation
internal import CardStateStore
internal import Foundation
internal import IssuerConfiguration
internal import IssuerMessages
internal import NIOPosix
internal import ProgramEntry
internal import Redis

struct JournalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "The journal of all decisions: export and trimming.",
        subcommands: [Export.self, Follow.self, Trim.self])

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print entries as JSON lines.",
            discussion: """
                Without --since, everything after the last export that was run with --mark. --mark remembers how \
                far this one came, once its last line is written; only what is before that mark can be trimmed. Of \
                exports with --mark one runs at a time.
                """)

        @OptionGroup var options: ConfigurationOption
        @Option(help: "ISO 8601, as in 2026-11-23T00:00:00Z.") var since: String?
        @Option(help: "File to write; standard output without it.") var out: String?
        @Flag(help: "Remember how far this export came.") var mark = false

        func run() async throws {
            let since = try since.map(milliseconds)
            let journal = try await OpenJournal(options.config)
            let output = try outputFile()
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            var count = 0
            let holder = "\(ProcessInfo.processInfo.hostName) \(ProcessInfo.processInfo.processIdentifier)"
            if mark {
                guard try await journal.journal.takeExport(holder) else {
                    throw Refusal("another export with --mark is under way")
                }
            }
            let marks = since == nil || mark ? try await journal.journal.marks() : [:]
            let ends = try await journal.journal.export(since: since, marks: marks) { bucket, items in
                // It may take longer than the lock lasts.
                if mark, try await !journal.journal.takeExport(holder) { throw MarkMoved(bucket: bucket) }
                for item in items {
                    try output.write(
                        contentsOf: encoder.encode(JournalLine(item, bucket: bucket)) + Data([0x0A]))
                }
                count += items.count
            }
            if out != nil { try output.synchronize() }
            if mark {
                try await journal.journal.markExported(ends, since: marks)
                try await journal.journal.releaseExport(holder)
            }
            await journal.close()
            FileHandle.standardError.write(Data("\(count) entries exported\(mark ? ", marked" : "")\n".utf8))
        }

        private func outputFile() throws -> FileHandle {
            guard let out else { return .standardOutput }
            guard FileManager.default.createFile(atPath: out, contents: nil),
                let file = FileHandle(forWritingAtPath: out)
            else { throw Refusal("\(out) cannot be written") }
            return file
        }
    }

    struct Follow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print entries as JSON lines, and go on with those to come.",
            discussion: """
                Readers of one group share the entries; each entry is printed at least once to the group, and again \
                where a reader ended before it had acknowledged it. An entry is acknowledged once its line is \
                written. One reader gets a card's new entries in the order of the journal. `trim` keeps what a group has not \
                acknowledged, for as long as the group exists. Ends with SIGINT or SIGTERM.
                """)

        @OptionGroup var options: ConfigurationOption
        @Option(help: "The group: one for each system that gets all entries.") var group: String
        @Option(help: "This reader's name in the group; by itself host and process.") var reader: String?
        @Flag(help: "End once there is nothing new.") var once = false
        @Flag(help: "Remove the group: what it has not acknowledged may be trimmed then.") var remove = false

        func validate() throws {
            guard !group.isEmpty, group.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw ValidationError("--group: printable characters without blanks")
            }
        }

        func run() async throws {
            let open = try await OpenJournal(options.config)
            let journal = open.journal
            if remove {
                try await journal.removeGroup(group)
                await open.close()
                return print("group \(group) removed")
            }
            let process = "\(ProcessInfo.processInfo.hostName)-\(ProcessInfo.processInfo.processIdentifier)"
            try await journal.makeGroup(group)
            var printed = 0
            repeat {
                var found = 0
                for bucket in 0..<open.buckets {
                    for again in [true, false] {
                        found += try await pass(on: journal, bucket, reader: reader ?? process, again: again)
                    }
                }
                printed += found
                if once, found == 0 { break }
                if found == 0 { try await Task.sleep(for: .milliseconds(200)) }
            } while true
            await open.close()
            FileHandle.standardError.write(Data("\(printed) entries\n".utf8))
        }

        private func pass(
            on journal: RedisJournal, _ bucket: Int, reader: String, again: Bool
        ) async throws -> Int {
            let (items, identifiers) = try await journal.next(
                bucket, group: group, reader: reader, again: again)
            guard !items.isEmpty else { return 0 }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            var lines = Data()
            for item in items {
                lines += try encoder.encode(JournalLine(item, bucket: bucket)) + Data([0x0A])
            }
            // Written before it is acknowledged: a reader that is killed between the two prints it again.
            try FileHandle.standardOutput.write(contentsOf: lines)
            try await journal.acknowledge(identifiers, bucket, group: group)
            return items.count
        }
    }

    struct Trim: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop entries that are older than a moment and were exported with --mark.")

        @OptionGroup var options: ConfigurationOption
        @Option(help: "ISO 8601; entries before it may go.") var before: String

        func run() async throws {
            let before = try milliseconds(before)
            let journal = try await OpenJournal(options.config)
            let dropped = try await journal.journal.trim(before: before)
            await journal.close()
            print("\(dropped) entries dropped")
        }
    }
}

private func milliseconds(_ text: String) throws -> Int64 {
    guard let date = try? Date(text, strategy: .iso8601) else {
        throw ValidationError("\(text): not a time like 2026-11-23T00:00:00Z")
    }
    return Int64(date.timeIntervalSince1970 * 1_000)
}

private struct OpenJournal {
    let journal: RedisJournal
    let buckets: Int
    private let store: StateStore

    init(_ path: String) async throws {
        let configuration = try IssuerConfiguration(path: path)
        store = StateStore(
            to: try configuration.storeLocation(), on: MultiThreadedEventLoopGroup.singleton.any())
        try await store.waitUntilReady(timeout: .seconds(5))
        buckets = configuration.redis.buckets
        journal = RedisJournal(store, settings: configuration.cardStateSettings)
    }

    func close() async { await store.close() }
}

/// One line of an export. No PAN, no PIN, no key: the card is its token.
private struct JournalLine: Encodable {
    struct Check: Encodable {
        let rule: String
        let verdict: String
        let reason: String
    }

    struct Change: Encodable {
        let operation: String
        let value: String
        let before: String
        let user: String
        let reason: String
    }

    var id: String
    var bucket: Int
    var kind: String
    var time: String?
    var card: String?
    /// The name that the entry has, where that is one of the layout before.
    var formerCard: String?
    var rrn: String?
    var stan: UInt32?
    var link: String?
    /// What was asked for: `purchase`, `purchase, approved elsewhere`, `reversal` …
    var transaction: String?
    var range: String?
    var minorUnits: Int64?
    var currency: String?
    /// What it comes to for an account in another currency, and by which rate.
    var billedMinorUnits: Int64?
    var billedCurrency: String?
    var rate: String?
    var profile: String?
    var derivationKeyIndex: UInt8?
    var keyVersion: String?
    var atc: UInt16?
    var atcFinding: String?
    var chipResult: String?
    var de39: String?
    var outcome: String?
    var approvalCode: String?
    var pinTriesLeft: Int?
    var availableMinorUnits: Int64?
    /// What the store did beside the usual: `given back`, `replaced`, `in part` …
    var effect: String?
    /// Where less was taken than `minorUnits`.
    var takenMinorUnits: Int64?
    /// What an earlier transaction had taken and has no more.
    var givenBackMinorUnits: Int64?
    var stageMicroseconds: [String: UInt64]?
    var trace: [Check]?
    var change: Change?

    init(_ item: JournalItem, bucket: Int) {
        var item = item
        if case .former(let entry, let card) = item { (item, formerCard) = (entry, card) }
        self.bucket = bucket
        switch item {
        case .unreadable(let identifier):
            (id, kind) = (identifier, "unreadable")
        case .former: (id, kind) = ("", "unreadable")
        case .change(let identifier, let parts, let card):
            (id, kind, self.card) = (identifier, "change", card)
            time = Double(parts[4]).map { Date(timeIntervalSince1970: $0).formatted(.iso8601) }
            change = Change(
                operation: parts[0], value: parts[1], before: parts[2], user: parts[3], reason: parts[5])
        case .note(let identifier, let note, let card):
            (id, kind, self.card) = (identifier, note.event.kind, card.isEmpty ? nil : card)
            set(note)
        case .decision(let record, let card):
            (id, kind, self.card) = (record.identifier, "decision", card)
            set(record)
        }
    }

    private mutating func set(_ note: JournalNote) {
        time = Date(timeIntervalSince1970: TimeInterval(note.unixSeconds)).formatted(.iso8601)
        outcome = note.event.words
        if case .notKept = note.event { return }
        rrn = String(decoding: note.retrievalReferenceNumber, as: UTF8.self)
        (stan, link, atc, transaction) = (note.systemsTraceAuditNumber, note.link, note.atc, note.transaction)
        (minorUnits, currency) = (note.amount?.minorUnits, note.amount?.currency.description)
        chipResult = note.chipResult?.words
        if case .undecided = note.event { de39 = ResponseCode.issuerUnavailable.rawValue }
    }

    private mutating func set(_ record: JournalRecord) {
        let entry = record.entry
        transaction =
            entry.trace.lines.first { $0.rule == .transaction }?.reason ?? TransactionKind.purchase.words
        effect = record.effect?.kind
        takenMinorUnits = record.effect?.takenMinorUnits
        givenBackMinorUnits = record.effect?.givenBackMinorUnits
        time = Date(timeIntervalSince1970: TimeInterval(entry.unixSeconds)).formatted(.iso8601)
        rrn = String(decoding: entry.retrievalReferenceNumber, as: UTF8.self)
        (stan, link, range) = (entry.systemsTraceAuditNumber, entry.link, entry.range)
        (minorUnits, currency) = (entry.amount.minorUnits, entry.amount.currency.description)
        billedMinorUnits = entry.charge?.amount.minorUnits
        (billedCurrency, rate) = (entry.charge?.amount.currency.description, entry.charge?.rate?.description)
        (profile, derivationKeyIndex, atc) = (entry.profile, entry.derivationKeyIndex, entry.atc)
        keyVersion = entry.keyVersion.isEmpty ? nil : entry.keyVersion
        atcFinding = record.atc.words
        chipResult = ChipResult(entry.trace, atc: record.atc).words
        de39 = (record.declined.map(ResponseCode.init) ?? .approved).rawValue
        outcome = record.declined?.words ?? "approved"
        approvalCode = record.declined == nil ? String(decoding: record.approvalCode, as: UTF8.self) : nil
        (pinTriesLeft, availableMinorUnits) = (record.pinTriesLeft, record.availableMinorUnits)
        var times = ["evidence": UInt64(entry.microsecondsUntilEvidence)]
        for stage in Stage.allCases { times[stage.name] = entry.times[stage].map { $0 / 1_000 } }
        stageMicroseconds = times
        trace = entry.trace.lines.map {
            Check(rule: $0.rule.words, verdict: $0.verdict.words, reason: $0.reason)
        }
    }
}
