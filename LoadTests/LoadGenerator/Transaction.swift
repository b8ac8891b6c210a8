internal import EMV
internal import VirtualCard

/// One request before it has a number, a link and a time. A class, as `PendingRequest` is.
final class Transaction: Sendable {
    let kind: TrafficKind
    /// Index in the population; of an unknown card behind the known ones.
    let card: Int
    let amount: UInt64
    let answer: CardAnswer
    /// Tag 91 of an approval, where it could be foretold; an answer with another one is looked at closely.
    let approval: [UInt8]?

    init(kind: TrafficKind, card: Int, amount: UInt64, answer: CardAnswer, approval: [UInt8]? = nil) {
        (self.kind, self.card, self.amount, self.answer) = (kind, card, amount, answer)
        self.approval = approval
    }
}

/// Draws transactions from the mix. Chip data may be computed beforehand; numbers, times and PIN blocks never
/// are, since they belong to the connection.
struct TransactionSource: ~Copyable {
    var population: Population
    private var chip: ChipCryptography
    private var chance: Chance
    private let date: TransactionDate
    private let kinds: [(kind: TrafficKind, upTo: Double)]
    private var prepared: [Transaction] = []
    private var preparedNext = 0
    /// By product: what the issuer's approvals say to cards of ARPC method 2, once one was seen.
    private var approvingUpdates: [Int: (update: CardStatusUpdate, proprietary: [UInt8])] = [:]
    /// Prepared ones whose card was busy when their turn came.
    private(set) var discarded = 0

    /// Kinds of card whose holders can be authenticated on every link.
    private let authenticating: Set<UInt8>

    /// - Parameter links: for 3-D Secure.
    init(
        _ profile: LoadProfile, issuer: DemoIssuer, date: TransactionDate, links: [LoadLink] = []
    ) throws {
        let population = try Population(profile, issuer: issuer)
        let authenticating = Set(
            population.products.indices.filter { product in
                let pan = population.products[product].definition.identity.pan
                return !links.isEmpty && links.allSatisfy { $0.authentication?.server(pan) != nil }
            }.map { UInt8($0) })
        guard (profile.mix[.threeDSecure] ?? 0) == 0 || !authenticating.isEmpty else {
            throw LoadSetupError(
                "mix: threeDSecure needs links with authenticationValue and cards of a range whose values have the time"
            )
        }
        let chip = try ChipCryptography()
        self.population = population
        self.chip = chip
        self.authenticating = authenticating
        chance = Chance(seed: profile.seed)
        self.date = date
        let total = profile.mix.values.reduce(0, +)
        var sum = 0.0
        kinds = TrafficKind.allCases.compactMap { kind in
            guard let weight = profile.mix[kind], weight > 0 else { return nil }
            sum += weight / total
            return (kind, sum)
        }
    }

    /// The next kind of the mix.
    mutating func kind() -> TrafficKind {
        let drawn = Double(chance.next() >> 11) * 0x1p-53
        return kinds.first { drawn < $0.upTo }?.kind ?? kinds[kinds.count - 1].kind
    }

    /// The next transaction with a card that is free; nil while none is.
    mutating func next(_ kind: TrafficKind) throws -> Transaction? {
        if kind == .unknownCard { return try unknown() }
        guard let card = freeCard(kind == .threeDSecure ? authenticating : nil) else { return nil }
        return try compute(kind, card)
    }

    /// The next prepared one whose card is free; nil when they are used up.
    mutating func nextPrepared() -> Transaction? {
        while preparedNext < prepared.count {
            let transaction = prepared[preparedNext]
            preparedNext += 1
            let known = transaction.card < population.cards.count
            if !known
                || !(population.cards[transaction.card].busy || population.cards[transaction.card].retired)
            {
                return transaction
            }
            discarded += 1
        }
        return nil
    }

    /// Computes so many transactions beforehand. Kinds that build on answers of the host are left out: they
    /// are drawn when their turn comes, in the share that the mix gives them.
    mutating func prepare(_ count: Int) throws {
        prepared.removeFirst(preparedNext)
        preparedNext = 0
        prepared.reserveCapacity(count)
        while prepared.count < count {
            let kind = kind()
            guard kind != .replay, kind != .repeat, kind != .reversal, let transaction = try next(kind) else {
                continue
            }
            prepared.append(transaction)
        }
    }

    /// `00`.
    private static let approved = AuthorisationResponseCode(rawValue: 0x3030)

    /// Tag 91 as the issuer should send it with an approval; nil where the issuer's update is not known yet.
    private mutating func approval(of answer: CardAnswer, card: Int) throws -> [UInt8]? {
        let product = product(of: card)
        let signed = answer.signed
        switch population.products[product].definition.product.profile.responseMethod {
        case .method1:
            let arpc = try chip.responseMethod1(
                key: signed.responseKey, signed.cryptogram, code: TransactionSource.approved)
            var bytes: [UInt8] = []
            bytes.reserveCapacity(10)
            withUnsafeBytes(of: arpc.bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(0x30)
            bytes.append(0x30)
            return bytes
        case .method2:
            guard let (update, proprietary) = approvingUpdates[product],
                let arpc = try chip.responseMethod2(
                    key: signed.responseKey, signed.cryptogram, statusUpdate: update, proprietary: proprietary
                )
            else { return nil }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(16)
            withUnsafeBytes(of: arpc.bigEndian) { bytes.append(contentsOf: $0) }
            withUnsafeBytes(of: update.rawValue.bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: proprietary)
            return bytes
        }
    }

    /// A replay of the card's last verified ATC, signed anew; nil for a card that the host has not seen yet.
    private mutating func compute(_ kind: TrafficKind, _ index: Int) throws -> Transaction? {
        var kind = kind
        var tampering = Tampering.none
        if kind == .wrongCryptogram { tampering = .flippedCryptogramBit(chance.below(64)) }
        if kind == .replay {
            if population.cards[index].verifiedATC == 0 {
                kind = .purchase
            } else {
                tampering = .atc(.init(rawValue: population.cards[index].verifiedATC))
            }
        }
        // A replay is of another amount: with the same one it would be a repeat of the same transaction.
        let amount = UInt64((kind == .replay ? 20_100 : 100) + chance.below(20_000))
        let terminal = terminal(amount)
        guard let answer = try answer(of: index, terminal, tampering: tampering) else { return nil }
        // Now, while the contexts have the key: setting it again when the answer comes costs more than the computation.
        let isForetold = kind == .purchase || kind == .purchaseWithoutPIN
        return Transaction(
            kind: kind, card: index, amount: amount, answer: answer,
            approval: isForetold ? try approval(of: answer, card: index) : nil)
    }

    /// Nil for a card whose counter is at its end: it is not used again.
    private mutating func answer(
        of index: Int, _ terminal: TerminalTransaction, tampering: Tampering
    ) throws -> CardAnswer? {
        let product = population.products[Int(population.cards[index].product)].definition.product
        do throws(ChipCardError) {
            return try population.cards[index].chip.answer(
                terminal, product: product, with: &chip, tampering: tampering)
        } catch .counterExhausted {
            population.retire(index)
            return nil
        }
    }

    private mutating func unknown() throws -> Transaction? {
        let place = chance.below(population.unknown.count)
        let amount = UInt64(100 + chance.below(20_000))
        let terminal = terminal(amount)
        if population.unknown[place].chip.atc.rawValue == .max {
            population.unknown[place].chip.atc = .init(rawValue: 0)
        }
        let product = population.products[Int(population.unknown[place].product)].definition.product
        let answer = try population.unknown[place].chip.answer(terminal, product: product, with: &chip)
        return Transaction(
            kind: .unknownCard, card: population.cards.count + place, amount: amount, answer: answer)
    }

    private mutating func terminal(_ amount: UInt64) -> TerminalTransaction {
        TerminalTransaction(
            amount: amount, date: date,
            unpredictableNumber: UnpredictableNumber(rawValue: UInt32(truncatingIfNeeded: chance.next())))
    }

    /// Any free card, each as likely as the other while most are free.
    private mutating func freeCard(_ products: Set<UInt8>?) -> Int? {
        let count = population.cards.count
        guard population.retiredCount < count else { return nil }
        var place = chance.below(count)
        for _ in 0..<min(count, 64) {
            let fits = products?.contains(population.cards[place].product) ?? true
            if fits, !population.cards[place].busy, !population.cards[place].retired { return place }
            place = place + 1 == count ? 0 : place + 1
        }
        return nil
    }

    /// What the card makes of tag 91.
    mutating func verify(
        _ data: IssuerAuthenticationData?, _ signed: SignedCryptogram, product: Int
    ) throws -> IssuerAuthenticationVerdict {
        let profile = population.products[product].definition.product.profile
        let verdict = try chip.verify(data, signed, profile: profile)
        if case .statusUpdate(let update, let proprietary) = verdict, update.approves,
            approvingUpdates[product] == nil
        {
            approvingUpdates[product] = (update, proprietary)
        }
        return verdict
    }

    /// The product of a card by its index.
    func product(of card: Int) -> Int {
        let known = population.cards.count
        return Int(card < known ? population.cards[card].product : population.unknown[card - known].product)
    }

    /// The identity of a card by its index.
    func identity(of card: Int) -> CardIdentity {
        let known = population.cards.count
        return card < known
            ? population.cards[card].chip.identity : population.unknown[card - known].chip.identity
    }
}
