internal import ByteCoding
internal import EMV

/// Issuer scripts in the form of the record: parts divided by `,`, each script ended by `|`:
/// `identifier,state,ATC,kind,template,object,data,PIN block,zone key,new reference|`.
extension QueuedScript {
    /// What cannot be read is left out: a script that nobody understands is sent to no card.
    static func list(stored bytes: ArraySlice<UInt8>) -> [QueuedScript] {
        bytes.isEmpty ? [] : bytes.split(separator: UInt8(ascii: "|")).compactMap(script)
    }

    static func stored(_ scripts: [QueuedScript]) -> [UInt8] {
        scripts.flatMap { Array($0.storedText.utf8) + [UInt8(ascii: "|")] }
    }

    /// The same in another state.
    /// - Parameter atc: of the transaction that carries it; without it, the one that stands there.
    func moved(to state: State, atc: ApplicationTransactionCounter?? = .none) -> QueuedScript {
        QueuedScript(
            identifier: identifier, state: state, atc: atc ?? self.atc, command: command,
            isBeforeFinal: isBeforeFinal, newPIN: newPIN, newReference: newReference,
            newVerificationValue: newVerificationValue)
    }

    /// The same under a number of the record's.
    func numbered(_ identifier: UInt32) -> QueuedScript {
        QueuedScript(
            identifier: identifier, state: .queued, command: command, isBeforeFinal: isBeforeFinal,
            newPIN: newPIN, newReference: newReference, newVerificationValue: newVerificationValue)
    }

    private static func script(_ bytes: ArraySlice<UInt8>) -> QueuedScript? {
        let parts = bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 10, let identifier = UInt32(parts[0]), let letter = parts[1].first,
            let state = State(rawValue: letter),
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
            newVerificationValue: value(parts[9]))
    }

    private static func command(kind: String, object: String, data: String) -> ScriptCommand? {
        guard let kind = ScriptCommand.Kind(rawValue: kind) else { return nil }
        guard kind == .putData else { return ScriptCommand(kind) }
        guard let tag = Tag(hex: object), let bytes = try? Hex.decode(data) else { return nil }
        return ScriptCommand(puttingData: bytes, in: tag)
    }

    /// `v`, the key's index and four digits.
    private static func value(_ text: String) -> PINVerificationValue? {
        guard text.utf8.count == 6, text.first == "v", let number = UInt32(text.dropFirst(), radix: 16) else {
            return nil
        }
        return PINVerificationValue(
            keyIndex: UInt8(truncatingIfNeeded: number >> 16), digits: UInt16(truncatingIfNeeded: number))
    }

    private var storedText: String {
        func hex(_ block: EncipheredPINBlock?) -> String {
            block.map { String($0.rawValue, radix: 16) } ?? ""
        }
        var verifier = hex(newReference)
        if let value = newVerificationValue {
            let digits = String(value.digits, radix: 16)
            verifier = "v\(value.keyIndex)" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return [
            "\(identifier)", String(state.rawValue), atc.map { "\($0.rawValue)" } ?? "",
            command.kind.rawValue,
            isBeforeFinal ? "71" : "72", command.object?.description ?? "", Hex.encode(command.data),
            hex(newPIN?.block), newPIN?.zonePINKey.rawValue ?? "", verifier,
        ].joined(separator: ",")
    }
}
