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

    @Test("Axes have round numbers, and a load without saturation speaks of none")
    func axes() async throws {
        #expect(Chart.marks(from: 0, to: 199.8, count: 4) == [0, 50, 100, 150])
        #expect(Chart.marks(from: 1, to: 3, count: 6) == [1, 1.5, 2, 2.5, 3])
        let even = Chart.marks(from: 5, to: 5 + 1e-9, count: 6)
        #expect(!even.isEmpty && even.count < 12)
        let page = try await result().html
        #expect(!page.contains("at saturation"))
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

    @Test(
        "A stage that would send nothing, or cannot be, is refused with its key before anything runs",
        arguments: [
            ("{name: a, seconds: 0, rate: 5}", "seconds has to be above 0"),
            ("{name: a, seconds: 1, rate: -5}", "rate has to be above 0"),
            ("{name: a, seconds: 1, rate: .nan}", "rate has to be above 0"),
            ("{name: a, seconds: 1, ramp: {from: 0, to: 0}}", "not both 0"),
            ("{name: a, seconds: 1, spike: {base: 1, peak: 2, from: 3, until: 2}}", "from before until"),
            ("{name: a, seconds: 1, ofSaturation: 0.5}", "needs a stage with the role saturation"),
            ("{name: a, seconds: 1, outstanding: 0}", "outstanding has to be 1"),
            ("{name: a, seconds: 1, outstanding: 1, rate: 1}", "exactly one of"),
            ("{name: a, seconds: 1}", "exactly one of"),
        ])
    func impossibleStages(stage: String, words: String) {
        #expect {
            _ = try LoadProfile(yaml: "name: x\ncards: 10\nstages: [\(stage)]\n", path: "p.yaml")
        } throws: {
            "\($0)".hasPrefix("p.yaml: stage a: ") && "\($0)".contains(words)
        }
    }

    @Test("A profile's name leads nowhere else, and a threshold names a stage that there is")
    func namesOfProfiles() {
        let stages = "cards: 10\nstages: [{name: a, seconds: 1, rate: 5}]\n"
        for (yaml, words) in [
            ("name: ../../x\n\(stages)", "p.yaml: name is part of file names"),
            ("name: x\nthresholds: [\"p99 < 1 s in b\"]\n\(stages)", "there is no stage b; choose one of: a"),
        ] {
            #expect {
                _ = try LoadProfile(yaml: yaml, path: "p.yaml")
            } throws: {
                "\($0)".contains(words)
            }
        }
    }

    @Test("A load that cannot begin says where nobody listens")
    func nobodyThere() async throws {
        let issuer = try DemoIssuer(contentsOf: Bench.path("Config/demo/demo-issuer.json"))
        let link = try Bench.link("ascii87-binbitmap", port: 1, issuer)
        let profile = LoadProfile(
            name: "x", cards: 10, connections: 1,
            stages: [.init(name: "a", seconds: 1, load: .open(.constant(1), .fixed))])
        await #expect {
            _ = try await LoadRun(profile, issuer: issuer, links: [link]).perform()
        } throws: {
            "\($0)".hasPrefix("no connection to 127.0.0.1:1: Connection refused")
        }
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

    @Test(
        "Merge keys of YAML are taken, what they name is checked, and what is no map is refused with its place"
    )
    func mergeKeys() throws {
        let profile = try LoadProfile(
            yaml: """
                name: x
                cards: 10
                stages:
                  - &base {name: a, seconds: 2, rate: 5}
                  - {<<: *base, name: b}
                  - <<: [{rate: 7}, *base]
                    name: c
                """, path: "p.yaml")
        #expect(
            profile.stages.map(\.name) == ["a", "b", "c"] && profile.stages.allSatisfy { $0.seconds == 2 })
        let rates = profile.stages.map { stage -> Double in
            if case .open(.constant(let rate), _) = stage.load { rate } else { 0 }
        }
        #expect(rates == [5, 5, 7])
        for (stage, words) in [
            ("{<<: {rat: 5}, name: a, seconds: 1}", "p.yaml:4:11: unknown key rat"),
            ("{<<: 5, name: a, seconds: 1, rate: 1}", "p.yaml:4:10: << takes a map"),
            ("{<<: [{rate: 1}, x], name: a, seconds: 1}", "p.yaml:4:10: << takes a map"),
            ("{name: a, seconds: 1, ramp: {<<: {fro: 1}, to: 2}}", "unknown key fro"),
        ] {
            #expect {
                _ = try LoadProfile(yaml: "name: x\ncards: 10\nstages:\n  - \(stage)\n", path: "p.yaml")
            } throws: {
                "\($0)".hasPrefix(words) || "\($0)".contains(words) && !words.hasPrefix("p.yaml")
            }
        }
    }
}
