extension LoadResult {
    /// The headline figures for a terminal.
    package var summary: String {
        var lines = [
            "throughput             \(rounded(throughputPerSecond, 0)) a second",
            "host CPU               \(hostCPUSecondsPer10000.text(3)) s per 10,000",
            "Redis CPU              \(redisCPUSecondsPer10000.text(3)) s per 10,000",
            "generator CPU          \(generatorCPUSecondsPer10000.text(3)) s per 10,000",
            "host memory            \(hostResidentMegabytes.text(1)) MB resident",
            "PKCS#11 calls          \(pkcs11CallsPerAuthorisation.text(2)) per authorisation",
            "Redis round trips      \(redisRoundTripsPerAuthorisation.text(2)) per authorisation",
            "answers                \(answersChecked) checked, \(answersMismatched) wrong, \(answersLost) lost "
                + "(sent, no answer), \(requestsUnsent ?? 0) unsent",
        ]
        lines.insert(contentsOf: latencies, at: 1)
        if let before = stages.first?.holdingsBefore, let after = stages.last?.holdingsAfter {
            lines.append(
                "host holds             \(before.descriptors) → \(after.descriptors) descriptors, "
                    + "\(before.tokenObjects) → \(after.tokenObjects) session objects in the token")
        }
        if let kneePerSecond { lines.append("knee                   \(rounded(kneePerSecond, 0)) a second") }
        lines += hints.map { "hint: \($0)" }
        let faults = stages.flatMap(\.faults)
        if !faults.isEmpty { lines.append("first faults:") }
        lines += faults.prefix(5).map { "  \($0)" }
        return lines.joined(separator: "\n")
    }

    /// Only of stages that there were.
    private var latencies: [String] {
        var lines: [String] = []
        if hasSaturation {
            lines.append(
                "latency at saturation  \(saturationLatencyMilliseconds.text) ms (p50 / p99 / p99.9)")
        }
        if hasHalf {
            lines.append("latency at half        \(latencyMilliseconds.text) ms (p50 / p99 / p99.9)")
        } else if !hasSaturation {
            lines.append(
                "latency                \(latencyMilliseconds.text) ms (p50 / p99 / p99.9, \(latencyStage ?? "last stage"))"
            )
        }
        return lines
    }
}
