internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// Known answers of issuer scripts, computed apart from any token by an independent calculator.
extension OperationChecks {
    /// A card block of an M/Chip card: header and MAC.
    private static let cardBlock = "84160000082F239939034B7679"
    /// The same of a Visa card.
    private static let visaCardBlock = "8416000008C15CE83BF67D33F6"
    /// The public PIN 1234 for the same card: header, enciphered PIN block of format 2, MAC.
    private static let pinChange = "8424000210F2653F3657E545DDFAAB951B34F391AC"

    mutating func checkScriptMAC() throws {
        try expect(Self.cardBlock, .cardBlock, profile: .mcCVN10h)
    }

    mutating func checkVisaScriptMAC() throws {
        try expect(Self.visaCardBlock, .cardBlock, profile: .visaCVN10)
    }

    mutating func checkScriptPIN() throws {
        try expect(Self.pinChange, .pinChange, profile: .mcCVN10h)
    }

    private mutating func expect(
        _ command: String, _ kind: ScriptCommand.Kind, profile: CryptogramProfile
    ) throws {
        let question = try scriptQuestion(kind, profile)
        guard Hex.encode(try serving.protectedCommand(question)) == command else {
            throw CapabilityMissing("wrong answer")
        }
    }

    /// A command for the known card, as the host asks when it delivers a script.
    mutating func scriptQuestion(
        _ kind: ScriptCommand.Kind, _ profile: CryptogramProfile
    ) throws -> IssuerScriptQuestion {
        let pan = try PAN(OperationChecks.pan)
        guard let command = ScriptCommand(kind) else { throw CapabilityMissing("no such command") }
        var newPIN: NewPIN?
        if kind == .pinChange {
            let block = try question(.iso0, 0x1234, count: 4, pan: pan).block
            newPIN = NewPIN(zonePINKey: KeyName("zpk"), block: block)
        }
        return IssuerScriptQuestion(
            policy: IssuerScriptPolicy(
                integrityKey: KeyName("imk"), confidentialityKey: KeyName("imk-smc"), pinForm: nil),
            masterKeyOption: .a, messaging: profile.secureMessaging,
            card: CardIdentity(pan: pan, panSequenceNumber: nil),
            atc: ApplicationTransactionCounter(rawValue: 1), cryptogram: ApplicationCryptogram(rawValue: 3),
            command: command, newPIN: newPIN)
    }
}
