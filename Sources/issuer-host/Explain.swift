internal import ArgumentParser
internal import Authorisation
internal import ByteCoding
internal import CardStateStore
internal import Foundation
internal import IssuerConfiguration
internal import IssuerMessages
internal import NIOPosix
internal import Redis

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print why a transaction was decided as it was.",
        discussion:
            "Looks up the journal by retrieval reference number (DE37) and prints every check in order.")

    @OptionGroup var options: ConfigurationOption
    @Argument(help: "The retrieval reference number.") var rrn: String

    func run() async throws {
        let configuration = try IssuerConfiguration(path: options.config)
        let store = StateStore(
            to: try configuration.storeLocation(), on: MultiThreadedEventLoopGroup.singleton.any())
        try await store.waitUntilReady(timeout: .seconds(5))
        let found = try await RedisJournal(store, settings: configuration.cardStateSettings)
            .find(retrievalReferenceNumber: journalled(rrn))
        await store.close()
        guard !found.records.isEmpty || !found.notes.isEmpty else {
            print("nothing with retrieval reference number \(printable(rrn)) in the journal")
            throw ExitCode.failure
        }
        for record in found.records { print(text(record)) }
        for note in found.notes { print(text(note)) }
    }

    /// The journal has letters and digits only of DE37.
    private func journalled(_ number: String) -> String {
        String(number.filter { $0.isASCII && ($0.isLetter || $0.isNumber) })
    }

    private func text(_ note: JournalNote) -> String {
        let time = Date(timeIntervalSince1970: TimeInterval(note.unixSeconds)).formatted(.iso8601)
        var lines = [
            "\(time)  link \(note.link)  STAN \(note.systemsTraceAuditNumber)",
            "\(note.transaction)  amount \(note.amount.map { "\($0)" } ?? "-")  "
                + "ATC \(note.atc.map(String.init) ?? "-")",
            "  \(note.event.kind): \(note.event.words)",
        ]
        if let chip = note.chipResult {
            let code = ResponseCode.issuerUnavailable
            lines += ["chip result: \(chip.words)", "DE39 \(code.rawValue) \(code.words)"]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func text(_ record: JournalRecord) -> String {
        let entry = record.entry
        let code = record.declined.map(ResponseCode.init) ?? .approved
        let time = Date(timeIntervalSince1970: TimeInterval(entry.unixSeconds)).formatted(.iso8601)
        var lines = [
            "\(time)  link \(entry.link)  STAN \(entry.systemsTraceAuditNumber)  range \(entry.range)",
            "amount \(entry.amount)\(entry.charge.map { " = \($0.words)" } ?? "")  profile \(entry.profile)  "
                + "derivation key index \(entry.derivationKeyIndex.map(String.init) ?? "-")  "
                + (entry.keyVersion.isEmpty ? "" : "key version \(entry.keyVersion)  ")
                + "ATC \(entry.atc.map(String.init) ?? "-")",
        ]
        var trace = entry.trace
        trace.add(
            CommitResult(
                declined: record.declined, approvalCode: record.approvalCode, atc: record.atc,
                pinTriesLeft: record.pinTriesLeft, availableMinorUnits: record.availableMinorUnits,
                effect: record.effect))
        for line in trace.lines {
            let rule = line.rule.words.padding(toLength: 30, withPad: " ", startingAt: 0)
            let verdict = line.verdict.words.padding(toLength: 10, withPad: " ", startingAt: 0)
            lines.append("  \(rule)\(verdict)\(line.reason)")
            guard line.rule == .offlineResults else { continue }
            lines += OfflineResultsText.lines(line.reason, profile: entry.profile).map {
                String(repeating: " ", count: 42) + $0
            }
        }
        let words =
            record.declined?.words ?? "approval code " + String(decoding: record.approvalCode, as: UTF8.self)
        lines.append("chip result: \(ChipResult(entry.trace, atc: record.atc).words)")
        lines.append("DE39 \(code.rawValue) \(code.words): \(words)")
        var times = ["evidence after \(entry.microsecondsUntilEvidence) µs"]
        for stage in Stage.allCases {
            if let time = entry.times[stage] { times.append("\(stage.name) \(time / 1_000) µs") }
        }
        lines.append("\(times.joined(separator: ", ")); journal entry \(record.identifier)")
        let former = record.formerCard.map { ", before its migration card \($0)" } ?? ""
        lines.append("account \(record.card)\(former)\n")
        return lines.joined(separator: "\n")
    }
}
