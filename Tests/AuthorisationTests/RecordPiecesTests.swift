import Testing

@testable import Authorisation

/// What a store writes over the old record makes the new one, byte for byte, or there are no pieces.
@Suite struct RecordPiecesTests {
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    private func carriedOut(_ old: [UInt8], _ new: [UInt8]) -> (bytes: [UInt8], ranges: [Range<Int>])? {
        guard let pieces = RecordPieces(from: old, to: new) else { return nil }
        var bytes = old
        for range in pieces.ranges {
            // As SETRANGE does: what is missing becomes zeros.
            bytes += [UInt8](repeating: 0, count: max(0, range.upperBound - bytes.count))
            bytes.replaceSubrange(range, with: new[range])
        }
        return (bytes, pieces.ranges)
    }

    @Test func randomChangesComeToTheNewBytes() {
        var numbers = Numbers(state: 20_261_128)
        var inPieces = 0
        for _ in 0..<20_000 {
            let old = (0..<Int.random(in: 1...1_400, using: &numbers)).map { _ in
                UInt8.random(in: 0...255, using: &numbers)
            }
            var new = old
            for _ in 0..<Int.random(in: 0...5, using: &numbers) {
                let place = Int.random(in: 0..<new.count, using: &numbers)
                for index in place..<min(new.count, place + Int.random(in: 1...40, using: &numbers)) {
                    new[index] = UInt8.random(in: 0...255, using: &numbers)
                }
            }
            if Bool.random(using: &numbers) {
                new += [UInt8](repeating: 7, count: Int.random(in: 1...200, using: &numbers))
            }
            guard let (bytes, ranges) = carriedOut(old, new) else { continue }
            inPieces += 1
            #expect(bytes == new)
            for (range, next) in zip(ranges, ranges.dropFirst()) {
                #expect(next.lowerBound - range.upperBound > RecordPieces.gapMax)
            }
        }
        #expect(inPieces > 5_000)
    }

    @Test func aShorterRecordIsWrittenWhole() {
        #expect(RecordPieces(from: [1, 2, 3, 4, 5, 6, 7, 8, 9], to: [1, 2, 3, 4, 5, 6, 7, 8]) == nil)
        #expect(RecordPieces(from: [], to: [1]) == nil)
    }

    @Test func muchThatChangedIsWrittenWhole() {
        let old = [UInt8](repeating: 1, count: 900)
        #expect(RecordPieces(from: old, to: [UInt8](repeating: 2, count: 900)) == nil)
        var new = old
        for place in stride(from: 0, to: 900, by: 100) { new[place] = 2 }
        #expect(RecordPieces(from: old, to: new) == nil)
    }

    @Test func aChangeAtBothEndsIsTwoPieces() {
        let old = [UInt8](repeating: 1, count: 900)
        var new = old + [UInt8](repeating: 3, count: 96)
        new[3] = 9
        #expect(carriedOut(old, new)?.ranges == [0..<8, 900..<996])
    }
}
