internal import ByteCoding
package import HSM
internal import PKCS11

/// Keys that come and go under another key.
extension KeyStore {
    /// Takes a key out of a key block into the token, with the least usage of the purpose that its name says.
    ///
    /// - Parameters:
    ///   - protectionKey: label of the KBPK.
    ///   - expectedCheckValue: what the sender said, in hex; nil where the sender said none.
    ///   - exportable: true keeps a copy that can leave again; the block has to allow it.
    /// - Throws: `KeyBlockError` where the block was changed or forbids this use.
    @discardableResult
    package mutating func importBlock(
        _ text: String, as name: VersionedKeyName, under protectionKey: String,
        expectedCheckValue: String? = nil, exportable: Bool = false
    ) throws -> KeyRecord {
        let block = try KeyBlock(parsing: text)
        let (purpose, _) = try plan(name, nil)
        try block.header.requireUse(as: purpose)
        guard !exportable || block.header.exportability != "N" else {
            throw KeyBlockError("exportability", "N: this key may not leave again")
        }
        let limits = BlockLimits(block.header)
        try requireFree(name)
        if exportable { try requireFree(try name.transfer) }
        let refusesTestKeys = refusesTestKeys
        let key = try withProtectionKey(protectionKey) { protection, kind, session in
            try KeyBlockCipher.open(block, under: protection, protection: kind, session: &session) {
                data, algorithm, session in
                try KeyStore.install(
                    data, algorithm, name: name, purpose: purpose, expected: expectedCheckValue,
                    limits: limits, exportable: exportable,
                    refusesTestKeys: refusesTestKeys, session: &session)
            }
        }
        return try record(of: key)
    }

    private static func install(
        _ data: KeyData, _ algorithm: KeyAlgorithm, name: VersionedKeyName, purpose: KeyPurpose,
        expected: String?, limits: BlockLimits, exportable: Bool, refusesTestKeys: Bool,
        session: inout Session
    ) throws -> ObjectHandle {
        guard purpose.rules.algorithms.contains(algorithm) else {
            throw KeyBlockError("algorithm", "\(purpose.rawValue) cannot be \(algorithm.rawValue)")
        }
        // Looked at before it is there for good.
        do { try WeakKeys.refuse(data.object, offset: 2, algorithm: algorithm, session: &session) } catch let
            weakness
            as KeyWeakness
        {
            throw KeyManagementError(name.label, "\(weakness)")
        }
        let trial = try data.key(KeyStore.sessionTemplate(purpose, algorithm), &session)
        let found = try TokenCheckValue.of(trial, &session)
        try session.destroy(trial)
        if let expected, found != expected.uppercased() {
            throw KeyManagementError(
                name.label, "has KCV \(found ?? "unknown"), not \(expected.uppercased())")
        }
        try KeyStore.refuseTestKey(name, found, refusesTestKeys: refusesTestKeys)
        let provenance = KeyProvenance(.imported, checkValue: found, blockHeader: try limits.text)
        var leaving: ObjectHandle?
        if exportable {
            leaving = try key(
                data, algorithm, label: try name.transfer.label, purpose: .transferKey,
                provenance: provenance, session: &session)
        }
        do {
            return try key(
                data, algorithm, label: name.label, purpose: purpose, provenance: provenance,
                session: &session)
        } catch {
            if let leaving { try? session.destroy(leaving) }
            throw error
        }
    }

    /// A key of the token out of key data, read back.
    private static func key(
        _ data: KeyData, _ algorithm: KeyAlgorithm, label: String, purpose: KeyPurpose,
        provenance: KeyProvenance, session: inout Session
    ) throws -> ObjectHandle {
        let template = purpose.tokenTemplate(
            label: label, algorithm: algorithm, provenance: provenance, statesLength: true)
        return try made(label, purpose, session: &session) { (session) throws(PKCS11Error) in
            try data.key(template, &session)
        }
    }

    /// Takes a key out of its encipherment in ECB mode under a ZMK: the form of exchange before key blocks, which
    /// says nothing of a key's use and is authenticated by nothing but its check value.
    @discardableResult
    package mutating func importCryptogram(
        _ cryptogram: [UInt8], as name: VersionedKeyName, under zoneMasterKey: String,
        expectedCheckValue: String
    ) throws -> KeyRecord {
        let (purpose, _) = try plan(name, nil)
        let candidates: [KeyAlgorithm] = [.tdes128, .tdes192]
        guard let algorithm = candidates.first(where: { $0.byteCount == cryptogram.count }),
            purpose.rules.algorithms.contains(algorithm)
        else {
            throw KeyManagementError(name.label, "a cryptogram has 16 or 24 bytes, not \(cryptogram.count)")
        }
        try requireFree(name)
        guard KeyPurpose.named(zoneMasterKey) == .zoneMasterKey else {
            throw KeyManagementError(zoneMasterKey, "is no ZMK; key blocks come under a KBPK")
        }
        let refusesTestKeys = refusesTestKeys
        let key = try workingKey(try key(labelled: zoneMasterKey)) { wrapping, session in
            let trial = try session.unwrapKey(
                .tripleDESECB, under: wrapping, wrapped: cryptogram,
                template: KeyStore.sessionTemplate(purpose, algorithm))
            let found = try TokenCheckValue.of(trial, &session)
            try session.destroy(trial)
            guard found == expectedCheckValue.uppercased() else {
                throw KeyManagementError(
                    name.label, "has KCV \(found ?? "unknown"), not \(expectedCheckValue.uppercased())")
            }
            try KeyStore.refuseTestKey(name, found, refusesTestKeys: refusesTestKeys)
            let material = try session.unwrapKey(
                .tripleDESECB, under: wrapping, wrapped: cryptogram,
                template: KeyData.template(cryptogram.count))
            defer { try? session.destroy(material) }
            do { try WeakKeys.refuse(material, algorithm: algorithm, session: &session) } catch let weakness
                as KeyWeakness
            {
                throw KeyManagementError(name.label, "\(weakness)")
            }
            let template = purpose.tokenTemplate(
                label: name.label, algorithm: algorithm,
                provenance: KeyProvenance(.imported, checkValue: found), statesLength: false)
            return try KeyStore.made(name.label, purpose, session: &session) {
                (session) throws(PKCS11Error) in
                try session.unwrapKey(.tripleDESECB, under: wrapping, wrapped: cryptogram, template: template)
            }
        }
        return try record(of: key)
    }

    /// Has the token make a key of which a second copy may leave, with that as its only use. The key in use has the
    /// least usage of its purpose and never leaves.
    @discardableResult
    package mutating func generateExportable(
        _ name: VersionedKeyName, algorithm: KeyAlgorithm? = nil
    ) throws -> KeyRecord {
        let (purpose, algorithm) = try plan(name, algorithm)
        guard !purpose.rules.blockUsages.isEmpty else {
            throw KeyManagementError(name.label, "\(purpose.rawValue) has no key usage in a key block")
        }
        try requireFree(name)
        try requireFree(try name.transfer)
        let made = try session.generateKey(algorithm.keyType, KeyStore.leavingTemplate(algorithm))
        defer { try? session.destroy(made) }
        let data = try KeyData(of: made, algorithm, fill: [], session: &session)
        defer { try? session.destroy(data.object) }
        let provenance = KeyProvenance(.generated, checkValue: try TokenCheckValue.of(made, &session))
        let leaving = try KeyStore.key(
            data, algorithm, label: try name.transfer.label, purpose: .transferKey, provenance: provenance,
            session: &session)
        do {
            return try record(
                of: try KeyStore.key(
                    data, algorithm, label: name.label, purpose: purpose, provenance: provenance,
                    session: &session))
        } catch {
            try? session.destroy(leaving)
            throw error
        }
    }

    /// A key block of a key that was made or imported exportable. One that came in a key block leaves with the usage,
    /// mode, key version, exportability and optional blocks that it came with, or with less.
    ///
    /// - Parameters:
    ///   - mode: mode of use, nil for the one that it came with, or the first one of the purpose.
    ///   - exportability: what the receiver may do: `N`, `E` or `S`; nil for what its sender allowed, else `N`.
    ///   - version: nil takes D under AES and B under triple DES.
    package mutating func exportBlock(
        _ name: VersionedKeyName, under protectionKey: String, mode: Character? = nil,
        exportability: Character? = nil, version: KeyBlockVersion? = nil, optionalBlocks: [OptionalBlock] = []
    ) throws -> String {
        let (purpose, _) = try plan(name, nil)
        guard let usage = purpose.rules.blockUsages.first, let usualMode = purpose.rules.blockModes.first
        else {
            throw KeyManagementError(name.label, "\(purpose.rawValue) has no key usage in a key block")
        }
        let label = try name.transfer.label
        guard let transfer = try session.findKeys(label: label).first else {
            throw KeyManagementError(
                name.label, "may not leave: it was not made or imported exportable (no key \(label))")
        }
        let allowed = try KeyProvenance(identifier: session.identifier(of: transfer))?.blockHeader
            .map { try BlockLimits(text: $0, of: name.label) }
        let value = try TokenCheckValue.of(transfer, &session)
        return try withProtectionKey(protectionKey) { protection, kind, session in
            guard let algorithm = try KeyAlgorithm.of(session.workingCopy(of: transfer), &session) else {
                throw KeyManagementError(label, "the token does not say its length")
            }
            try KeyStore.requireStrength(
                of: algorithm, name.label, under: kind, protectionLabel: protectionKey)
            let protectionValue = try TokenCheckValue.of(protection, &session)
            guard protectionKey != name.label, algorithm != kind || value == nil || value != protectionValue
            else { throw KeyManagementError(name.label, "a key does not protect itself (\(protectionKey))") }
            var header = KeyBlockHeader(
                version: version ?? (kind.keyType == .aes ? .d : .b), usage: usage,
                algorithm: algorithm.blockLetter, mode: mode ?? usualMode,
                keyVersion: KeyStore.digits(name.version), exportability: exportability ?? "N",
                optionalBlocks: optionalBlocks)
            if let allowed {
                header = try allowed.header(
                    version: header.version, mode: mode, exportability: exportability,
                    adding: optionalBlocks, protectionCheckValue: protectionValue)
            }
            try header.requireUse(as: purpose)
            return try KeyBlockCipher.seal(
                transfer, algorithm, header: header, under: protection, protection: kind, session: &session)
        }
    }

    /// A key is protected by one that is no weaker (ANSI X9.143, 5.2; NIST SP 800-57 part 1, 5.6.2).
    static func requireStrength(
        of algorithm: KeyAlgorithm, _ label: String, under protection: KeyAlgorithm, protectionLabel: String
    ) throws(KeyManagementError) {
        guard algorithm.strengthBits <= protection.strengthBits else {
            throw KeyManagementError(
                protectionLabel,
                "\(protection.rawValue) is weaker than \(algorithm.rawValue) of \(label), which it would protect"
            )
        }
    }

    /// Key version number: two characters, `00` beyond what they hold.
    static func digits(_ version: UInt8) -> String {
        guard version < 100 else { return "00" }
        return version < 10 ? "0\(version)" : "\(version)"
    }

    /// Lends a working copy of a KBPK.
    mutating func withProtectionKey<Result>(
        _ label: String, _ body: (ObjectHandle, KeyAlgorithm, inout Session) throws -> Result
    ) throws -> Result {
        guard KeyPurpose.named(label) == .keyBlockProtectionKey else {
            throw KeyManagementError(label, "is no KBPK; key blocks come and go under kbpk-…")
        }
        return try workingKey(try key(labelled: label)) { key, session in
            guard let algorithm = try KeyAlgorithm.of(key, &session) else {
                throw KeyManagementError(label, "the token does not say its length")
            }
            try TokenCapability.requireComposition(label, &session)
            return try body(key, algorithm, &session)
        }
    }

    // MARK: - Templates of session objects

    /// As the purpose has it, but for the session.
    static func sessionTemplate(_ purpose: KeyPurpose, _ algorithm: KeyAlgorithm) -> Template {
        Template(
            keyType: algorithm.keyType,
            valueCount: algorithm.keyType == .aes || algorithm.keyType == .genericSecret
                ? algorithm.byteCount : nil,
            on: [.sensitive, .isPrivate] + purpose.usage,
            off: [.token, .extractable] + KeyPurpose.usages.filter { !purpose.usage.contains($0) })
    }

    /// A key that is to leave under another, for the length of that.
    static func leavingTemplate(_ algorithm: KeyAlgorithm, statesLength: Bool = true) -> Template {
        Template(
            keyType: algorithm.keyType,
            valueCount: statesLength && (algorithm.keyType == .aes || algorithm.keyType == .genericSecret)
                ? algorithm.byteCount : nil,
            on: [.sensitive, .isPrivate, .extractable, .derive],
            off: [.token] + KeyPurpose.usages.filter { $0 != .derive })
    }
}

extension VersionedKeyName {
    /// The copy of this key that may leave.
    var transfer: VersionedKeyName {
        get throws(KeyNameError) {
            try VersionedKeyName(
                name: "\(KeyPurpose.transferKey.rules.prefix)-\(name)", version: version)
        }
    }
}

extension KeyBlockHeader {
    /// Whether a key with this header may become a key of this purpose (ANSI X9.143, 6.3).
    func requireUse(as purpose: KeyPurpose) throws(KeyBlockError) {
        let rules = purpose.rules
        guard rules.blockUsages.contains(usage) else {
            let allowed = rules.blockUsages.isEmpty ? "none" : rules.blockUsages.joined(separator: " or ")
            throw KeyBlockError("key usage", "\(usage) is not \(purpose.rawValue), which is \(allowed)")
        }
        guard rules.blockModes.contains(mode) else {
            throw KeyBlockError(
                "mode of use",
                "\(mode) is more or other than \(purpose.rawValue) may have (\(rules.blockModes))")
        }
        guard keyVersion.first != "c" else {
            throw KeyBlockError("key version", "\(keyVersion): this is a component, not a key")
        }
        guard "ENS".contains(exportability) else {
            throw KeyBlockError("exportability", "\(exportability) is none of E, N, S")
        }
    }
}
