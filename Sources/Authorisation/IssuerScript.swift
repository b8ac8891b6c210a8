package import EMV

/// The keys and habits of issuer scripts for one range.
package struct IssuerScriptPolicy: Sendable {
    /// IMK-SMI: MACs of commands.
    package let integrityKey: KeyName
    /// IMK-SMC: encipherment of PINs; nil where the range changes no PINs by script.
    package let confidentialityKey: KeyName?
    /// The clear form of a new PIN; nil: the one of the card's profile.
    package let pinForm: SecureMessaging.PINForm?

    package init(
        integrityKey: KeyName, confidentialityKey: KeyName?, pinForm: SecureMessaging.PINForm? = nil
    ) {
        self.integrityKey = integrityKey
        self.confidentialityKey = confidentialityKey
        self.pinForm = pinForm
    }

    /// What the token cannot do for such a script within its boundary, in words; nil where it can.
    ///
    /// A VIS PIN block XORs the PIN with a part of the card's key. PKCS#11 XORs a secret with public data only
    /// (`CKM_XOR_BASE_AND_DATA`), so one of the two would have to be a value in the host.
    package func obstacle(to kind: ScriptCommand.Kind, _ profile: CryptogramProfile) -> String? {
        guard profile.cipher != .aes else {
            return "\(profile.name): issuer scripts under AES keys are not served"
        }
        guard kind == .pinChange else { return nil }
        guard confidentialityKey != nil else { return "no secureMessagingConfidentialityKey for this card" }
        guard (pinForm ?? profile.secureMessaging.pinForm) == .vis else { return nil }
        return
            "\(profile.name): a token cannot XOR the PIN with the card's key (VIS PIN block); cards that take "
            + "ISO 9564-1 format 2 are served with scriptPINForm: iso2"
    }
}

extension IssuerRange {
    /// The script keys of a card; nil where its key version sends none.
    package func scriptPolicy(keyVersion name: String) -> IssuerScriptPolicy? {
        guard let version = keys.version(named: name), let integrity = version.secureMessagingIntegrityKey
        else { return nil }
        return IssuerScriptPolicy(
            integrityKey: integrity, confidentialityKey: version.secureMessagingConfidentialityKey,
            pinForm: scriptPINForm)
    }
}

/// A new PIN as it came: format 0, enciphered under a zone key. Never described, never logged.
package struct NewPIN: Hashable, Sendable {
    /// The key that it is enciphered under.
    package let zonePINKey: KeyName
    /// The block.
    package let block: EncipheredPINBlock

    package init(zonePINKey: KeyName, block: EncipheredPINBlock) {
        self.zonePINKey = zonePINKey
        self.block = block
    }
}

/// A script that an operator has ordered for a card, as the state store keeps it.
package struct QueuedScript: Sendable {
    /// How far it has come. The raw value stands in the store.
    package enum State: Character, Sendable, CaseIterable {
        case queued = "q"
        /// In an answer; the card has not reported.
        case sent = "s"
        case successful = "o"
        case failed = "f"
        /// The terminal did not get to it.
        case notPerformed = "n"
        case withdrawn = "x"

        /// In words, for people.
        package var words: String {
            switch self {
            case .queued: "queued"
            case .sent: "sent, no result yet"
            case .successful: "successful"
            case .failed: "failed"
            case .notPerformed: "not performed"
            case .withdrawn: "withdrawn"
            }
        }
    }

    /// 1 for a card's first; tag 9F18.
    package let identifier: UInt32
    /// How far it has come.
    package let state: State
    /// The transaction that carried it, nil while it waits.
    package let atc: ApplicationTransactionCounter?
    /// What the card is told.
    package let command: ScriptCommand
    /// True for template 71: before the final cryptogram. False for 72: after it.
    package let isBeforeFinal: Bool
    /// For a PIN change.
    package let newPIN: NewPIN?
    /// For a PIN change: the reference of the new PIN, which takes the place of the old one when the card reports
    /// success.
    package let newReference: EncipheredPINBlock?
    /// The same for a card whose PIN is verified by Visa's value.
    package let newVerificationValue: PINVerificationValue?

    package init(
        identifier: UInt32, state: State = .queued, atc: ApplicationTransactionCounter? = nil,
        command: ScriptCommand, isBeforeFinal: Bool = false, newPIN: NewPIN? = nil,
        newReference: EncipheredPINBlock? = nil, newVerificationValue: PINVerificationValue? = nil
    ) {
        self.newVerificationValue = newVerificationValue
        self.identifier = identifier
        self.state = state
        self.atc = atc
        self.command = command
        self.isBeforeFinal = isBeforeFinal
        self.newPIN = newPIN
        self.newReference = newReference
    }
}

/// A script command to be protected: everything that the token needs and nothing that it has itself.
package struct IssuerScriptQuestion: Sendable {
    /// The range's keys.
    package let policy: IssuerScriptPolicy
    /// Option A or B.
    package let masterKeyOption: MasterKeyOption
    /// How the card's profile protects commands.
    package let messaging: SecureMessaging
    /// PAN and sequence number.
    package let card: CardIdentity
    /// Tag 9F36 of the transaction that carries it.
    package let atc: ApplicationTransactionCounter
    /// Tag 9F26 of the same.
    package let cryptogram: ApplicationCryptogram
    /// What the card is told.
    package let command: ScriptCommand
    /// For a PIN change.
    package let newPIN: NewPIN?

    package init(
        policy: IssuerScriptPolicy, masterKeyOption: MasterKeyOption, messaging: SecureMessaging,
        card: CardIdentity, atc: ApplicationTransactionCounter, cryptogram: ApplicationCryptogram,
        command: ScriptCommand, newPIN: NewPIN?
    ) {
        self.policy = policy
        self.masterKeyOption = masterKeyOption
        self.messaging = messaging
        self.card = card
        self.atc = atc
        self.cryptogram = cryptogram
        self.command = command
        self.newPIN = newPIN
    }
}

/// The port to the token for issuer scripts. Only cards for which one waits come here.
package protocol IssuerScriptCryptography: Sendable {
    /// The whole command: header, data and MAC (EMV Book 2 9).
    func protectedCommand(
        _ question: IssuerScriptQuestion, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> [UInt8]
}

extension IssuerScriptCryptography {
    /// For a port without issuer scripts.
    package func protectedCommand(
        _ question: IssuerScriptQuestion, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> [UInt8] { throw .tokenFailed("no issuer scripts here") }
}

/// The scripts of one card in one transaction: what was reported, what goes out.
struct ScriptDelivery {
    let range: IssuerRange?

    init(_ range: IssuerRange?) { self.range = range }

    /// What tag 9F5B says of scripts that were sent. Only a verified cryptogram makes the card a witness.
    static func results(
        _ scripts: [QueuedScript], _ chip: ICCData?
    ) -> [(identifier: UInt32, state: QueuedScript.State)] {
        guard let value = chip?[.issuerScriptResults] else { return [] }
        return IssuerScriptResult.results(in: value).compactMap { result in
            guard scripts.contains(where: { $0.identifier == result.identifier && $0.state == .sent }) else {
                return nil
            }
            let state: QueuedScript.State =
                switch result.outcome {
                case .successful: .successful
                case .failed: .failed
                case .notPerformed: .notPerformed
                }
            return (result.identifier, state)
        }
    }

    /// What the token needs to protect a script.
    func question(
        _ script: QueuedScript, _ verified: VerifiedCryptogram, card: CardIdentity
    ) -> IssuerScriptQuestion? {
        guard verified.question.profile.cipher != .aes, let range,
            let policy = range.scriptPolicy(keyVersion: verified.question.keyVersion)
        else {
            return nil
        }
        return IssuerScriptQuestion(
            policy: policy, masterKeyOption: range.masterKeyOption,
            messaging: verified.question.profile.secureMessaging, card: card, atc: verified.question.atc,
            cryptogram: verified.question.cryptogram, command: script.command, newPIN: script.newPIN)
    }

    /// Template 71 or 72 with identifier and command (EMV Book 3 10.10).
    static func template(_ script: QueuedScript, _ command: [UInt8]) -> [UInt8] {
        var inner = TLVWriter(reserving: command.count + 12)
        inner.append(.issuerScriptIdentifier, number: UInt64(script.identifier), count: 4)
        inner.append(.issuerScriptCommand, command)
        var outer = TLVWriter(reserving: inner.bytes.count + 4)
        outer.append(script.isBeforeFinal ? .issuerScript1 : .issuerScript2, inner.bytes)
        return outer.bytes
    }
}
