public import Authorisation
internal import ByteCoding
internal import EMV
internal import Redis

/// Issuer scripts in the form of the store: parts divided by `,`, each script ended by `|`:
/// `identifier,state,ATC,kind,template,object,data,PIN block,zone key,new reference|`.
enum StoredScripts {
    static func scripts(_ bytes: ArraySlice<UInt8>) throws(StateUnavailable) -> [QueuedScript] {
        if bytes.isEmpty { return [] }
        var scripts: [QueuedScript] = []
        for entry in bytes.split(separator: UInt8(ascii: "|")) {
            guard let script = script(entry) else {
                throw StateUnavailable("read: an issuer script of the card is damaged")
            }
            scripts.append(script)
        }
        return scripts
    }

    private static func script(_ bytes: ArraySlice<UInt8>) -> QueuedScript? {
        let parts = bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 10, let identifier = UInt32(parts[0]), let letter = parts[1].first,
            let state = QueuedScript.State(rawValue: letter),
            let command = command(kind: parts[3], object: parts[5], data: parts[6])
        else { return nil }
        var newPIN: NewPIN?
        if !parts[8].isEmpty {
            guard let block = UInt64(parts[7], radix: 16) else { return nil }
            newPIN = NewPIN(zonePINKey: KeyName(parts[8]), block: EncipheredPINBlock(rawValue: block))
        }
        return QueuedScript(
            identifier: identifier, state: state,
            atc: UInt16(parts[2]).map(ApplicationTransactionCounter.init(rawValue:)), command: command,
            isBeforeFinal: parts[4] == "71", newPIN: newPIN,
            newReference: UInt64(parts[9], radix: 16).map(EncipheredPINBlock.init(rawValue:)),
            newVerificationValue: StoredPIN.verificationValue(ArraySlice(parts[9].utf8)))
    }

    private static func command(kind: String, object: String, data: String) -> ScriptCommand? {
        guard let kind = ScriptCommand.Kind(rawValue: kind) else { return nil }
        guard kind == .putData else { return ScriptCommand(kind) }
        guard let tag = Tag(hex: object), let bytes = try? Hex.decode(data) else { return nil }
        return ScriptCommand(puttingData: bytes, in: tag)
    }

    /// What follows identifier, state and ATC.
    static func text(_ script: QueuedScript) -> String {
        func hex(_ block: EncipheredPINBlock?) -> String {
            block.map { String($0.rawValue, radix: 16) } ?? ""
        }
        return [
            script.command.kind.rawValue, script.isBeforeFinal ? "71" : "72",
            script.command.object?.description ?? "", Hex.encode(script.command.data),
            hex(script.newPIN?.block), script.newPIN?.zonePINKey.rawValue ?? "",
            StoredPIN.text(script.newReference, script.newVerificationValue),
        ].joined(separator: ",")
    }
}

extension RedisCardState {
    /// What an operator does with a script.
    public enum ScriptOrder: Sendable {
        /// It goes out with the next answer to a verified cryptogram.
        case queue(QueuedScript)
        /// One that waits is taken back.
        case withdraw(UInt32)
        /// One whose answer was lost, or that failed, goes out once more.
        case resend(UInt32)
    }

    /// The scripts of a card, oldest first; nil for a card that is unknown.
    public func scripts(of token: CardToken) async throws(StateUnavailable) -> [QueuedScript]? {
        let nothing = RetransmissionKey(moment: 0, acquirer: 0, reference: 0, fingerprint: 0)
        let reading = try await read(token, retransmission: nothing, deadline: Deadline(nanoseconds: .max))
        return reading.card == nil ? nil : reading.scripts
    }

    /// Orders a script for a card, with an entry in the journal in the same step.
    /// - Parameter note: who, when and why; printable, without line breaks.
    /// - Returns: the identifier of a new script, otherwise the letter of the state before; empty where the script is
    ///   in no such state; nil for a card that is unknown.
    public func order(
        _ order: ScriptOrder, for token: CardToken, note: String
    ) async throws(StateUnavailable) -> String? {
        let keys = CardKeys(token, bucketCount: settings.bucketCount)
        var command = RedisCommand(argumentCount: 10)
        command.append("FCALL")
        command.append("cardstate_script")
        command.append("2")
        keys.appendCard(to: &command)
        keys.appendJournal(to: &command)
        switch order {
        case .queue(let script):
            command.append("script-queue")
            command.append(StoredScripts.text(script))
            command.append(script.command.kind.rawValue)
        case .withdraw(let identifier):
            command.append("script-withdraw")
            command.append("\(identifier)")
            command.append("\(identifier)")
        case .resend(let identifier):
            command.append("script-resend")
            command.append("\(identifier)")
            command.append("\(identifier)")
        }
        command.append(note)
        command.append(keys.token)
        return try await send(command, keys, "script").text
    }
}
