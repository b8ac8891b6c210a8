import Authorisation
import CardStateStore
import EMV
import RedisSupport
import Testing

/// Which key each card was imported for.
@Suite struct CardKeyRegisterTests {
    @Test func cardsAreCountedByKeyAndMonth() async throws {
        let bench = try await StateBench(try TestRedis(options: ["--appendfsync", "no"]))
        let register = CardKeyRegister(bench.store, settings: CardStateSettings())
        let months = try ["2912", "2601"].map { try #require(ExpiryDate(ascii: Array($0.utf8))) }
        let (old, new) = (KeyName("imk-ac-1"), KeyName("imk-ac-1.v2"))
        let groups = try await bench.onLoop { _ in
            for number in 0..<300 as Range<UInt64> {
                try await register.note(
                    issuerMasterKey: number < 200 ? old : new, expiry: months[number % 2 == 0 ? 0 : 1],
                    of: CardToken(high: number &* 0x9E37_79B9_7F4A_7C15, low: number))
            }
            // A card that is imported anew counts once, with its new key.
            try await register.note(issuerMasterKey: new, expiry: months[0], of: CardToken(high: 0, low: 0))
            return try await register.groups()
        }
        let found = groups.map { "\($0.issuerMasterKey) \($0.expiry) \($0.cards)" }
        #expect(
            found == ["imk-ac-1 2601 100", "imk-ac-1 2912 99", "imk-ac-1.v2 2601 50", "imk-ac-1.v2 2912 51"])
    }
}
