import Authorisation
import CardStateStore
import RedisSupport
import Testing

/// Cards whose chip was never used: no ATC is known of them, and everything else counts all the same.
@Suite struct NoChipTests {
    private let token = CardToken(high: 3, low: 9)

    private func bench() async throws -> StateBench {
        let bench = try await StateBench(try TestRedis(options: ["--appendfsync", "no"]))
        try await bench.importCard(token, available: 1_000)
        return bench
    }

    @Test func wrongPINsBlockThePIN() async throws {
        let bench = try await bench()
        for left in [2, 1, 0] {
            let result = try await bench.commit(token, pin: .wrong, transmission: "wrong \(left)")
            #expect(result.pinTriesLeft == left)
        }
        #expect(
            try await bench.commit(token, pin: .right, transmission: "right").declined == .pinTriesExceeded)
        #expect(try await bench.read(token).card?.pinTriesUsed == 3)
    }

    @Test func whatIsTakenIsTaken() async throws {
        let bench = try await bench()
        #expect(try await bench.commit(token, minorUnits: 700).declined == nil)
        #expect(try await bench.commit(token, minorUnits: 700).declined == .insufficientFunds)
        #expect(try await bench.read(token).card?.availableMinorUnits == 300)
    }
}
