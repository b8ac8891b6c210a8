internal import ByteCoding
package import EMV
internal import Foundation
package import HSM
internal import PKCS11

/// Where a card's keys come from.
package struct PersonalisationKeys: Sendable {
    /// Label of IMK-AC, IMK-SMI and IMK-SMC; the last two only for cards that take issuer scripts.
    package let labels: [KeyPurpose: String]
    /// How ICC master keys are derived.
    package let option: MasterKeyOption

    package init(labels: [KeyPurpose: String], option: MasterKeyOption) {
        self.labels = labels
        self.option = option
    }
}

/// The bureau's input file: for every card its keys, each in a key block under the transport key. Holds PANs, which
/// a bureau needs, and no key in clear.
package struct PersonalisationFile: Codable, Sendable {
    /// One key of one card.
    package struct CardKey: Codable, Sendable {
        /// `AC`, `SMI` or `SMC`.
        package let use: String
        /// Label of the issuer master key that it was derived from.
        package let issuerMasterKey: String
        /// ANSI X9.143.
        package let keyBlock: String
        /// Of the card's key.
        package let checkValue: String
    }

    /// One card.
    package struct Card: Codable, Sendable {
        /// Digits.
        package let pan: String
        /// Two digits; nil where the card carries none.
        package let panSequenceNumber: String?
        /// Its keys.
        package let keys: [CardKey]
        /// Certificates, records and private keys for offline data authentication; nil for cards without.
        package var application: PersonalisedApplication?
    }

    /// The key that everything is under.
    package struct TransportKey: Codable, Sendable {
        /// Label.
        package let label: String
        /// By which the bureau knows it.
        package let checkValue: String

        /// Takes both.
        package init(label: String, checkValue: String) {
            self.label = label
            self.checkValue = checkValue
        }
    }

    /// The form of this file.
    package static let form = "issuer-keys personalisation 1"

    /// `form`.
    package let format: String
    /// When it was made, `20261124T190733Z`.
    package let created: String
    /// Cards in it.
    package let cardCount: Int
    /// What the key blocks are under.
    package let transportKey: TransportKey
    /// What private keys are under; nil where there are none.
    package var dataEncryptionKey: TransportKey?
    /// One each.
    package var cards: [Card]
}

/// Card keys for a bureau, derived inside the token and never outside it in clear (EMV Book 2 A1.4).
extension KeyStore {
    /// Cards of one batch, so that a file stays one that a person can handle.
    package static let batchMax = 100_000

    /// - Parameters:
    ///   - cards: with what each is derived from.
    ///   - transportKey: label of the KBPK that the bureau has too.
    /// - Throws: `KeyManagementError` naming the key at fault; cards are named by their place in the batch.
    package mutating func personalise(
        _ cards: [(card: CardIdentity, keys: PersonalisationKeys)], under transportKey: String
    ) throws -> PersonalisationFile {
        try requirePersonalisable(cards.map(\.keys), under: transportKey)
        let checkValue = try record(labelled: transportKey).checkValue ?? "unknown"
        var masterKeys: [String: ObjectHandle] = [:]
        for label in Set(cards.flatMap { $0.keys.labels.values }) {
            masterKeys[label] = try issuerMasterKey(label)
        }
        let handles = masterKeys
        let done = try withProtectionKey(transportKey) { protection, kind, session in
            try cards.map { card, keys in
                try KeyStore.card(
                    card, keys, masterKeys: handles, protection: protection, kind: kind, session: &session)
            }
        }
        for handle in handles.values { try? session.destroy(handle) }
        return PersonalisationFile(
            format: PersonalisationFile.form,
            created: KeyProvenance.text(of: Int(Date().timeIntervalSince1970)), cardCount: done.count,
            transportKey: .init(label: transportKey, checkValue: checkValue), cards: done)
    }

    /// What `personalise` needs is there, and the transport key is strong enough; no card's key is made.
    ///
    /// - Parameter cards: what each is derived from.
    /// - Throws: `KeyManagementError` naming the key at fault.
    package mutating func requirePersonalisable(
        _ cards: [PersonalisationKeys], under transportKey: String
    ) throws {
        guard !cards.isEmpty, cards.count <= KeyStore.batchMax else {
            throw KeyManagementError(
                transportKey, "a batch has 1 to \(KeyStore.batchMax) cards, not \(cards.count)")
        }
        try withProtectionKey(transportKey) { _, kind, _ in
            try KeyStore.requireStrength(of: .tdes128, "a card", under: kind, protectionLabel: transportKey)
        }
        for label in Set(cards.flatMap(\.labels.values)).sorted() {
            let handle = try issuerMasterKey(label)
            try session.destroy(handle)
        }
    }

    /// SHA-256 of a list of cards in hex, by which a batch is approved and noted.
    package mutating func listHash(_ bytes: [UInt8]) throws -> String {
        Hex.encode(try session.sha256(bytes))
    }

    /// A working copy of an issuer master key of the usual kind.
    private mutating func issuerMasterKey(_ label: String) throws -> ObjectHandle {
        let copy = try session.workingCopy(of: try key(labelled: label))
        guard try session.keyType(of: copy) == .des2 else {
            throw KeyManagementError(label, "card keys are personalised from double-length TDES keys only")
        }
        return copy
    }

    private static func card(
        _ card: CardIdentity, _ keys: PersonalisationKeys, masterKeys: [String: ObjectHandle],
        protection: ObjectHandle, kind: KeyAlgorithm, session: inout Session
    ) throws -> PersonalisationFile.Card {
        let diversifier = MasterKeyDerivation.diversifier(keys.option, for: card)
        let derived = try keys.labels.sorted { $0.key.rawValue < $1.key.rawValue }.map { purpose, label in
            guard let masterKey = masterKeys[label], let usage = purpose.rules.blockUsages.first else {
                throw KeyManagementError(label, "not in the token")
            }
            let key = try session.deriveKey(
                from: masterKey, left: diversifier.left, right: diversifier.right,
                template: KeyStore.leavingTemplate(.tdes128))
            defer { try? session.destroy(key) }
            // A card's key derives session keys as its issuer's derives card keys: the same usage and mode.
            let header = KeyBlockHeader(
                version: kind.keyType == .aes ? .d : .b, usage: usage, algorithm: "T", mode: "X",
                exportability: "N")
            return PersonalisationFile.CardKey(
                use: String(purpose.rawValue.dropFirst(4)), issuerMasterKey: label,
                keyBlock: try KeyBlockCipher.seal(
                    key, .tdes128, header: header, under: protection, protection: kind, session: &session),
                checkValue: try TokenCheckValue.of(key, &session) ?? "unknown")
        }
        return PersonalisationFile.Card(
            pan: (0..<card.pan.digitCount).map { String(card.pan.digit(at: $0)) }.joined(),
            panSequenceNumber: card.panSequenceNumber.map(\.description), keys: derived)
    }
}

extension PersonalisationFile {
    /// Written for the owner's eyes only, whole or not at all.
    package func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try writePrivately(try encoder.encode(self), to: path)
    }
}
