package import EMV
package import LibCrypto

/// A card's master keys for issuer scripts.
package struct CardScriptKeys: Sendable {
    /// MACs of commands.
    package let integrity: DoubleLengthKey
    /// Enciphered data of commands.
    package let confidentiality: DoubleLengthKey

    package init(integrity: DoubleLengthKey, confidentiality: DoubleLengthKey) {
        self.integrity = integrity
        self.confidentiality = confidentiality
    }
}

/// What a card verifies a script command with: the transaction and its keys.
package struct ScriptVerification: Sendable {
    let messaging: SecureMessaging
    let keys: CardScriptKeys
    let keyHalf: UInt64
    let atc: ApplicationTransactionCounter
    let cryptogram: ApplicationCryptogram

    /// - Parameter keyHalf: the left half of the ICC master key for cryptograms, for VIS PIN blocks.
    package init(
        messaging: SecureMessaging, keys: CardScriptKeys, keyHalf: UInt64, atc: ApplicationTransactionCounter,
        cryptogram: ApplicationCryptogram
    ) {
        self.messaging = messaging
        self.keys = keys
        self.keyHalf = keyHalf
        self.atc = atc
        self.cryptogram = cryptogram
    }
}

/// What issuer scripts change in a card: PIN and its tries, blocks, data objects; and what the card remembers of
/// them until it tells the issuer.
package struct CardMemory: Sendable {
    static let success: UInt16 = 0x9000
    static let wrongLength: UInt16 = 0x6700
    static let wrongData: UInt16 = 0x6984
    static let conditionsNotSatisfied: UInt16 = 0x6985
    static let wrongMAC: UInt16 = 0x6988
    static let unknownInstruction: UInt16 = 0x6D00

    /// The PIN as the card has it now.
    package private(set) var pin: PIN
    /// In how a PIN change has to come.
    package internal(set) var pinForm: SecureMessaging.PINForm
    /// Tries for a PIN that the card checks itself.
    package internal(set) var pinTriesLeft = 3
    /// APPLICATION BLOCK: the card gives no ARQC and no TC.
    package private(set) var isApplicationBlocked = false
    /// CARD BLOCK: the card answers nothing any more.
    package private(set) var isCardBlocked = false
    /// What PUT DATA has written.
    package private(set) var objects: [Tag: [UInt8]] = [:]
    /// Commands received since the last transaction that went online well (CVR of the schemes).
    package internal(set) var commandsReceived = 0
    /// A command failed in the last transaction with scripts (CVR of the schemes).
    package internal(set) var hasFailed = false
    /// For the next message's tag 9F5B.
    package internal(set) var scriptResults: [IssuerScriptResult] = []

    init(pin: PIN, pinForm: SecureMessaging.PINForm) {
        self.pin = pin
        self.pinForm = pinForm
    }

    /// Verifies the MAC first; only an authentic command changes anything.
    mutating func perform(
        _ command: [UInt8], _ verification: ScriptVerification, chip: inout ChipCryptography
    ) throws(LibCryptoError) -> UInt16 {
        if isCardBlocked { return CardMemory.conditionsNotSatisfied }
        commandsReceived += 1
        let status = try verified(command, verification, chip: &chip)
        if status != CardMemory.success { hasFailed = true }
        return status
    }

    private mutating func verified(
        _ command: [UInt8], _ verification: ScriptVerification, chip: inout ChipCryptography
    ) throws(LibCryptoError) -> UInt16 {
        guard command.count >= 13, Int(command[4]) == command.count - 5 else { return CardMemory.wrongLength }
        let (header, data) = (Array(command.prefix(5)), Array(command[5..<(command.count - 8)]))
        let key = try chip.scriptSessionKey(
            verification.messaging, iccMasterKey: verification.keys.integrity, atc: verification.atc,
            cryptogram: verification.cryptogram)
        let mac = try chip.scriptMAC(
            verification.messaging, key: key, header: header, data: data, atc: verification.atc,
            cryptogram: verification.cryptogram)
        let sent = command.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard mac == sent else { return CardMemory.wrongMAC }
        return try apply(header, data, verification: verification, chip: &chip)
    }

    private mutating func apply(
        _ header: [UInt8], _ data: [UInt8], verification: ScriptVerification, chip: inout ChipCryptography
    ) throws(LibCryptoError) -> UInt16 {
        switch header[1] {
        case 0x16: isCardBlocked = true
        case 0x18: isApplicationBlocked = false
        case 0x1E: isApplicationBlocked = true
        case 0x24 where header[3] == 0: pinTriesLeft = 3
        case 0x24:
            return try changePIN(data, provesCurrent: header[3] == 1, verification: verification, chip: &chip)
        case 0xDA:
            let tag = UInt32(header[2]) << 8 | UInt32(header[3])
            guard tag != 0, !data.isEmpty else { return CardMemory.wrongData }
            objects[Tag(rawValue: tag)] = data
        default: return CardMemory.unknownInstruction
        }
        return CardMemory.success
    }

    private mutating func changePIN(
        _ data: [UInt8], provesCurrent: Bool, verification: ScriptVerification,
        chip: inout ChipCryptography
    ) throws(LibCryptoError) -> UInt16 {
        let key = try chip.scriptSessionKey(
            verification.messaging, iccMasterKey: verification.keys.confidentiality, atc: verification.atc,
            cryptogram: verification.cryptogram)
        guard
            let clear = try chip.decipherScriptData(
                data, verification.messaging.encipherment, key: key, count: 8),
            let changed = ClearPINBlock.pin(
                ofScriptBlock: clear.reduce(0) { $0 << 8 | UInt64($1) }, pinForm,
                keyHalf: verification.keyHalf, current: provesCurrent ? pin : nil)
        else { return CardMemory.wrongData }
        pin = changed
        pinTriesLeft = 3
        return CardMemory.success
    }
}

extension CardMemory {
    /// The product with what the CVR says of scripts in the last transaction (VIS, EMV Book 3 C7.3, M/Chip).
    func product(_ product: CardProduct) -> CardProduct {
        guard commandsReceived > 0 || hasFailed else { return product }
        var iad = product.issuerApplicationData
        guard let parsed = try? IssuerApplicationData(parsing: iad[...]) else { return product }
        let start = parsed.cardVerificationResults.startIndex
        let count = UInt8(min(commandsReceived, 15)) << 4
        switch product.profile.format {
        case .visa: iad[start + 2] = iad[start + 2] & 0x07 | count | (hasFailed ? 0x08 : 0)
        case .commonCore: iad[start + 3] = iad[start + 3] & 0x07 | count | (hasFailed ? 0x08 : 0)
        case .mChip:
            iad[start + 2] = iad[start + 2] & 0x0F | count
            iad[start + 4] = iad[start + 4] & 0xFC | 0x02 | (hasFailed ? 0x01 : 0)
        case .visaFormat2, .interac: break
        }
        return product.with(issuerApplicationData: iad)
    }
}
