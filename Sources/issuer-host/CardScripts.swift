internal import ArgumentParser
internal import Authorisation
internal import ByteCoding
internal import CardStateStore
internal import EMV
internal import Foundation
internal import HSM
internal import HostServer
internal import IssuerConfiguration
internal import ProgramEntry

extension Cards {
    struct Script: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "script", abstract: "Order an issuer script for a card, or see what became of one.",
            discussion: """
                The script goes out once, with the next answer to a cryptogram of the card that verifies, and is \
                protected for that one transaction. What the card reports (tag 9F5B) is recorded. Commands: \
                \(ScriptCommand.Kind.allCases.map(\.rawValue).joined(separator: ", ")).

                pin-change takes the new PIN as a format 0 block under a zone PIN key of this host; the card's \
                reference changes when the card reports success.

                Every order is journalled with user, time and --reason.
                """)

        @OptionGroup var options: ConfigurationOption
        @OptionGroup var card: CardArguments
        @Argument(help: "What the card is to do.") var command: String?
        @Flag(help: "Show the scripts of the card, done ones too.") var list = false
        @Option(help: "Take back the waiting script with this number.") var withdraw: UInt32?
        @Option(help: "Send the script with this number once more.") var resend: UInt32?
        @Option(help: "pin-change: the new PIN, 16 hex digits.") var pinBlock: String?
        @Option(help: "pin-change: the zone PIN key that it is enciphered under.") var zoneKey: String?
        @Option(help: "put-data: the tag, two or four hex digits.") var tag: String?
        @Option(help: "put-data: the value, hex.") var data: String?
        @Flag(help: "Before the final cryptogram (template 71), not after it (72).") var before = false
        @OptionGroup var reason: Reason

        func run() async throws {
            let chosen = [command != nil, list, withdraw != nil, resend != nil].count { $0 }
            guard chosen == 1 else {
                throw ValidationError("one of a command, --list, --withdraw or --resend is needed")
            }
            if list { return try await show() }
            let (note, wish) = (try reason.note(), try command.map(wish))
            let (pan, desk) = (try card.identity(), try await CardDesk(options.config))
            let (token, record) = try await account(desk, pan)
            let number = try card.sequenceNumber(record)
            let order = try await order(
                wish, ScriptPreparation(desk, pan, record: record, number: number),
                sequenceNumber: number)
            let orders = desk.orders
            let answer: String
            do {
                answer = try await onLoop(desk.store.eventLoop) {
                    try await orders.carryOut(order, for: token, note: note)
                }
            } catch let refusal as OperatorRefusal { throw Refusal("\(pan): \(refusal); see --list") }
            await desk.close()
            switch order {
            case .queueScript(let script, _):
                print("\(pan): script \(answer) queued, \(script.command.kind.words)")
            case .withdrawScript(let number, _): print("\(pan): script \(number) withdrawn")
            case .resendScript(let number, _): print("\(pan): script \(number) queued once more")
            default: break
            }
        }

        private func account(_ desk: CardDesk, _ pan: PAN) async throws -> (CardToken, CardRecord) {
            let token = try await desk.token(of: pan)
            let orders = desk.orders
            let record = try await onLoop(desk.store.eventLoop) { try await orders.record(token) }
            guard let record else { throw Refusal.unknown(pan) }
            return (token, record)
        }

        private func show() async throws {
            let (pan, desk) = (try card.identity(), try await CardDesk(options.config))
            let (_, record) = try await account(desk, pan)
            await desk.close()
            let scripts = record.scripts(sequenceNumber: try card.sequenceNumber(record))
            if scripts.isEmpty { print("\(pan): no scripts") }
            for script in scripts {
                let carrier = script.atc.map { ", with ATC \($0)" } ?? ""
                print(
                    "\(pan): script \(script.identifier) \(script.command.kind.words): "
                        + "\(script.state.words)\(carrier)")
            }
        }

        /// What the words alone say of a script.
        private func wish(_ command: String) throws -> (script: ScriptCommand, newPIN: NewPIN?) {
            guard let kind = ScriptCommand.Kind(rawValue: command) else {
                let known = ScriptCommand.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("\(command): none of \(known)")
            }
            return (try scriptCommand(kind), kind == .pinChange ? try newPIN() : nil)
        }

        private func order(
            _ wish: (script: ScriptCommand, newPIN: NewPIN?)?, _ preparation: ScriptPreparation,
            sequenceNumber number: UInt8
        ) async throws -> OperatorOrder {
            if let withdraw { return .withdrawScript(withdraw, sequenceNumber: number) }
            guard let wish else { return .resendScript(resend ?? 0, sequenceNumber: number) }
            if let key = wish.newPIN?.zonePINKey { try requireZoneKey(key, preparation.desk) }
            let before = before
            return .queueScript(
                try await onLoop(preparation.desk.store.eventLoop) {
                    try await preparation.script(wish.script, wish.newPIN, before: before)
                }, sequenceNumber: number)
        }

        private func scriptCommand(_ kind: ScriptCommand.Kind) throws -> ScriptCommand {
            guard kind == .putData else {
                guard tag == nil, data == nil else {
                    throw ValidationError("--tag and --data are for put-data")
                }
                guard let command = ScriptCommand(kind) else { throw ValidationError("\(kind.rawValue)?") }
                return command
            }
            guard let tag = tag.flatMap({ Tag(hex: $0) }), tag.byteCount <= 2 else {
                throw ValidationError("--tag: two or four hex digits are needed")
            }
            guard let bytes = try? Hex.decode(data ?? ""),
                let command = ScriptCommand(puttingData: bytes, in: tag)
            else { throw ValidationError("--data: 1 to 64 bytes in hex are needed") }
            return command
        }

        private func newPIN() throws -> NewPIN {
            guard let text = pinBlock, text.utf8.count == 16, let block = UInt64(text, radix: 16) else {
                throw ValidationError("--pin-block: 16 hex digits are needed")
            }
            guard let zoneKey else {
                throw ValidationError("--zone-key is needed: what --pin-block is under")
            }
            return NewPIN(zonePINKey: KeyName(zoneKey), block: EncipheredPINBlock(rawValue: block))
        }

        private func requireZoneKey(_ key: KeyName, _ desk: CardDesk) throws {
            let known = desk.configuration.links.compactMap(\.zonePINKey)
            guard known.contains(key.rawValue) else {
                throw Refusal(
                    "--zone-key: one of the links' zone PIN keys is needed: "
                        + Set(known).sorted().joined(separator: ", "))
            }
        }
    }
}

/// Makes the script of an order, on the loop of the store.
private final class ScriptPreparation: Sendable {
    let desk: CardDesk
    private let identity: CardIdentity
    private let profile: String
    private let pin: PINOnRecord

    init(_ desk: CardDesk, _ pan: PAN, record: CardRecord, number: UInt8) {
        self.desk = desk
        identity = CardIdentity(pan: pan, panSequenceNumber: PANSequenceNumber(rawValue: number))
        let index = record.plastics.firstIndex { $0.sequenceNumber == number } ?? 0
        (profile, pin) = (record.profile(of: index), record.plastics[index].pin)
    }

    func script(_ command: ScriptCommand, _ newPIN: NewPIN?, before: Bool) async throws -> QueuedScript {
        try check(command.kind)
        guard let newPIN else {
            return QueuedScript(identifier: 0, command: command, isBeforeFinal: before)
        }
        var keyIndex: UInt8?
        if case .verificationValue(let value) = pin { keyIndex = value.keyIndex }
        let (reference, value) = try await verifier(of: newPIN, keyIndex)
        return QueuedScript(
            identifier: 0, command: command, isBeforeFinal: before, newPIN: newPIN, newReference: reference,
            newVerificationValue: value)
    }

    /// What no token does for this card is refused now, not when the card is there.
    private func check(_ kind: ScriptCommand.Kind) throws {
        guard let range = try desk.configuration.rangeTable().range(for: identity.pan) else {
            throw Refusal("\(identity.pan): no issuer range")
        }
        let policies = range.keys.versions.compactMap { range.scriptPolicy(keyVersion: $0.name) }
        guard !policies.isEmpty else {
            throw Refusal(
                "issuers.\(range.name): no secureMessagingIntegrityKey, so no issuer scripts")
        }
        guard let profile = CryptogramProfile.named(profile) else { return }
        if let obstacle = policies.compactMap({ $0.obstacle(to: kind, profile) }).first {
            throw Refusal("\(identity.pan): \(obstacle)")
        }
    }

    /// What a new PIN is verified by later, made inside the token: its block under the PIN verification key, or with a
    /// key index its verification value.
    private func verifier(
        of newPIN: NewPIN, _ keyIndex: UInt8?
    ) async throws -> (EncipheredPINBlock?, PINVerificationValue?) {
        var question = PINQuestion(zonePINKey: newPIN.zonePINKey, format: .iso0, block: newPIN.block)
        if let keyIndex { question.verification = .verificationValue(keyIndex: keyIndex) }
        let deadline = Deadline(nanoseconds: monotonicNanoseconds() + 10_000_000_000)
        switch try await desk.port.pinAnswer(for: question, card: identity, deadline: deadline) {
        case .translated(let block): return (block, nil)
        case .verificationValue(let digits): return (nil, digits)
        case .unreadable(let fault): throw Refusal("--pin-block: \(fault)")
        case .notServed(let why): throw Refusal("--pin-block: \(why)")
        case .notAsked: throw Refusal("--pin-block: the token gave no answer")
        }
    }
}
