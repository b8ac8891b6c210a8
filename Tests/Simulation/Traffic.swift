internal import Authorisation
internal import VectorSupport

/// What terminals send next: requests of all kinds, repeats, reversals, completions and advices.
struct Traffic {
    /// What is sent, or not: the message is lost before it reaches a host.
    struct Sending {
        let request: Terminal.Request
        let isLost: Bool
        /// For the count of what has happened.
        let name: String
    }

    private let cardCount: Int
    private(set) var nextNumber: UInt64 = 1
    private var nextATC: [UInt16]
    private var sent: [Terminal.Request] = []

    init(cardCount: Int) {
        self.cardCount = cardCount
        nextATC = [UInt16](repeating: 1, count: cardCount)
    }

    mutating func next(_ numbers: inout SeededGenerator) -> Sending {
        let isLost = numbers.chance(4)
        if let earlier = sent.suffix(4).randomElement(using: &numbers), numbers.chance(25) {
            var again = earlier
            again.isChanged = numbers.chance(10)
            return Sending(
                request: again, isLost: isLost, name: again.isChanged ? "changed repeat" : "repeat")
        }
        if let earlier = sent.suffix(6).randomElement(using: &numbers), numbers.chance(14),
            let (request, name) = following(earlier, &numbers)
        {
            sent.append(request)
            return Sending(request: request, isLost: isLost, name: name)
        }
        let request = numbers.chance(12) ? advice(&numbers) : fresh(&numbers)
        sent.append(request)
        let name: String
        if case .advice(let approved) = request.purpose {
            name = approved ? "advice" : "advice of a decline"
        } else {
            name = request.isPartialAllowed ? "purchase, part allowed" : request.kind.words
        }
        return Sending(request: request, isLost: isLost, name: name)
    }

    private mutating func number() -> UInt64 {
        defer { nextNumber += 1 }
        return nextNumber
    }

    // MARK: - New transactions

    private mutating func fresh(_ numbers: inout SeededGenerator) -> Terminal.Request {
        let (card, atc) = card(&numbers)
        let number = number()
        var request = Terminal.Request(
            card: card, atc: atc, isForged: numbers.chance(5),
            pin: numbers.chance(50) ? (numbers.chance(20) ? 1 : Terminal.rightPIN) : nil,
            minorUnits: Int64.random(in: 0...900, using: &numbers), number: number, reference: number)
        switch Int.random(in: 0..<20, using: &numbers) {
        case 0: request.kind = .refund
        case 1...4: request.kind = .preAuthorisation
        case 5...6: request.isPartialAllowed = true
        default: break
        }
        return request
    }

    /// Approved or declined by a terminal that asked nobody.
    private mutating func advice(_ numbers: inout SeededGenerator) -> Terminal.Request {
        let (card, atc) = card(&numbers)
        let number = number()
        var request = Terminal.Request(
            card: card, atc: numbers.chance(80) ? atc : nil, isForged: numbers.chance(10), pin: nil,
            minorUnits: Int64.random(in: 1...900, using: &numbers), number: number, reference: number)
        request.purpose = .advice(approved: numbers.chance(75))
        return request
    }

    /// Mostly the next ATC; now and then one that was used, one further on, or one too far.
    private mutating func card(_ numbers: inout SeededGenerator) -> (card: Int, atc: UInt16) {
        let card = Int.random(in: 0..<cardCount, using: &numbers)
        var atc = nextATC[card]
        nextATC[card] += 1
        switch Int.random(in: 0..<20, using: &numbers) {
        case 0: atc = UInt16.random(in: 1...atc, using: &numbers)
        case 1: nextATC[card] += UInt16.random(in: 1...20, using: &numbers)
        case 2: atc = atc &+ 1_500
        default: break
        }
        return (card, atc)
    }

    // MARK: - More about one that was sent

    private mutating func following(
        _ earlier: Terminal.Request, _ numbers: inout SeededGenerator
    ) -> (Terminal.Request, String)? {
        switch (earlier.kind, earlier.purpose) {
        case (_, .reversal), (_, .advice(approved: false)): return nil
        case (.preAuthorisation, .decision) where numbers.chance(50):
            return (completion(earlier, &numbers), "completion")
        default: break
        }
        var request = message(about: earlier, minorUnits: earlier.minorUnits)
        let remaining =
            numbers.chance(30) ? Int64.random(in: 0...earlier.minorUnits, using: &numbers) : 0
        request.purpose = .reversal(remainingMinorUnits: remaining)
        return (request, remaining == 0 ? "reversal" : "partial reversal")
    }

    /// Asked for, or told afterwards.
    private mutating func completion(
        _ earlier: Terminal.Request, _ numbers: inout SeededGenerator
    ) -> Terminal.Request {
        var request = message(
            about: earlier, minorUnits: Int64.random(in: 0...earlier.minorUnits + 100, using: &numbers))
        request.kind = .completion
        if numbers.chance(40) { request.purpose = .advice(approved: true) }
        return request
    }

    private mutating func message(about earlier: Terminal.Request, minorUnits: Int64) -> Terminal.Request {
        var request = Terminal.Request(
            card: earlier.card, atc: nil, isForged: false, pin: nil, minorUnits: minorUnits, number: number(),
            reference: earlier.reference)
        request.original = earlier.number
        return request
    }
}

extension SeededGenerator {
    /// True in so many of a hundred cases.
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}
