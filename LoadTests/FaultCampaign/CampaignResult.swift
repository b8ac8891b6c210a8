internal import Foundation

/// What a campaign found.
package struct CampaignResult: Codable, Sendable {
    /// One kind of fault.
    package struct Recovery: Codable, Sendable {
        /// The kind.
        package let kind: FaultKind
        /// How often.
        package let count: Int
        /// Milliseconds from the end of the cause (of a kill: from the kill) to the first decision told to a terminal
        /// for a request sent after it; median and worst.
        package let firstMedian: Int
        /// See `firstMedian`.
        package let firstMax: Int
        /// The same until every terminal was told one.
        package let allMedian: Int
        /// See `allMedian`.
        package let allMax: Int
    }

    /// Replays the plan.
    package let seed: UInt64
    /// What stood behind the hosts.
    package let setUp: SetUp
    /// Faults injected.
    package var faults = 0
    /// Terminals.
    package let lanes: Int
    /// Seconds from the first fault to the last recovery.
    package var seconds = 0
    /// By kind.
    package var recoveries: [Recovery] = []
    /// Requests, repeats not counted.
    package var requests = 0
    /// Transmissions, repeats counted.
    package var transmissions = 0
    /// Transmissions without an answer.
    package var unanswered = 0
    /// Answers 91 and 96.
    package var notDecided = 0
    /// Other answers.
    package var decisionsTold = 0
    /// Requests whose approval a terminal was told.
    package var approvalsTold = 0
    /// Approvals in the journal.
    package var approvalsBooked = 0
    /// In the journal, and no terminal was told.
    package var approvalsUntold = 0
    /// Requests with 55 or 75.
    package var wrongPINsTold = 0
    /// Requests with an ATC that had been approved.
    package var replaysSent = 0
    /// Advices that a terminal was told were booked.
    package var advicesTold = 0
    /// Reversals that a terminal was told were carried out, and what of those never got an answer.
    package var reversalsTold = 0
    /// See `reversalsTold`.
    package var reversalsUntold = 0
    /// Reversals of what was never booked that were told 25: their card has given up older transactions.
    package var reversalsRefused = 0
    /// Of the reversals in the journal, those that gave something back.
    package var reversalsGivingBack = 0
    /// Journal notes of requests without a decision, and of decisions that nobody was told.
    package var undecidedNoted = 0
    /// See `undecidedNoted`.
    package var lateNoted = 0
    /// Approvals that nobody was told, with a note in the journal; and those without one, told to a proxy that was cut, or by
    /// a host that was killed.
    package var untoldNoted = 0
    /// See `untoldNoted`.
    package var untoldExcused = 0
    /// Told during a partition by a primary that was replaced, where nobody waits for replicas.
    package var lostInPartitions = 0
    /// Milliseconds from the naming of another primary to the hosts' first connection to it.
    package var primaryMoves: [Int] = []
    /// Requests of one card, sixty-four at once; what of them was answered 91, 96 or not; and how often one host was quicker
    /// than the other.
    package var floodRequests = 0
    /// See `floodRequests`.
    package var floodUndecided = 0
    /// See `floodRequests`.
    package var floodConflicts = 0
    /// Why the journal's notes say that there was no decision, and how often.
    package var undecidedBecause: [String: Int] = [:]
    /// Failovers by sentinels, milliseconds from the kill of the primary: until most sentinels named another one, until that
    /// one had a replica, until the first decision was told; medians.
    package var failoverSteps: [String: Int] = [:]
    /// Starts of the host that had to be tried again.
    package var hostStartsRepeated = 0
    /// Nothing may stand here.
    package var violations: [String] = []

    /// For a person: the counts, a table of the recoveries, and what was violated.
    package var summary: String {
        var lines = [
            "\(setUp.rawValue), seed \(seed): \(faults) faults in \(seconds) s under load from \(lanes) terminals",
            "\(requests) requests in \(transmissions) transmissions: \(decisionsTold) decisions told, "
                + "\(notDecided) told 91 or 96, \(unanswered) unanswered",
            "\(approvalsTold) approvals told, \(approvalsBooked) booked (\(approvalsUntold) of them told to nobody); "
                + "\(wrongPINsTold) wrong PINs told, \(replaysSent) replays tried",
            "\(advicesTold) advices and \(reversalsTold) reversals told (\(reversalsUntold) never answered, "
                + "\(reversalsRefused) refused, of what was never booked), "
                + "\(reversalsGivingBack) reversals gave something back",
            "journal notes: \(undecidedNoted) of no decision, \(lateNoted) of late and untold ones",
            "approvals told to nobody: \(untoldNoted) noted, \(untoldExcused) cut off at a proxy or with a killed host",
            "floods: \(floodRequests) requests, \(floodUndecided) without a decision, \(floodConflicts) conflicts",
            "no decision because: "
                + undecidedBecause.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(8)
                .map { "\($0.value) \($0.key)" }.joined(separator: "; "),
            "failovers, ms after the kill: "
                + failoverSteps.sorted { $0.value < $1.value }.map { "\($0.key) \($0.value)" }
                .joined(separator: ", "),
            "partitions: \(lostInPartitions) told and lost; hosts at the new primary after \(primaryMoves) ms",
            "",
            "| fault | count | first decision after, ms: median (worst) | every terminal after, ms: median (worst) |",
            "|---|---|---|---|",
        ]
        for one in recoveries {
            lines.append(
                "| \(one.kind.rawValue) | \(one.count) | \(one.firstMedian) (\(one.firstMax)) "
                    + "| \(one.allMedian) (\(one.allMax)) |")
        }
        lines.append("")
        lines += violations.prefix(50).map { "VIOLATION \($0)" }
        lines.append(
            violations.isEmpty
                ? "nothing lost, nothing doubled, no ATC twice, no PIN try forgotten, no limit passed"
                : "\(violations.count) violations; --seed \(seed) replays the plan")
        return lines.joined(separator: "\n")
    }

    /// Writes the result as JSON.
    package func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(self).write(to: URL(fileURLWithPath: path))
    }

    mutating func add(_ audit: Audit, _ ledger: Ledger) {
        let all = ledger.requests.values
        requests = all.count
        transmissions = all.reduce(0) { $0 + $1.sentAt.count + ($1.reversal?.sent ?? 0) }
        unanswered = ledger.unanswered
        notDecided = all.reduce(0) { sum, request in
            sum + (request.told + (request.reversal?.told ?? [])).filter { !$0.isDecision }.count
        }
        (decisionsTold, approvalsTold) = (audit.decisionsTold, audit.approvalsTold)
        (approvalsBooked, approvalsUntold) = (audit.approvalsBooked, audit.approvalsUntold)
        (wrongPINsTold, replaysSent) = (audit.wrongPINsTold, audit.replaysSent)
        (advicesTold, reversalsTold) = (audit.advicesTold, audit.reversalsTold)
        (reversalsUntold, reversalsGivingBack) = (audit.reversalsUntold, audit.reversalsGivingBack)
        reversalsRefused = audit.reversalsRefused
        (undecidedNoted, lateNoted) = (audit.undecidedNoted, audit.lateNoted)
        (untoldNoted, untoldExcused) = (audit.untoldNoted, audit.untoldExcused)
        lostInPartitions = audit.lost.count
        violations += audit.violations
    }

    /// - Parameter journal: says why something of a flood was not decided.
    mutating func add(_ flood: Flood, _ journal: [JournalledDecision]) {
        for line in journal where line.kind == "undecided" {
            undecidedBecause[Self.withoutPorts(line.outcome ?? "unknown"), default: 0] += 1
        }
        floodRequests = flood.sent
        (floodUndecided, floodConflicts) = (flood.undecided.count, flood.conflicts)
        for number in flood.undecided {
            let why = journal.first { $0.kind == "undecided" && $0.rrn.flatMap { UInt64($0) } == number }
            // A host whose clock was set looks at it once a second, and has to refuse until it is in time again.
            if let outcome = why?.outcome, outcome.contains("this host's clock is") { continue }
            violations.append(
                "request \(number), of a flood, was not decided: \(why?.outcome ?? "not noted")")
        }
    }

    /// Ports differ from one campaign to the next.
    private static func withoutPorts(_ words: String) -> String {
        words.split(separator: " ").map { word in
            guard let colon = word.firstIndex(of: ":"), word.hasPrefix("127.") else { return String(word) }
            return String(word[..<colon])
        }.joined(separator: " ")
    }

    /// Medians of the steps of each failover, in milliseconds.
    mutating func add(failovers steps: [[String: Int]]) {
        for name in Set(steps.flatMap(\.keys)) {
            let sorted = steps.compactMap { $0[name] }.sorted()
            failoverSteps[name] = sorted[sorted.count / 2]
        }
    }

    mutating func add(_ times: [FaultKind: [(first: Int, all: Int)]]) {
        for kind in FaultKind.allCases {
            guard let times = times[kind], !times.isEmpty else { continue }
            let first = times.map(\.first).sorted()
            let all = times.map(\.all).sorted()
            recoveries.append(
                Recovery(
                    kind: kind, count: times.count, firstMedian: first[first.count / 2],
                    firstMax: first[first.count - 1], allMedian: all[all.count / 2],
                    allMax: all[all.count - 1]))
        }
    }
}
