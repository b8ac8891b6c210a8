internal import Authorisation
internal import BuildVersion
internal import CardStateStore
internal import EMV
internal import Foundation
internal import Glibc
internal import HSM
internal import HostServer
internal import IssuerConfiguration

/// Everything on `/metrics` that is not the links': token, state store, journal, certificates, reloads, the process.
func hostMetrics(_ assembly: HostAssembly, _ stores: StoreSide) async -> [MetricFamily] {
    await [buildInformation] + stores.metrics() + tokenMetrics(assembly.hsm, at: assembly.location)
        + [
            .gauge(
                "issuer_journal_notes_waiting",
                help: "Notes of undecided and late requests that wait for the state store.",
                value: Int64(assembly.notes.waitingCount)),
            .counter(
                "issuer_journal_notes_not_kept_total",
                help: "Undecided and late requests that the journal has in a count only.",
                value: UInt64(assembly.notes.notKeptCount)),
        ] + assembly.reloads.metrics + certificateMetrics(assembly.configuration)
        + keyMetrics(assembly.configuration) + processMetrics()
}

/// When the cards of each version of an issuer master key end: no card needs it any more, and it can be retired. A version
/// whose cards have no last expiry date has no sample.
private func keyMetrics(_ configuration: IssuerConfiguration) -> [MetricFamily] {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    let values = configuration.issuers.flatMap(\.keyVersions).compactMap { version in
        version.cardExpiryUntil.flatMap { ExpiryDate(ascii: Array($0.utf8)) }.flatMap { last in
            // To the end of its last day.
            calendar.date(
                from: DateComponents(
                    year: 2_000 + (last.months + 1) / 12, month: (last.months + 1) % 12 + 1, day: 1)
            )
        }.map {
            (
                labels: [(name: "key", value: version.issuerMasterKey)],
                value: "\(Int64($0.timeIntervalSince1970))"
            )
        }
    }
    guard !values.isEmpty else { return [] }
    return [
        .labelled(
            "issuer_key_expiry_timestamp_seconds", .gauge,
            help: "When the last card of a version of an issuer master key ends, seconds since 1970.",
            values: values)
    ]
}

/// Which build answers, as a metric whose value is always 1.
private let buildInformation = MetricFamily.labelled(
    "issuer_build_info", .gauge, help: "Commit and build of this program.",
    values: [
        (
            [
                ("commit", BuildVersion.commit), ("time", BuildVersion.commitTime),
                ("build", BuildVersion.build),
            ],
            "1"
        )
    ])

private func tokenMetrics(_ hsm: HSM, at location: TokenLocation) async -> [MetricFamily] {
    let statistics = hsm.statistics
    let health = hsm.health
    var families: [MetricFamily] = [
        .counter("issuer_hsm_jobs_total", help: "Jobs that the token has run.", value: statistics.jobs),
        .counter(
            "issuer_hsm_calls_total", help: "PKCS#11 functions called by them.", value: statistics.calls),
        .counter(
            "issuer_hsm_sessions_dropped_total", help: "Sessions dropped after a failure.",
            value: statistics.evictions),
        .counter(
            "issuer_hsm_late_answers_total", help: "Answers of the token after the deadline.",
            value: statistics.lateAnswers),
        .gauge(
            "issuer_hsm_queued_jobs", help: "Jobs that wait for a worker.",
            value: Int64(statistics.queuedJobs)),
        .gauge("issuer_hsm_workers", help: "Workers of the token.", value: Int64(health.workers)),
        .gauge(
            "issuer_hsm_workers_ready", help: "Workers with a session.", value: Int64(health.workersReady)),
        .labelled(
            "issuer_hsm_token_up", .gauge, help: "1 where the token answered when it was tried last.",
            values: health.tokens.map { ([("token", $0.uri)], $0.answers ? "1" : "0") }),
        .labelled(
            "issuer_hsm_token_seats", .gauge, help: "Workers and event loops with a session of the token.",
            values: health.tokens.map { ([("token", $0.uri)], "\($0.seats)") }),
        .gauge(
            "issuer_hsm_loops_serving", help: "Event loops that call the token themselves.",
            value: Int64(health.loopsServing)),
    ]
    // What cannot be counted now is left out rather than given as zero.
    // A call of the token takes its time: not on the loop that asks.
    if let objects = await Task.detached(operation: { try? location.sessionObjectCount() }).value {
        families.append(
            .gauge(
                "issuer_token_session_objects", help: "Session objects in the token.", value: Int64(objects)))
    }
    return families
}

/// The usual metrics of a process, by the names that Prometheus' own clients use.
func processMetrics() -> [MetricFamily] {
    var families: [MetricFamily] = []
    if let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
        families.append(
            .gauge("process_open_fds", help: "Open file descriptors.", value: Int64(descriptors.count)))
    }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 {
        families.append(
            .gauge(
                "process_max_fds", help: "File descriptors that may be open.",
                value: Int64(clamping: limit.rlim_cur)
            ))
    }
    guard let stat = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
        // The program's name, in parentheses, may hold anything.
        let end = stat.lastIndex(of: ")")
    else { return families }
    // proc(5), counted from 3 behind the name.
    let fields = stat[stat.index(end, offsetBy: 2)...].split(separator: " ").map { UInt64($0) ?? 0 }
    guard fields.count > 21 else { return families }
    let ticks = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    families += [
        .labelled(
            "process_cpu_seconds_total", .counter, help: "CPU time, of user and system.",
            values: [
                ([], MetricFamily.seconds(microseconds: (fields[11] + fields[12]) * (1_000_000 / ticks)))
            ]),
        .gauge("process_virtual_memory_bytes", help: "Virtual memory.", value: Int64(clamping: fields[20])),
        .gauge(
            "process_resident_memory_bytes", help: "Resident memory.",
            value: Int64(clamping: fields[21]) * Int64(sysconf(Int32(_SC_PAGESIZE)))),
    ]
    if let boot = bootTime() {
        families.append(
            .gauge(
                "process_start_time_seconds", help: "When the process started, seconds since 1970.",
                value: Int64(boot + fields[19] / ticks)))
    }
    return families
}

/// Seconds since 1970.
private func bootTime() -> UInt64? {
    guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
    return text.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { UInt64($0.dropFirst(6)) }
}
