internal import HostServer
internal import Synchronization

/// What became of reloads of the configuration, for metrics.
final class ReloadRecord: Sendable {
    private struct Counts {
        var succeeded: UInt64 = 0
        var refused: UInt64 = 0
        var lastSucceeded = true
        /// Seconds since 1970.
        var lastSuccess: Int64
    }

    private let counts: Mutex<Counts>

    /// - Parameter started: seconds since 1970; the start counts as a success.
    init(started: Int64) { counts = Mutex(Counts(lastSuccess: started)) }

    func succeeded(at seconds: Int64) {
        counts.withLock {
            $0.succeeded += 1
            ($0.lastSucceeded, $0.lastSuccess) = (true, seconds)
        }
    }

    func refused() {
        counts.withLock {
            $0.refused += 1
            $0.lastSucceeded = false
        }
    }

    var metrics: [MetricFamily] {
        let now = counts.withLock { $0 }
        return [
            .labelled(
                "issuer_configuration_reloads_total", .counter,
                help: "Reloads of the configuration, by result.",
                values: [
                    ([("result", "succeeded")], "\(now.succeeded)"),
                    ([("result", "refused")], "\(now.refused)"),
                ]),
            .gauge(
                "issuer_configuration_last_reload_successful", help: "0 after a reload that was refused.",
                value: now.lastSucceeded ? 1 : 0),
            .gauge(
                "issuer_configuration_last_reload_success_timestamp_seconds",
                help: "When the configuration that holds was read, seconds since 1970.",
                value: now.lastSuccess),
        ]
    }
}
