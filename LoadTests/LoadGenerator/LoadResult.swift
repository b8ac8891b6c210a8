internal import Foundation

/// What a load came to. Times in milliseconds, CPU in seconds, memory in 2^20 bytes.
package struct LoadResult: Codable, Sendable {
    /// Percentiles of a stage.
    package struct Latency: Codable, Sendable {
        /// Median.
        package var p50: Double
        /// Of a hundred, one takes longer.
        package var p99: Double
        /// Of a thousand, one takes longer.
        package var p999: Double
        /// The longest of all.
        package var max: Double
    }

    /// A point of the percentile curve.
    package struct CurvePoint: Codable, Sendable {
        /// 0…100.
        package var percentile: Double
        /// At or below this.
        package var milliseconds: Double
    }

    /// A bar of the host's own histogram.
    package struct Bucket: Codable, Sendable {
        /// Nil for infinity.
        package var upToMicroseconds: Double?
        /// Answers in this bucket alone.
        package var answers: Double
    }

    /// What the host holds: whatever grows here while load is steady leaks.
    package struct Holdings: Codable, Sendable {
        /// Open file descriptors.
        package var descriptors: Int
        /// Session objects in the token.
        package var tokenObjects: Int
    }

    /// One stage.
    package struct Stage: Codable, Sendable {
        var name: String
        var role: LoadProfile.Stage.Role?
        var load: String
        var seconds: Double
        var offeredPerSecond: Double?
        var throughputPerSecond: Double
        var latencyMilliseconds: Latency
        var curve: [CurvePoint]
        var sent: Int
        var answersChecked: Int
        var answersMismatched: Int
        var strayAnswers: Int
        var lost: Int
        var unsent: Int
        var reconnects: Int
        /// Requests that were sent again over another connection; nil in older results.
        var repeated: Int?
        var waitedForCard: Int
        var answersByCode: [String: Int]
        var hostCPUSecondsPer10000: Double?
        var redisCPUSecondsPer10000: Double?
        var generatorCPUSecondsPer10000: Double?
        var hostResidentMegabytes: Double?
        var redisResidentMegabytes: Double?
        var pkcs11CallsPerAuthorisation: Double?
        var hsmJobsPerAuthorisation: Double?
        var redisRoundTripsPerAuthorisation: Double?
        var holdingsBefore: Holdings?
        var holdingsAfter: Holdings?
        var hostHistogram: [Bucket]
        var hostStages: [StageTime]
        var series: [SecondOfLoad]
        var faults: [String]
        /// For the histogram log; not in the JSON.
        var intervals: [HistogramInterval]?

        var failed: Int { answersMismatched + strayAnswers + lost + unsent }
    }

    /// Where it was measured.
    package struct Machine: Codable, Sendable {
        var processor: String
        var cores: Int
        var kernel: String
        var loadAverageBefore: String
    }

    /// Of the profile.
    package var profile: String
    /// ISO 8601, UTC.
    package var startedAt: String
    /// Where it was measured.
    package var machine: Machine
    /// Cards of the population.
    package var cards: Int
    /// Connections, over all links.
    package var connections: Int
    /// At saturation, or the most of any stage.
    package var throughputPerSecond: Double
    /// Of the stage with the role `half`, or of the last one: `latencyStage` names it.
    package var latencyMilliseconds: Latency
    /// The stage that `latencyMilliseconds` is of; nil in older results.
    package var latencyStage: String?
    /// At saturation.
    package var saturationLatencyMilliseconds: Latency
    /// At saturation.
    package var hostCPUSecondsPer10000: Double?
    /// At saturation.
    package var redisCPUSecondsPer10000: Double?
    /// At saturation.
    package var generatorCPUSecondsPer10000: Double?
    /// At the end of saturation.
    package var hostResidentMegabytes: Double?
    /// Over all stages, with those that did not match.
    package var answersChecked: Int
    /// Wrong, crossed, unreadable or belonging to nothing.
    package var answersMismatched: Int
    /// Requests that were sent and got no answer.
    package var answersLost: Int
    /// Requests that were never sent, since no connection or card was free in time; nil in older results, where they
    /// count as lost.
    package var requestsUnsent: Int?
    /// At saturation.
    package var pkcs11CallsPerAuthorisation: Double?
    /// At saturation.
    package var redisRoundTripsPerAuthorisation: Double?
    /// Rate at which the search for the knee stopped holding its bounds; nil without a search.
    package var kneePerSecond: Double?
    /// One by one.
    package var stages: [Stage]

    /// The same as JSON, keys sorted.
    package func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        var plain = self
        for index in plain.stages.indices { plain.stages[index].intervals = nil }
        return Array(try encoder.encode(plain))
    }

    /// Reads what `json` has made.
    package init(contentsOf path: String) throws(LoadSetupError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw LoadSetupError("cannot read \(path)")
        }
        do { self = try JSONDecoder().decode(LoadResult.self, from: data) } catch {
            throw LoadSetupError("\(path): \(describe(error))")
        }
    }
}

extension LoadResult {
    /// Whether a stage ran at half of the saturation.
    var hasHalf: Bool { stages.contains { $0.role == .half } }
    /// Whether a stage was meant to saturate the host.
    var hasSaturation: Bool { stages.contains { $0.role == .saturation } || kneePerSecond != nil }

    /// What to look at where something went wrong.
    package var hints: [String] {
        var hints: [String] = []
        let unknown = stages.reduce(0) { $0 + ($1.answersByCode["14"] ?? 0) }
        if unknown * 2 > answersChecked, answersMismatched * 2 > answersChecked {
            hints.append(
                "the host does not know the cards (DE39 14): import them with --import-cards, or with "
                    + "`load-generator cards --out FILE` and `issuer-host cards import FILE`")
        }
        let replayed = stages.reduce(0) { $0 + ($1.answersByCode["63"] ?? 0) }
        let expected = stages.contains { $0.faults.contains { $0.hasSuffix("DE39 63, expected 00") } }
        if expected, replayed > 0 {
            hints.append(
                "the host has seen counters of these cards in an earlier load (DE39 63): import them anew with "
                    + "--import-cards")
        }
        let refused = stages.reduce(0) { $0 + ($1.answersByCode["91"] ?? 0) }
        if refused > 0,
            stages.contains(where: { $0.faults.contains { $0.hasSuffix("DE39 91, expected 00") } })
        {
            hints.append(
                "\(refused) requests were refused (DE39 91): more came than the host could answer in time, or store or token "
                    + "did not serve; its log has the reason of each")
        }
        // Cards that the host does not know are not used again: what is unsent then has no other reason.
        if (requestsUnsent ?? 0) > 0, hints.isEmpty {
            let waited = stages.reduce(0) { $0 + $1.waitedForCard }
            hints.append(
                waited > 0
                    ? "requests were not sent since every card was in use: give more cards"
                    : "requests were not sent since no connection was open: does the host take connections?")
        }
        return hints
    }

    /// Puts the headline figures together.
    init(
        _ profile: LoadProfile, startedAt: Date, machine: Machine, stages: [Stage], knee: Double? = nil
    ) throws {
        let measured = stages.filter { $0.role != .warmUp }
        // A search for the knee counts as what it found.
        let found = knee.flatMap { knee in measured.last { $0.offeredPerSecond == knee } }
        guard
            let saturation = found ?? measured.first(where: { $0.role == .saturation })
                ?? measured.max(by: { $0.throughputPerSecond < $1.throughputPerSecond }),
            let half = found ?? measured.first(where: { $0.role == .half }) ?? measured.last
        else { throw LoadSetupError("no stage was measured") }
        self.profile = profile.name
        self.startedAt = startedAt.formatted(.iso8601)
        self.machine = machine
        cards = profile.cards
        connections = profile.connections
        throughputPerSecond = saturation.throughputPerSecond
        latencyMilliseconds = half.latencyMilliseconds
        latencyStage = half.name
        saturationLatencyMilliseconds = saturation.latencyMilliseconds
        hostCPUSecondsPer10000 = saturation.hostCPUSecondsPer10000
        redisCPUSecondsPer10000 = saturation.redisCPUSecondsPer10000
        generatorCPUSecondsPer10000 = saturation.generatorCPUSecondsPer10000
        hostResidentMegabytes = saturation.hostResidentMegabytes
        answersChecked = stages.reduce(0) { $0 + $1.answersChecked }
        answersMismatched = stages.reduce(0) { $0 + $1.answersMismatched + $1.strayAnswers }
        answersLost = stages.reduce(0) { $0 + $1.lost }
        requestsUnsent = stages.reduce(0) { $0 + $1.unsent }
        pkcs11CallsPerAuthorisation = saturation.pkcs11CallsPerAuthorisation
        redisRoundTripsPerAuthorisation = saturation.redisRoundTripsPerAuthorisation
        kneePerSecond = knee
        self.stages = stages
    }
}

extension LoadResult.Machine {
    /// This one, now.
    static func current() -> Self {
        let cpu = readSmallFile("/proc/cpuinfo")?.split(separator: "\n").first { $0.hasPrefix("model name") }
        let name = cpu?.split(separator: ":").last.map { $0.drop { $0 == " " } } ?? "unknown"
        let average = readSmallFile("/proc/loadavg")?.split(separator: " ").prefix(3).joined(separator: " ")
        let kernel = readSmallFile("/proc/sys/kernel/osrelease")?.split(separator: "\n").first
        return Self(
            processor: String(name), cores: ProcessInfo.processInfo.activeProcessorCount,
            kernel: kernel.map(String.init) ?? "unknown", loadAverageBefore: average ?? "unknown")
    }
}
