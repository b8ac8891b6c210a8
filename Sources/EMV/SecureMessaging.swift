/// How the cards of a profile protect issuer scripts (EMV Book 2 9; VIS 1.5 D; M/Chip): a row of a table.
package struct SecureMessaging: Hashable, Sendable {
    /// Where the session keys of MAC and encipherment come from.
    package enum SessionKey: Sendable {
        /// The ICC master key XORed with the ATC (VIS 1.5 D.7).
        case visa
        /// Common session key derivation with the ARQC as R (EMV Book 2 A1.3.1).
        case commonFromCryptogram
    }

    /// How command data are enciphered.
    package enum Encipherment: String, Sendable {
        /// A length byte before the data, padding method 2, ECB.
        case visa
        /// CBC; padding method 2 only where the blocks are not full.
        case mastercard
        /// CBC; always padding method 2 (EMV Book 2 9.3).
        case emv
    }

    /// The clear form of a new PIN.
    package enum PINForm: String, Sendable, CaseIterable {
        /// ISO 9564-1 format 2: `2`, length, PIN, filled with F.
        case iso2
        /// VIS 1.5: `0`, length, PIN, filled with F, XORed with the last four bytes of the left half of the
        /// ICC master key for cryptograms.
        case vis
    }

    /// Of MAC and encipherment alike.
    package let sessionKey: SessionKey
    /// Of a new PIN.
    package let encipherment: Encipherment
    /// Where the issuer says nothing else.
    package let pinForm: PINForm
    /// True if the MAC covers ATC and ARQC between header and data; neither is sent.
    package let coversTransaction: Bool

    static let visa = SecureMessaging(
        sessionKey: .visa, encipherment: .visa, pinForm: .vis, coversTransaction: true)
    static let visaCommon = SecureMessaging(
        sessionKey: .commonFromCryptogram, encipherment: .visa, pinForm: .vis, coversTransaction: true)
    static let mChip = SecureMessaging(
        sessionKey: .commonFromCryptogram, encipherment: .mastercard, pinForm: .iso2, coversTransaction: true)
    static let interac = SecureMessaging(
        sessionKey: .commonFromCryptogram, encipherment: .mastercard, pinForm: .iso2, coversTransaction: false
    )
    static let common = SecureMessaging(
        sessionKey: .commonFromCryptogram, encipherment: .emv, pinForm: .iso2, coversTransaction: false)
}

extension CryptogramProfile {
    /// How cards of this profile protect issuer scripts.
    package var secureMessaging: SecureMessaging {
        switch format {
        case .visa: .visa
        case .visaFormat2: .visaCommon
        case .mChip: .mChip
        case .interac: .interac
        case .commonCore: .common
        }
    }
}

/// The public part of secure messaging: what is computed over. No key and no PIN is here.
package enum ScriptMessage {
    /// What the MAC of a command covers, padded by method 2: header, ATC and ARQC where the profile says so, data.
    package static func macInput(
        header: [UInt8], data: [UInt8], messaging: SecureMessaging, atc: ApplicationTransactionCounter,
        cryptogram: ApplicationCryptogram
    ) -> [UInt8] {
        var input = header
        if messaging.coversTransaction {
            append(UInt64(atc.rawValue), count: 2, to: &input)
            append(cryptogram.rawValue, count: 8, to: &input)
        }
        input += data
        input.append(0x80)
        input += [UInt8](repeating: 0, count: (8 - input.count % 8) % 8)
        return input
    }

    /// A number as bytes, big endian.
    package static func append(_ number: UInt64, count: Int, to bytes: inout [UInt8]) {
        for index in stride(from: count - 1, through: 0, by: -1) {
            bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index)))
        }
    }

    /// Bytes of enciphered data for this many in clear.
    package static func encipheredCount(
        of count: Int, _ encipherment: SecureMessaging.Encipherment
    ) -> Int {
        switch encipherment {
        case .visa: (1 + count) / 8 * 8 + 8
        case .mastercard: (count + 7) / 8 * 8
        case .emv: count / 8 * 8 + 8
        }
    }
}

/// One command of an issuer script, before it is protected (EMV Book 3 6.5).
package struct ScriptCommand: Hashable, Sendable {
    /// What it does. The raw value is what operators type and what the state store keeps.
    package enum Kind: String, CaseIterable, Sendable {
        case pinChange = "pin-change"
        case pinUnblock = "pin-unblock"
        case applicationBlock = "application-block"
        case applicationUnblock = "application-unblock"
        case cardBlock = "card-block"
        case putData = "put-data"

        /// In words, for people.
        package var words: String {
            switch self {
            case .pinChange: "PIN change"
            case .pinUnblock: "PIN unblock"
            case .applicationBlock: "application block"
            case .applicationUnblock: "application unblock"
            case .cardBlock: "card block"
            case .putData: "put data"
            }
        }
    }

    /// What it does.
    package let kind: Kind
    /// PUT DATA: the tag of one or two bytes, P1 P2 of the command.
    package let object: Tag?
    /// PUT DATA: the value, sent in clear under the MAC.
    package let data: [UInt8]

    /// A command without data of its own.
    /// - Returns: nil for PUT DATA, which has an object.
    package init?(_ kind: Kind) {
        guard kind != .putData else { return nil }
        (self.kind, object, data) = (kind, nil, [])
    }

    /// PUT DATA (as the schemes define it for their counters and limits).
    /// - Returns: nil for a tag of more than two bytes, or no value or one of more than 64 bytes.
    package init?(puttingData data: [UInt8], in object: Tag) {
        guard object.byteCount <= 2, (1...64).contains(data.count) else { return nil }
        (kind, self.object, self.data) = (.putData, object, data)
    }

    /// CLA, INS, P1, P2 and Lc with the MAC's eight bytes.
    /// - Parameter dataCount: bytes of data without the MAC, after encipherment.
    package func header(dataCount: Int) -> [UInt8] {
        let start: [UInt8] =
            switch kind {
            case .pinChange: [0x84, 0x24, 0x00, 0x02]
            case .pinUnblock: [0x84, 0x24, 0x00, 0x00]
            case .applicationBlock: [0x84, 0x1E, 0x00, 0x00]
            case .applicationUnblock: [0x84, 0x18, 0x00, 0x00]
            case .cardBlock: [0x84, 0x16, 0x00, 0x00]
            case .putData: putDataHeader
            }
        return start + [UInt8(truncatingIfNeeded: dataCount + 8)]
    }

    private var putDataHeader: [UInt8] {
        let tag = object?.rawValue ?? 0
        return [0x04, 0xDA, UInt8(truncatingIfNeeded: tag >> 8), UInt8(truncatingIfNeeded: tag)]
    }
}

/// What a terminal reports of one script (tag 9F5B, five bytes each; EMV Book 4 A5).
package struct IssuerScriptResult: Hashable, Sendable {
    /// Bits 8 to 5 of byte 1.
    package enum Outcome: UInt8, Sendable {
        case notPerformed = 0
        case failed = 1
        case successful = 2
    }

    /// What became of the script.
    package let outcome: Outcome
    /// The number of the command that failed, 1 for the first; 0 where none did; 15 for the fifteenth and later.
    package let failedCommand: UInt8
    /// The script's identifier (tag 9F18), 0 where it had none.
    package let identifier: UInt32

    package init(outcome: Outcome, failedCommand: UInt8, identifier: UInt32) {
        self.outcome = outcome
        self.failedCommand = failedCommand & 0x0F
        self.identifier = identifier
    }

    /// The five bytes.
    package var bytes: [UInt8] {
        var bytes = [outcome.rawValue << 4 | failedCommand]
        ScriptMessage.append(UInt64(identifier), count: 4, to: &bytes)
        return bytes
    }

    /// The results of a tag 9F5B; what is no result is left out.
    package static func results(in value: ArraySlice<UInt8>) -> [IssuerScriptResult] {
        stride(from: value.startIndex, to: value.endIndex - 4, by: 5).compactMap { start in
            guard let outcome = Outcome(rawValue: value[start] >> 4) else { return nil }
            let identifier = value[start + 1..<start + 5].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return IssuerScriptResult(
                outcome: outcome, failedCommand: value[start] & 0x0F, identifier: identifier)
        }
    }
}
