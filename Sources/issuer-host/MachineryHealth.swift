internal import BuildVersion
internal import CardStateStore
internal import Foundation
internal import HSM
internal import HostServer

/// What `/ready` depends on: somebody who can call the token, and the state store of every loop. A loop that hangs in a
/// call is not asked: it would not answer.
func health(_ hsm: HSM, _ stores: StoreSide) async -> [HealthLine] {
    let token = hsm.health
    let isServed = token.workersReady > 0 && token.workersHeldUp < token.workers
    var lines = [
        HealthLine(
            "token", passed: isServed && token.loopsHeldUp.isEmpty,
            "\(token.workersReady) of \(token.workers) workers have a session"
                + (token.loops > 0 ? ", \(token.loopsServing) of \(token.loops) loops serve" : "")
                + (token.workersHeldUp > 0 ? ", \(token.workersHeldUp) workers in a call that hangs" : "")
                + (token.lastFailure.map { "; \($0)" } ?? ""))
    ]
    for index in token.loopsHeldUp {
        lines.append(HealthLine("loop \(index)", passed: false, "in a call of the token that hangs"))
    }
    return lines + (await stores.health(without: Set(token.loopsHeldUp)))
}

/// Counters of token and state store, beside those of the links.
func machineryMetrics(
    _ hsm: HSM, _ stores: StoreSide, _ notes: NoteWriter, at location: TokenLocation
) async -> String {
    let statistics = hsm.statistics
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
        (
            "issuer_hsm_loops_serving", "gauge", "Event loops that call the token themselves.",
            UInt64(hsm.health.loopsServing)
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
    let all: [MetricLine] =
        await stores.metrics() + lines.map { ($0.name, $0.type, $0.help, Int64(clamping: $0.value)) }
    return buildInformation
        + all.map {
            "# HELP \($0.name) \($0.help)\n# TYPE \($0.name) \($0.type)\n\($0.name) \($0.value)\n"
        }
        .joined()
}

/// Which build answers, as a metric whose value is always 1.
private let buildInformation = """
    # HELP issuer_build_info Commit and build of this program.
    # TYPE issuer_build_info gauge
    issuer_build_info{commit="\(BuildVersion.commit)",time="\(BuildVersion.commitTime)",build="\(BuildVersion.build)"} 1

    """
