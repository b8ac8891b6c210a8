import Authorisation
internal import ByteCoding
import Dispatch
import EMV
import Glibc
import Synchronization
import Testing

@testable import HSM
@testable import PKCS11

/// Where jobs run: on the loop that asks, on workers, and how they change between the two.
@Suite("Placement of the token's jobs", .serialized)
struct PlacementTests {
    /// A thread that runs one piece of work after the other, as an event loop does.
    private final class Loop: Sendable {
        let queue = DispatchQueue(label: "loop")

        func port(_ hsm: HSM) -> HSMPort {
            hsm.loopPort(
                after: { [queue] milliseconds, work in
                    queue.asyncAfter(deadline: .now() + .milliseconds(Int(milliseconds)), execute: work)
                }, wake: { [queue] work in queue.async(execute: work) })
        }
    }

    private func isDelivered(_ pending: any CryptographyUnderWay) -> Bool {
        (pending as? StartedAuthorisation)?.job.isDelivered ?? false
    }

    private static let never = Deadline(nanoseconds: .max)

    private func hsm(
        workers: Int = 1, placement: TokenPlacement = .loop,
        hung: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> HSM {
        var configuration = DemoKeys.configuration(workers: workers)
        configuration.placement = placement
        return try HSM(configuration, at: try DemoKeys.nss.get(), hung: hung)
    }

    private func question(_ deadline: UInt64 = .max) throws -> CryptographyQuestion {
        CryptographyQuestion(
            card: CardIdentity(pan: try PAN("4761739001010010"), panSequenceNumber: nil), cryptogram: nil,
            pin: nil, deadline: Deadline(nanoseconds: deadline))
    }

    private func until(_ condition: () -> Bool) async throws {
        for _ in 0..<4_000 where !condition() { try await Task.sleep(for: .milliseconds(5)) }
        #expect(condition())
    }

    private func token(_ port: HSMPort, on loop: Loop) async throws -> CardToken {
        let asked = try question()
        let pending = await withCheckedContinuation { continuation in
            loop.queue.async { continuation.resume(returning: port.begin(asked)) }
        }
        return try await pending.answer().token
    }

    @Test("A quick library in this process goes on the loop by itself, a slow one and an unknown one do not")
    func auto() throws {
        var configuration = DemoKeys.configuration()
        configuration.placement = .auto
        let (nss, soft) = (try DemoKeys.nss.get(), try DemoKeys.softHSM.get())
        // What is quick is told by limits that no machine reaches or passes.
        let (never, always) = (UInt64(1), UInt64.max)
        #expect(try TokenPlacement.auto.takesLoops(configuration, at: nss, chaining: .mac, within: always))
        #expect(try !TokenPlacement.auto.takesLoops(configuration, at: nss, chaining: .mac, within: never))
        #expect(
            try !TokenPlacement.workers.takesLoops(configuration, at: nss, chaining: .mac, within: always))
        let without = DemoKeys.configuration(pins: false)
        #expect(try !TokenPlacement.auto.takesLoops(without, at: soft, chaining: .cbc, within: never))
        #expect(
            try TokenPlacement.loop.takesLoops(without, at: soft, chaining: .cbc),
            "whoever configures it knows why")
        #expect(!TokenPlacement.librariesInProcess.contains("libp11-kit-client.so"))
    }

    @Test("A loop's jobs are answered by the loop while the only worker stands still, and alike")
    func onTheLoop() async throws {
        let (hsm, loop, gate) = (try hsm(), Loop(), DispatchSemaphore(value: 0))
        #expect(hsm.waitUntilReady(seconds: 10))
        let (port, workers) = (loop.port(hsm), hsm.port { $0() })
        try await until { hsm.health.loopsServing == 1 }
        let expected = try await workers.begin(try question()).answer().token
        let held = Task { try await workers.perform(deadline: Self.never) { _ in gate.wait() } }
        for _ in 0..<100 { #expect(try await token(port, on: loop) == expected) }
        gate.signal()
        try await held.value
        #expect(hsm.statistics.jobs == 102)
        #expect(hsm.stop())
    }

    @Test("What the turn of the loop has to send goes out before the job")
    func afterTheFlush() async throws {
        let hsm = try hsm()
        let line: Mutex<[@Sendable () -> Void]> = Mutex([])
        let port = hsm.loopPort(after: { _, _ in }, wake: { work in line.withLock { $0.append(work) } })
        try await until { hsm.health.loopsServing == 1 }
        let sent = Mutex(false)
        let pending = port.begin(try question())
        // As the store's connection does it: when the first command of the turn comes, the write stands in line.
        line.withLock { $0.append { sent.withLock { $0 = true } } }
        while !isDelivered(pending) {
            let next = line.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            guard let next else { break }
            next()
            #expect(!isDelivered(pending) || sent.withLock { $0 })
        }
        #expect(isDelivered(pending))
        hsm.stop()
    }

    @Test("After a slow job the workers have them, after many quick ones the loop again")
    func slow() async throws {
        let (hsm, loop) = (try hsm(), Loop())
        #expect(hsm.waitUntilReady(seconds: 10))
        let port = loop.port(hsm)
        try await until { hsm.health.loopsServing == 1 }
        _ = try await port.perform(deadline: Self.never) { _ in usleep(3_000) }
        #expect(hsm.health.loopsServing == 0)
        // The only worker stands still, and with it the job.
        let (workers, gate) = (hsm.port { $0() }, DispatchSemaphore(value: 0))
        let held = Task { try await workers.perform(deadline: Self.never) { _ in gate.wait() } }
        try await Task.sleep(for: .milliseconds(20))
        let pending = port.begin(try question())
        try await Task.sleep(for: .milliseconds(50))
        #expect(!isDelivered(pending))
        gate.signal()
        try await held.value
        _ = try await pending.answer()
        for _ in 0..<2_000 where hsm.health.loopsServing == 0 { _ = try await token(port, on: loop) }
        #expect(hsm.health.loopsServing > 0)
        hsm.stop()
    }

    @Test("A call that hangs is seen at once, leaves other loops alone, and is told at its deadline")
    func hang() async throws {
        let told: Mutex<[String]> = Mutex([])
        let hsm = try hsm(hung: { words in told.withLock { $0.append(words) } })
        let (first, second, gate) = (Loop(), Loop(), DispatchSemaphore(value: 0))
        #expect(hsm.waitUntilReady(seconds: 10))
        let (hanging, other) = (first.port(hsm), second.port(hsm))
        try await until { hsm.health.loopsServing == 2 }
        #expect(hsm.health.loopsHeldUp.isEmpty)
        let begun = monotonicNanoseconds()
        let deadline = Deadline(nanoseconds: begun + 800_000_000)
        let held = Task { try await hanging.perform(deadline: deadline) { _ in gate.wait() } }
        try await until { !hsm.health.loopsHeldUp.isEmpty }
        #expect(monotonicNanoseconds() - begun < 500_000_000)
        #expect(hsm.health.loopsHeldUp == [0])
        #expect(told.withLock { $0 }.isEmpty, "nobody has given up yet")
        _ = try await token(other, on: second)
        try await until { !told.withLock { $0 }.isEmpty }
        let late = monotonicNanoseconds() - begun
        #expect(late >= 800_000_000 && late < 1_500_000_000)
        #expect(told.withLock { $0 }[0].hasPrefix("event loop 0"))
        gate.signal()
        try await held.value
        #expect(hsm.health.loopsHeldUp.isEmpty && hsm.health.loopsServing == 0, "slow from now on")
        hsm.stop()
    }

    @Test("Workers that hang are seen, too")
    func hangingWorkers() async throws {
        let hsm = try hsm(workers: 2, placement: .workers)
        #expect(hsm.waitUntilReady(seconds: 10))
        let (port, gate) = (Loop().port(hsm), DispatchSemaphore(value: 0))
        #expect(hsm.health.loops == 0)
        var held: [Task<Void, any Error>] = []
        // One after the other: a worker takes what waits in one go.
        for count in 1...2 {
            held.append(Task { try await port.perform(deadline: Self.never) { _ in gate.wait() } })
            try await until { hsm.health.workersHeldUp == count }
        }
        for _ in held { gate.signal() }
        for each in held { try await each.value }
        #expect(hsm.health.workersHeldUp == 0)
        hsm.stop()
    }

    @Test("A loop's session that breaks is replaced, and nothing waits for it")
    func broken() async throws {
        let (hsm, loop) = (try hsm(), Loop())
        #expect(hsm.waitUntilReady(seconds: 10))
        let port = loop.port(hsm)
        try await until { hsm.health.loopsServing == 1 }
        await #expect(throws: CryptographyUnavailable.self) {
            try await port.perform(deadline: Self.never) { _ throws(JobError) in
                throw .token(PKCS11Error(function: "C_Sign", code: 0x32))
            }
        }
        try await until { hsm.statistics.evictions == 1 }
        _ = try await token(port, on: loop)
        try await until { hsm.health.loopsServing == 1 }
        _ = try await token(port, on: loop)
        #expect(hsm.health.workersReady == 1, "the workers' sessions are as they were")
        #expect(hsm.stop())
    }
}
