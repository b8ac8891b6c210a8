import EMV
import ISO8583
import IssuerMessages
import LibCrypto
import Testing
import VirtualCard

@testable import LoadGenerator

/// The requests that wait, against a dictionary.
@Suite struct PendingTableTests {
    private func request(_ number: Int) -> PendingRequest {
        PendingRequest(
            message: Message(mti: .authorisationRequest), kind: .purchase, card: number, product: 0,
            signed: SignedCryptogram(
                cryptogram: ApplicationCryptogram(rawValue: 0),
                responseKey: DoubleLengthKey(left: 0, right: 0)),
            approval: nil, prediction: Prediction(code: .approved, authenticated: true), intendedAt: 0,
            sentAt: 0)
    }

    /// Numbers in steps, as one of several connections has them, over their end, and any.
    @Test(arguments: [1, 7, 8, 64, 1_000, 0], [3, 16, 200])
    func itIsADictionary(step: Int, most: Int) {
        var (table, model) = (PendingTable(), [UInt32: Int]())
        var chance = Chance(seed: UInt64(step * 1_000 + most))
        var stan = 999_000
        for turn in 0..<20_000 {
            let isFull = model.count >= most
            if !isFull, chance.below(3) > 0 {
                stan = step == 0 ? chance.below(1_000_000) : (stan + step) % 1_000_000
                table[UInt32(stan)] = request(turn)
                model[UInt32(stan)] = turn
            } else if let any = model.keys.randomElement() {
                #expect(table.contains(any) && table[any]?.card == model[any])
                #expect(table.remove(any)?.card == model.removeValue(forKey: any))
                #expect(!table.contains(any) && table.remove(any) == nil)
            }
            guard table.count == model.count, table.isEmpty == model.isEmpty else {
                Issue.record("\(table.count) instead of \(model.count) in turn \(turn)")
                return
            }
        }
        let all = Dictionary(uniqueKeysWithValues: table.all.map { ($0.stan, $0.request.card) })
        #expect(all == model)
        for (stan, card) in model { #expect(table[stan]?.card == card) }
        table[1] = nil
        table.removeAll()
        #expect(table.isEmpty && table.all.isEmpty && table[1] == nil)
    }
}
