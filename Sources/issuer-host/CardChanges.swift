internal import ArgumentParser
internal import AuditTrail
internal import Authorisation
internal import CardStateStore
internal import EMV
internal import Foundation
internal import HostServer
internal import IssuerConfiguration

/// One card, named on the command line.
struct CardArguments: ParsableArguments {
    @Argument(help: "The PAN.") var pan: String
    @Option(name: .long, help: "The PAN sequence number.") var psn: UInt8 = 0

    func identity() throws -> CardIdentity {
        guard let number = PANSequenceNumber(rawValue: psn) else {
            throw ValidationError("--psn has to be 0 to 99")
        }
        return CardIdentity(pan: try PAN(pan), panSequenceNumber: number)
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
            let name = ProcessInfo.processInfo.environment["SUDO_USER"] ?? NSUserName()
            // A journal line of its own form: nothing in it may look like a divider.
            let who = String(name.unicodeScalars.filter { $0.value > 0x20 && $0.value < 0x7F && $0 != ";" })
            return "\(who);\(Int64(Date().timeIntervalSince1970));\(reason)"
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
                return try await onCard(options, card) { state, token in
                    try await state.record(token).map { record in
                        "highest ATC seen: \(record.highestATC?.description ?? "none")"
                    }
                }
            }
            let note = try reason.note()
            try await onCard(options, card, noting: (.atcReset, note)) { state, token in
                try await state.change(token, .resetATC, note: note).map { before in
                    "ATC reset, highest seen before: \(before.isEmpty ? "none" : before)"
                }
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
            try await onCard(options, card) { state, token in
                try await state.change(token, .unblockPIN, note: note).map { before in
                    "PIN tries given back, wrong before: \(before)"
                }
            }
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Report a card lost or stolen, restrict it, or make it active again.")

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
            try await onCard(options, card) { state, token in
                try await state.change(token, .status(status), note: note).map { before in
                    "status \(status.rawValue), before: \(before)"
                }
            }
        }
    }
}

/// Does something with a card and prints what came of it.
/// - Parameters:
///   - event: for the audit trail, before anything is done, with who, when and why.
///   - body: returns nil for a card that the store does not know.
private func onCard(
    _ options: ConfigurationOption, _ card: CardArguments,
    noting event: (kind: AuditEvent.Kind, note: String)? = nil,
    _ body: @escaping @Sendable (RedisCardState, CardToken) async throws -> String?
) async throws {
    let identity = try card.identity()
    let desk = try await CardDesk(options.config)
    let token = try await desk.token(of: identity)
    let state = desk.state
    if let event {
        let name = String(token.high, radix: 16) + "-" + String(token.low, radix: 16)
        let details = ["card": name, "note": event.note]
        try desk.configuration.auditTrail(at: desk.location)?.append(
            AuditEvent(event.kind, details: details))
    }
    let text = try await onLoop(desk.store.eventLoop) { try await body(state, token) }
    await desk.close()
    guard let text else {
        print("no card \(identity.pan), sequence number \(card.psn), in the state store")
        throw ExitCode.failure
    }
    print("\(identity.pan): \(text)")
}

extension RedisCardState {
    /// The card alone.
    func record(_ token: CardToken) async throws(StateUnavailable) -> CardRecord? {
        try await read(
            token, retransmission: RetransmissionKey(moment: 0, acquirer: 0, reference: 0, fingerprint: 0),
            deadline: Deadline(nanoseconds: .max)
        ).card
    }
}
