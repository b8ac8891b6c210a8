import Foundation
import Testing

@testable import LoadGenerator

/// The model of capacity on costs that are known, and held against saturation.
@Suite("Capacity")
struct CapacityTests {
    /// Costs in µs of all three programs at rest of load and at its end.
    private struct Machine {
        let idle: Double
        let full: Double
        /// Of the way from idle to full: a straight line is 1, a curve that falls early is above.
        var bend = 1.0
        var cores = 2

        func cost(_ busy: Double) -> Double { full + (idle - full) * pow(1 - busy, bend) }

        /// Busy part at a rate.
        func busy(_ rate: Double) -> Double {
            var (low, high) = (0.0, 1.0)
            for _ in 0..<60 {
                let middle = (low + high) / 2
                if middle * Double(cores) < rate * cost(middle) / 1e6 { low = middle } else { high = middle }
            }
            return low
        }

        var saturation: Double { Double(cores) * 1e6 / full }
    }

    /// A step as it would have been measured, host, store and generator in parts of 60, 15 and 25.
    private func step(
        _ machine: Machine, rate: Double, role: LoadProfile.Stage.Role? = nil, noise: Double = 0,
        sentShare: Double = 1
    ) throws -> LoadResult.Stage {
        let cost = machine.cost(role == nil ? machine.busy(rate) : 1) * (1 + noise) / 100
        let text = """
            {"name": "\(Int(rate)) a second", \(role.map { "\"role\": \"\($0.rawValue)\"," } ?? "")
            "load": "open", "seconds": 10, \(role == nil ? "\"offeredPerSecond\": \(rate)," : "")
            "throughputPerSecond": \(rate), "latencyMilliseconds": {"p50": 1, "p99": 2, "p999": 3, "max": 4},
            "curve": [], "sent": \(Int(rate * 10 * sentShare)), "answersChecked": 10, "answersMismatched": 0, "strayAnswers": 0, "lost": 0,
            "unsent": 0, "reconnects": 0, "repeated": 0, "waitedForCard": 0, "answersByCode": {"00": 10},
            "hostCPUSecondsPer10000": \(cost * 0.60), "redisCPUSecondsPer10000": \(cost * 0.15),
            "generatorCPUSecondsPer10000": \(cost * 0.25), "hostHistogram": [], "hostStages": [], "series": [],
            "faults": []}
            """
        return try JSONDecoder().decode(LoadResult.Stage.self, from: Data(text.utf8))
    }

    private func report(
        _ machine: Machine, to busy: Double, noise: [Double] = [], rest: RestingCPU = RestingCPU(),
        change: (inout [LoadResult.Stage]) -> Void = { _ in }
    ) throws -> CapacityReport {
        let top = busy * Double(machine.cores) * 1e6 / machine.cost(busy)
        var stages: [LoadResult.Stage] = []
        for (index, part) in [0.0625, 0.125, 0.25, 0.5, 0.75, 1].enumerated() {
            stages.append(
                try step(machine, rate: top * part, noise: noise.isEmpty ? 0 : noise[index % noise.count]))
        }
        stages.append(try step(machine, rate: machine.saturation, role: .saturation))
        change(&stages)
        let profile = LoadProfile(name: "capacity", cards: 100, connections: 1, stages: [])
        var result = try LoadResult(
            profile, startedAt: Date(timeIntervalSince1970: 0), machine: .current(), stages: stages)
        result.machine.cores = machine.cores
        let plan = CapacityPlan(rates: [1, 2], seconds: 10, p99Milliseconds: 10)
        return CapacityReport(result, plan: plan, rest: rest)
    }

    @Test("A cost that is the same at every load is found, with the limit that comes first")
    func level() throws {
        // 120 µs in the host, 30 in the store.
        let report = try report(Machine(idle: 200, full: 200), to: 0.8)
        func cell(_ cores: Int, _ hosts: Int, _ masters: Int) -> CapacityReport.Estimate? {
            report.estimates.first { $0.cores == cores && $0.hosts == hosts && $0.masters == masters }
        }
        let small = try #require(cell(1, 1, 1))
        #expect(abs(small.perSecond - 0.7e6 / 120) < 1 && small.limit == "the hosts")
        let large = try #require(cell(16, 4, 1))
        #expect(abs(large.perSecond - 0.7e6 / 30) < 1 && large.limit == "the store")
        #expect(report.isOpen && report.html.contains("<svg"))
        let check = try #require(report.check)
        #expect(abs((check.predictedPerSecond ?? 0) / check.measuredPerSecond - 1) < 0.001)
    }

    /// Measured here: 190 µs at 500 a second and 150 at 3,000, 80 to 87 at saturation; 150 at 4,000 and 46 at saturation.
    @Test(
        "Where the cost falls with load, saturation lies within the error that the steps alone state",
        arguments: [(200.0, 80.0), (196, 46), (110, 100), (300, 60)], [1.0, 1.5, 2])
    func falling(costs: (idle: Double, full: Double), bend: Double) throws {
        for busy in [0.4, 0.6, 0.8] {
            let machine = Machine(idle: costs.idle, full: costs.full, bend: bend)
            let report = try report(machine, to: busy, noise: [0.02, -0.03, 0.01, -0.02, 0.03, -0.01])
            let check = try #require(report.check)
            let words = "\(costs) bend \(bend) to \(busy): \(report.text)"
            #expect(check.isWithinError == true, "\(words)")
            // Stated and of use: not everything lies within.
            #expect((check.least ?? 0) > 0.25 * check.measuredPerSecond, "\(words)")
            // What estimates are made of lies between a step and saturation.
            let cost = try #require(report.host?.cost(atBusy: 0.7))
            let true70 = machine.cost(0.7) * 0.6e-6
            #expect((cost.least ?? 0) <= true70 && true70 <= cost.most ?? 0, "\(words)")
        }
    }

    @Test("A saturation that the steps do not let expect is called outside of the error")
    func outside() throws {
        let machine = Machine(idle: 200, full: 190)
        let report = try report(machine, to: 0.8, noise: [0.01, -0.01]) { stages in
            stages[stages.count - 1].hostCPUSecondsPer10000 = 0.1
            stages[stages.count - 1].redisCPUSecondsPer10000 = 0.1
            stages[stages.count - 1].generatorCPUSecondsPer10000 = 0.1
            stages[stages.count - 1].throughputPerSecond = 60_000
        }
        #expect(report.check?.isWithinError == false && report.text.contains("OUTSIDE of the model's error"))
    }

    @Test("A step breaks its bound by what it was sent, not by what chance did not send")
    func chance() throws {
        let plan = CapacityPlan(rates: [100, 200], seconds: 10, p99Milliseconds: 10)
        var few = try step(Machine(idle: 200, full: 200), rate: 100, sentShare: 0.9)
        few.throughputPerSecond = 89
        #expect(plan.fault(few) == nil)
        var behind = try step(Machine(idle: 200, full: 200), rate: 100)
        behind.throughputPerSecond = 89
        #expect(plan.fault(behind) == "89 a second answered of 100")
        let patient = CapacityPlan(rates: [100, 200], seconds: 10, p99Milliseconds: 2_000)
        #expect(patient.fault(behind) == nil)
        behind.throughputPerSecond = 60
        #expect(patient.fault(behind) == "60 a second answered of 100")
    }

    @Test("What programs take at rest is no cost of an authorisation")
    func rest() throws {
        let machine = Machine(idle: 200, full: 200)
        let report = try report(machine, to: 0.8, rest: RestingCPU(host: 0.02)) { stages in
            for index in stages.indices {
                let atRest = 0.02 / stages[index].throughputPerSecond * 10_000
                stages[index].hostCPUSecondsPer10000? += atRest
            }
        }
        let cost = try #require(report.host?.cost(atBusy: 0.7))
        #expect(abs(cost.likely - 120e-6) < 1e-7, "\(cost)")
    }

    @Test("Two steps state no error; none held says what was wrong, and why; the report can be read again")
    func few() throws {
        let machine = Machine(idle: 200, full: 100)
        let two = try report(machine, to: 0.5) { stages in stages.removeFirst(4) }
        #expect(two.check?.isWithinError == nil && two.text.contains("two steps or fewer state no error"))
        let wrong = try report(machine, to: 0.5) { stages in
            for index in stages.indices {
                stages[index].answersMismatched = 3
                stages[index].answersByCode["63"] = 3
                stages[index].faults = ["connection 0 (a), STAN 000001, card, purchase: DE39 63, expected 00"]
            }
        }
        #expect(wrong.kneePerSecond == nil && wrong.estimates.isEmpty)
        #expect(wrong.text.contains("DE39 63, expected 00") && wrong.text.contains("--import-cards"))
        #expect(wrong.text.contains("no step held its bounds (3 wrong, 0 lost, 0 unsent of "))
        // Of two points, nothing is made that neither of them was.
        let pair = try #require(CostModel([.init(busy: 0.1, cost: 200e-6), .init(busy: 0.4, cost: 100e-6)]))
        #expect(
            pair.cost(atBusy: 0.9).likely == pair.cost(atBusy: 0.4).likely
                && pair.cost(atBusy: 0.9).most == nil)
        #expect(abs(pair.cost(atBusy: 0.9).likely - 100e-6) < 1e-9)
        let again = try JSONDecoder().decode(CapacityReport.self, from: Data(two.json()))
        #expect(again.host?.cost(atBusy: 0.3).likely == two.host?.cost(atBusy: 0.3).likely)
    }

    @Test("CPU of several processes is counted together, and finer than a hundredth of a second")
    func processes() throws {
        var sleepers: [Process] = []
        for _ in 0..<3 {
            let one = Process()
            one.executableURL = URL(fileURLWithPath: "/bin/sh")
            one.arguments = ["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 60"]
            try one.run()
            sleepers.append(one)
        }
        defer { for one in sleepers { one.terminate() } }
        let numbers = sleepers.map { String($0.processIdentifier) }
        var (alone, sum) = ([ProcessSample?](), ProcessSample?.none)
        for _ in 0..<200 {
            Thread.sleep(forTimeInterval: 0.05)
            alone = numbers.map { ProcessSample(pid: $0) }
            sum = ProcessSample(pids: numbers.joined(separator: ","))
            let again = ProcessSample(pids: numbers.joined(separator: ","))
            if sum?.cpuSeconds == again?.cpuSeconds, (sum?.cpuSeconds ?? 0) > 0.001 { break }
        }
        let parts = alone.compactMap { $0?.cpuSeconds }
        #expect(parts.count == 3 && parts.allSatisfy { $0 > 0 })
        #expect(abs((sum?.cpuSeconds ?? 0) - parts.reduce(0, +)) < 0.05)
        #expect(parts.contains { ($0 * 100).rounded() != $0 * 100 })
        #expect((sum?.megabytes ?? 0) > 0)
        #expect(ProcessSample(pids: numbers.joined(separator: ",") + ",999999999") == nil)
        #expect(ProcessSample(pids: "") == nil && ProcessSample(pids: "x") == nil)
    }
}
