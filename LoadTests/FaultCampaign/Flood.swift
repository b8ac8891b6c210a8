internal import Dispatch
internal import EMV
internal import Foundation
internal import Glibc
internal import ISO8583
internal import LoadGenerator
internal import VirtualCard

/// Sixty-four requests of one card at once, half of them to each host: what no card does, and what a store that compares
/// and replaces finds hardest.
final class Flood: @unchecked Sendable {
    // Sendable because the campaign alone touches it, one step after the other.
    static let count = 64
    private let lane: Int
    private let card: CampaignCard
    private let builder: RequestBuilder
    private let codec: MessageCodec
    private let date: TransactionDate
    private let ledger: Ledger
    private var sequence: UInt64 = 0
    /// Requests without a decision.
    private(set) var undecided: [UInt64] = []
    /// Requests.
    private(set) var sent = 0
    /// Writes that another host was quicker than.
    private(set) var conflicts = 0

    /// - Parameter lane: a number that no terminal has.
    init(
        lane: Int, cards: CampaignCards, link: LoadLink, ledger: Ledger, date: TransactionDate
    ) throws {
        (self.lane, self.ledger, self.date) = (lane, ledger, date)
        // The first one has money enough, and no limits.
        card = cards.all[0]
        builder = try RequestBuilder(link, products: cards.products)
        codec = link.codec
    }

    func run(on hosts: [CampaignHost]) async throws {
        let before = hosts.map { $0.metric("issuer_store_conflicts_total") }
        var chip = try ChipCryptography()
        builder.setClock(unixSeconds: time(nil))
        var shares = [[(UInt64, [UInt8])]](repeating: [], count: hosts.count)
        let now = DispatchTime.now().uptimeNanoseconds
        for index in 0..<Self.count {
            let (request, message) = try next(&chip)
            ledger.sent(request, at: now)
            shares[index % hosts.count].append((request.number, try codec.encode(message)))
        }
        sent += Self.count
        let answers = try await withThrowingTaskGroup(of: [(UInt64, Told)].self) { group in
            for (host, share) in zip(hosts, shares) {
                let port = host.port
                group.addTask { try await self.exchange(share, port: port) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        for (number, told) in answers {
            ledger.answeredFlood(number, told)
        }
        let decided = Set(answers.filter { $0.1.isDecision }.map(\.0))
        undecided += shares.joined().map(\.0).filter { !decided.contains($0) }
        for (host, count) in zip(hosts, before) {
            conflicts += max(0, host.metric("issuer_store_conflicts_total") - count)
        }
    }

    private func next(_ chip: inout ChipCryptography) throws -> (SentRequest, Message) {
        sequence += 1
        let number = UInt64(this: lane, sequence)
        let answer = try card.answer(
            TerminalTransaction(
                amount: 1 + sequence % 50, date: date,
                unpredictableNumber: .init(rawValue: UInt32(truncatingIfNeeded: sequence &* 2_654_435_761))),
            with: &chip, tampering: .none)
        let request = SentRequest(
            number: number, card: card.number, atc: answer.atc.rawValue,
            minorUnits: Int64(1 + sequence % 50),
            pin: .none, isForged: false, isReplay: false)
        let message = try builder.message(
            product: card.product, identity: card.identity, amount: 1 + sequence % 50,
            chipData: answer.chipData, pin: nil, sequence: number)
        return (request, message)
    }

    /// All of them in one go, then all answers, in whichever order.
    private func exchange(_ share: [(UInt64, [UInt8])], port: Int) async throws -> [(UInt64, Told)] {
        guard let socket = LineSocket(port: port, timeoutMilliseconds: 5_000) else { return [] }
        for (_, payload) in share where !socket.send(payload) { return [] }
        var answers: [(UInt64, Told)] = []
        while answers.count < share.count {
            guard let frame = socket.receive(), let answer = try? codec.decode(frame),
                let number = answer.text(.retrievalReferenceNumber).flatMap(UInt64.init),
                let code = answer.text(.responseCode)
            else { break }
            answers.append((number, Told(code: code, approvalCode: answer.text(.authorisationCode))))
        }
        return answers
    }
}
