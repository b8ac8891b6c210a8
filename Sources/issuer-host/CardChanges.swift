internal import ArgumentParser
internal import AuditTrail
internal import Authorisation
internal import CardStateStore
internal import EMV
internal import Foundation
internal import HostServer
internal import IssuerConfiguration
internal import ProgramEntry

/// One card, named on the command line.
struct CardArguments: ParsableArguments {
    @Argument(help: "The PAN.") var pan: String
    @Option(name: .long, help: "The PAN sequence number; not needed where the account has one card.")
    var psn: UInt8?

    func identity() throws -> PAN {
        guard (psn ?? 0) <= 99 else { throw ValidationError("--psn has to be 0 to 99") }
        do { return try PAN(pan) } catch { throw ValidationError("\(error)") }
    }

    /// The sequence number of the card that is meant: the one that is named, or the only one there is.
    ///
    /// - Throws: `Refusal`, which says which there are.
    func sequenceNumber(_ record: CardRecord) throws -> UInt8 {
        let numbers = record.plastics.filter { !$0.isOfPANBefore }.map(\.sequenceNumber)
        let all = numbers.sorted().map { PANSequenceNumber(rawValue: $0)?.description ?? "\($0)" }
            .joined(separator: ", ")
        let pan = try identity()
        if let psn {
            guard record.plastics.contains(where: { $0.sequenceNumber == psn }) else {
                throw Refusal("\(pan): no card with sequence number \(psn); there is \(all)")
            }
            return psn
        }
        guard let only = numbers.first, numbers.count == 1 else {
            throw Refusal("\(pan): --psn is needed, since the account has the cards \(all)")
        }
        return only
    }
}

extension Refusal {
    static func unknown(_ pan: PAN) -> Refusal { Refusal("no card \(pan) in the state store") }
}

/// Who works at this machine.
enum OperatorName {
    /// Printable, without what divides a journal line.
    static var now: String {
        let name = ProcessInfo.processInfo.environment["SUDO_USER"] ?? NSUserName()
        return String(name.unicodeScalars.filter { $0.value > 0x20 && $0.value < 0x7F && $0 != ";" })
    }
}

extension Cards {
    /// The reason for a change, for the journal.
    struct Reason: ParsableArguments {
        @Option(name: .long, help: "Why; goes to the journal.") var reason: String?

        /// Who, when and why, on one line.
        func note() throws -> String {
            guard let reason, !reason.isEmpty else {
                throw ValidationError("--reason is needed: it is journalled")
            }
            guard reason.utf8.count <= 200, reason.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != 0x3B })
            else { throw ValidationError("--reason: one line of up to 200 characters without `;`") }
            return "\(OperatorName.now);\(Int64(Date().timeIntervalSince1970));\(reason)"
        }
    }

    struct ATC: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "atc", abstract: "Show the highest ATC seen of a card, or forget it.",
            discussion: """
                --reset makes the next verified ATC count as the first: for a card whose counter was replaced. \
                Cryptograms seen before would verify again, so it is journalled with user, time and reason.
                """)

        @OptionGroup var options: ConfigurationOption
        @OptionGroup var card: CardArguments
        @Flag(help: "Forget the ATCs seen.") var reset = false
        @OptionGroup var reason: Reason

        func run() async throws {
            guard reset else {
                return try await onCard(options, card) { _, _, record, number in
                    let highest = record.plastics.first { $0.sequenceNumber == number }?.highestATC
                    return "highest ATC seen: \(highest.map { "\($0)" } ?? "none")"
                }
            }
            let note = try reason.note()
            try await onCard(options, card, noting: (.atcReset, note)) { orders, token, _, number in
                let before = try await orders.carryOut(
                    .resetATC(sequenceNumber: number), for: token, note: note)
                return "ATC reset, highest seen before: \(before.isEmpty ? "none" : before)"
            }
        }
    }

    struct UnblockPIN: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "unblock-pin", abstract: "Give a card all its PIN tries back.")

        @OptionGroup var options: ConfigurationOption
        @OptionGroup var card: CardArguments
        @OptionGroup var reason: Reason

        func run() async throws {
            let note = try reason.note()
            try await onCard(options, card) { orders, token, _, number in
                let before = try await orders.carryOut(
                    .unblockPIN(sequenceNumber: number), for: token, note: note)
                return "PIN tries given back, wrong before: \(before)"
            }
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Report a card lost or stolen, restrict it, or make it active again.",
            discussion: "Without --psn the whole account: every card with this PAN.")

        @OptionGroup var options: ConfigurationOption
        @OptionGroup var card: CardArguments
        @Argument(help: "active, lost, stolen or restricted.") var status: String
        @OptionGroup var reason: Reason

        func run() async throws {
            guard let status = CardStatus(rawValue: status) else {
                throw ValidationError(
                    "status: one of \(CardStatus.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            let note = try reason.note()
            try await onAccount(options, card) { orders, token, record in
                let psn = card.psn == nil ? nil : try card.sequenceNumber(record)
                let before = try await orders.carryOut(
                    .status(status, sequenceNumber: psn), for: token, note: note)
                return "status \(status.rawValue), before: \(before)"
            }
        }
    }

    struct Replace: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move an account to a new PAN.",
            discussion: """
                The card of the new PAN has to be imported before and must not have been used. It takes over balance, \
                transactions, holds and what limits count. Requests with the old PAN are declined from then on; \
                advices, completions and reversals of the old PAN are booked on the new one. A move that was broken \
                off is ended by the same command.
                """)

        @OptionGroup var options: ConfigurationOption
        @Argument(help: "The PAN of now.") var old: String
        @Argument(help: "The new PAN.") var new: String
        @OptionGroup var reason: Reason

        func run() async throws {
            let note = try reason.note()
            let (oldPAN, newPAN): (PAN, PAN)
            do { (oldPAN, newPAN) = (try PAN(old), try PAN(new)) } catch { throw ValidationError("\(error)") }
            guard oldPAN != newPAN else { throw ValidationError("the new PAN is the old one") }
            let desk = try await CardDesk(options.config)
            let (oldToken, newToken) = (try await desk.token(of: oldPAN), try await desk.token(of: newPAN))
            let orders = desk.orders
            do {
                let balance = try await onLoop(desk.store.eventLoop) {
                    guard try await orders.record(newToken) != nil, try await orders.record(oldToken) != nil
                    else {
                        throw OperatorRefusal.unknownCard
                    }
                    _ = try await orders.carryOut(.awaitMove(from: oldToken), for: newToken, note: note)
                    let balance = try await orders.carryOut(
                        .moveAway(to: newToken), for: oldToken, note: note)
                    let reading = try await orders.reading(oldToken)
                    _ = try await orders.carryOut(
                        .takeOver(reading, from: oldToken), for: newToken, note: note)
                    return balance
                }
                await desk.close()
                print("\(oldPAN): moved to \(newPAN), available \(balance)")
            } catch let refusal as OperatorRefusal {
                await desk.close()
                throw Refusal("\(oldPAN) to \(newPAN): \(refusal)")
            }
        }
    }
}

/// Does something with a card and prints what came of it.
/// - Parameters:
///   - event: for the audit trail, before anything is done, with who, when and why.
///   - body: gets the record and the sequence number of the card that is meant.
private func onCard(
    _ options: ConfigurationOption, _ card: CardArguments,
    noting event: (kind: AuditEvent.Kind, note: String)? = nil,
    body: @escaping @Sendable (CardOrders, CardToken, CardRecord, UInt8) async throws -> String
) async throws {
    try await onAccount(options, card, noting: event) { orders, token, record in
        try await body(orders, token, record, try card.sequenceNumber(record))
    }
}

/// The same with an account.
private func onAccount(
    _ options: ConfigurationOption, _ card: CardArguments,
    noting event: (kind: AuditEvent.Kind, note: String)? = nil,
    body: @escaping @Sendable (CardOrders, CardToken, CardRecord) async throws -> String
) async throws {
    let pan = try card.identity()
    let desk = try await CardDesk(options.config)
    let token = try await desk.token(of: pan)
    let orders = desk.orders
    if let event {
        let name = String(token.high, radix: 16) + "-" + String(token.low, radix: 16)
        let details = ["card": name, "note": event.note]
        try desk.configuration.auditTrail(at: desk.location)?.append(
            AuditEvent(event.kind, details: details))
    }
    let text = try await onLoop(desk.store.eventLoop) { () async throws -> String? in
        guard let record = try await orders.record(token) else { return nil }
        return try await body(orders, token, record)
    }
    await desk.close()
    guard let text else { throw Refusal.unknown(pan) }
    print("\(pan): \(text)")
}
