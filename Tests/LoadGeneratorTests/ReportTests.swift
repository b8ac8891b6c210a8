import Testing
import VirtualCard

@testable import LoadGenerator

/// Thresholds, comparisons, the model of capacity: what is made of a result.
@Suite("Reports of a load", .serialized)
struct ReportTests {
    private func result(rate: Double = 400) async throws -> LoadResult {
        let issuer = try DemoIssuer(contentsOf: Bench.path("Config/demo/demo-issuer.json"))
        let template = try Bench.link("ascii87-binbitmap", port: 0, issuer)
        let server = try await EchoServer(template, issuer: issuer, port: 0)
        let link = try Bench.link("ascii87-binbitmap", port: server.port, issuer)
        let profile = LoadProfile(
            name: "report", cards: 200, connections: 2,
            stages: [.init(name: "only", seconds: 0.5, load: .open(.constant(rate), .fixed))])
        let result = try await LoadRun(profile, issuer: issuer, links: [link]).perform()
        try await server.stop()
        return result
    }

    @Test("A threshold holds or does not, by the worst of its stages; what is none is refused in words")
    func thresholds() async throws {
        var result = try await result()
        result.stages[0].latencyMilliseconds.p99 = 4.2
        result.stages[0].lost = 3
        for (text, holds) in [
            ("p99 < 5 ms", true), ("p99<4200us", false), ("p99 <= 0.0042 s", true), ("lost == 0", false),
            ("lost <= 3", true), ("wrong == 0", true), ("throughput > 1", true), ("p99 < 5 ms in only", true),
            ("p99 < 5 ms in another", false), ("hostCPU < 9", false),
        ] {
            #expect(try Threshold(text).verdict(on: result).holds == holds, "\(text)")
        }
        for (text, words) in [
            ("p99", "one of <"), ("p98 < 1 ms", "p98 is no figure"), ("p99 < 5", "needs a unit"),
            ("wrong == 0 ms", "no time"), ("p99 < x ms", "is no number"), ("", "one of <"),
        ] {
            #expect {
                _ = try Threshold(text)
            } throws: {
                "\($0)".contains(words)
            }
        }
        #expect(result.summary.contains("3 lost") == false && !result.summary.contains("at half"))
    }

    @Test("Other rates are not compared, and chance is not called better or worse")
    func comparison() async throws {
        let one = try await result()
        var other = one
        other.stages[0].offeredPerSecond = 500
        #expect(ResultComparison([one], [other]).rateWarning?.contains("differ") == true)
        #expect(ResultComparison([one], [other]).text.contains("other rate"))
        #expect(ResultComparison([one], [one]).rateWarning == nil)

        func runs(_ cost: [Double]) -> [LoadResult] {
            cost.map { cost in
                var run = one
                run.generatorCPUSecondsPer10000 = cost
                return run
            }
        }
        func row(_ text: String) -> String {
            text.split(separator: "\n").first { $0.hasPrefix("generatorCPU") }.map(String.init) ?? ""
        }
        let apart = ResultComparison(runs([1.00, 1.02, 0.98]), runs([0.70, 0.71, 0.69])).text
        #expect(row(apart).hasSuffix("better") && row(apart).contains("-30.0 ±"), "\(apart)")
        let mixed = ResultComparison(runs([1.0, 0.5, 1.5]), runs([0.9, 1.4, 0.4])).text
        #expect(!row(mixed).contains("better") && !row(mixed).contains("worse"), "\(mixed)")
    }

    @Test("The model finds the cost that it was given, and the limit that comes first")
    func capacity() async throws {
        let fit = try #require(CostFit([(1_000, 0.25), (2_000, 0.45), (4_000, 0.85)]))
        #expect(abs(fit.perAuthorisation - 0.0002) < 1e-9 && abs(fit.atRest - 0.05) < 1e-9)
        #expect((fit.margin ?? 1) < 1e-9 && fit.worstMisfit < 1e-9)
        #expect(CostFit([(1_000, 1)]) == nil && CostFit([(1_000, 1), (1_000, 2)]) == nil)

        var whole = try await result()
        let stage = whole.stages[0]
        whole.stages = [1_000.0, 2_000, 4_000, 8_000].map { rate in
            var one = stage
            one.offeredPerSecond = rate
            one.throughputPerSecond = rate
            one.latencyMilliseconds.p99 = rate > 4_000 ? 90 : 2
            // 200 µs an authorisation in the host, 50 in the store.
            one.hostCPUSecondsPer10000 = 2
            one.redisCPUSecondsPer10000 = 0.5
            return one
        }
        let plan = CapacityPlan(rates: [1_000, 2_000, 4_000, 8_000], seconds: 1, p99Milliseconds: 10)
        let report = CapacityReport(whole, plan: plan)
        #expect(report.kneePerSecond == 4_000 && !report.isOpen)
        func cell(_ cores: Int, _ hosts: Int, _ masters: Int) -> CapacityReport.Estimate? {
            report.estimates.first { $0.cores == cores && $0.hosts == hosts && $0.masters == masters }
        }
        let small = try #require(cell(1, 1, 1))
        #expect(abs(small.perSecond - 3_500) < 1 && small.limit == "the hosts")
        let large = try #require(cell(16, 4, 1))
        #expect(abs(large.perSecond - 14_000) < 1 && large.limit == "the store")
        #expect(report.text.contains("4000 a second held") && report.html.contains("<svg"))
    }

    @Test("A misspelt key of a profile is refused with its line")
    func profileKeys() {
        let yaml = "name: x\ncards: 10\nconections: 3\nstages: [{name: a, seconds: 1, rate: 5}]\n"
        #expect {
            _ = try LoadProfile(yaml: yaml, path: "p.yaml")
        } throws: {
            "\($0)".hasPrefix("p.yaml:3:1: unknown key conections; known here: name, cards")
        }
        let inner = "name: x\ncards: 10\nstages:\n  - {name: a, seconds: 1, rat: 5}\n"
        #expect {
            _ = try LoadProfile(yaml: inner, path: "p.yaml")
        } throws: {
            "\($0)".contains("unknown key rat")
        }
    }
}
