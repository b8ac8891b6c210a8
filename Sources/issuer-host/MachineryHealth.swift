internal import CardStateStore
internal import Foundation
internal import HSM
internal import HostServer

/// What `/ready` depends on: a worker of the token with a session, and the state store of every loop.
func health(_ hsm: HSM, _ stores: [StateStore]) async -> [HealthLine] {
    let token = hsm.health
    var lines = [
        HealthLine(
            "token", passed: token.workersReady > 0,
            "\(token.workersReady) of \(token.workers) workers have a session"
                + (token.lastFailure.map { "; \($0)" } ?? ""))
    ]
    for (index, store) in stores.enumerated() {
        let why = await store.unavailability()
        lines.append(HealthLine("state store, loop \(index)", passed: why == nil, why ?? "connected"))
    }
    return lines
}

/// Counters of token and state store, beside those of the links.
func machineryMetrics(
    _ hsm: HSM, _ stores: [StateStore], _ notes: NoteWriter, at location: TokenLocation
) async -> String {
    let statistics = hsm.statistics
    let commands = stores.reduce(0) { $0 + $1.commandsSent }
    var storesReady = 0
    for store in stores where await store.unavailability() == nil { storesReady += 1 }
    var lines: [(name: String, type: String, help: String, value: UInt64)] = [
        ("issuer_hsm_jobs_total", "counter", "Jobs that the token's workers have run.", statistics.jobs),
        ("issuer_hsm_calls_total", "counter", "PKCS#11 functions called by them.", statistics.calls),
        (
            "issuer_hsm_sessions_dropped_total", "counter", "Sessions dropped after a failure.",
            statistics.evictions
        ),
        (
            "issuer_hsm_late_answers_total", "counter", "Answers of the token after the deadline.",
            statistics.lateAnswers
        ),
        ("issuer_hsm_queued_jobs", "gauge", "Jobs that wait for a worker.", UInt64(statistics.queuedJobs)),
        ("issuer_hsm_workers", "gauge", "Workers of the token.", UInt64(hsm.health.workers)),
        (
            "issuer_hsm_workers_ready", "gauge", "Workers with a session.",
            UInt64(hsm.health.workersReady)
        ),
        ("issuer_redis_commands_total", "counter", "Commands sent to the state store.", commands),
        ("issuer_redis_connections", "gauge", "Connections to the state store.", UInt64(stores.count)),
        (
            "issuer_redis_connections_ready", "gauge", "Of those, usable now.",
            UInt64(storesReady)
        ),
        (
            "issuer_journal_notes_waiting", "gauge",
            "Notes of undecided and late requests that wait for the state store.", UInt64(notes.waitingCount)
        ),
        (
            "issuer_journal_notes_not_kept_total", "counter",
            "Undecided and late requests that the journal has in a count only.", UInt64(notes.notKeptCount)
        ),
    ]
    // What cannot be counted now is left out rather than given as zero.
    // A call of the token takes its time: not on the loop that asks.
    if let objects = await Task.detached(operation: { try? location.sessionObjectCount() }).value {
        lines.append(
            ("issuer_token_session_objects", "gauge", "Session objects in the token.", UInt64(objects)))
    }
    if let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
        lines.append(("process_open_fds", "gauge", "Open file descriptors.", UInt64(descriptors.count)))
    }
    return lines.map {
        "# HELP \($0.name) \($0.help)\n# TYPE \($0.name) \($0.type)\n\($0.name) \($0.value)\n"
    }
    .joined()
}
