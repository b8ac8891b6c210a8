import Testing

@testable import Redis

/// Which of the sentinels' words counts.
@Suite struct SentinelWatchTests {
    private func word(_ port: Int, _ epoch: Int) -> SentinelWatch.Word {
        SentinelWatch.Word(address: .tcp(host: "127.0.0.1", port: port), epoch: epoch)
    }

    private func chosen(_ words: [SentinelWatch.Word], known: Int, of sentinels: Int = 3) -> Int? {
        guard
            case .tcp(_, let port)? = SentinelWatch.choose(words, knownEpoch: known, sentinels: sentinels)?
                .address
        else { return nil }
        return port
    }

    @Test func theNewestConfigurationCounts() {
        #expect(
            chosen([word(1, 4), word(2, 5), word(1, 4)], known: 4) == 2, "one sentinel hears of it first")
        #expect(chosen([word(1, 5), word(1, 5), word(2, 4)], known: 5) == 1)
        #expect(chosen([], known: 0) == nil)
    }

    @Test func aSentinelThatIsCutOffLeadsNobodyBack() {
        #expect(chosen([word(1, 4)], known: 5) == nil)
        #expect(chosen([word(1, 0), word(1, 0)], known: 5) == 1, "most of them were set up anew")
        #expect(chosen([word(1, 0)], known: 5, of: 1) == 1)
    }
}
