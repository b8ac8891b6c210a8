internal import AuditTrail
internal import HSM
internal import PKCS11

/// The report as it grows, key by key.
struct AuditWalk: Sendable {
    let history: KeyHistory
    /// After and before the keys were listed; empty without a trail.
    let ledgers: [KeyLedger]
    let token: String
    let counterLabel: String?
    let doubtsDerivedKeys: Bool
    /// So far. Keys that no event explains are looked at again once all are known.
    private(set) var found = AuditShare.Found()
    private var nature = TokenNature()

    init(
        history: KeyHistory, ledgers: [KeyLedger], token: String, counterLabel: String?,
        doubtsDerivedKeys: Bool
    ) {
        self.history = history
        self.ledgers = ledgers
        self.token = token
        self.doubtsDerivedKeys = doubtsDerivedKeys
        self.counterLabel = counterLabel
    }

    /// Takes in what another walk found of other keys.
    mutating func merge(_ other: AuditShare.Found) {
        found.keys += other.keys
        found.findings += other.findings
        found.unexplained += other.unexplained
        found.seen.formUnion(other.seen)
    }

    /// By label: shares come in any order.
    mutating func sort() {
        found.keys.sort { ($0.label, $0.keyClass) < ($1.label, $1.keyClass) }
        found.findings.sort { ($0.key ?? "", $0.kind, $0.detail) < ($1.key ?? "", $1.kind, $1.detail) }
        found.unexplained.sort { ($0.key.label, $0.key.keyClass) < ($1.key.label, $1.key.keyClass) }
    }

    /// Looks at one key. One that was retired meanwhile is no part of the report.
    mutating func look(at key: AuditedObject, isAmbiguous: Bool, session: inout Session) throws {
        do {
            guard try AuditedObject.label(of: key.handle, &session) != nil else { return }
            try add(key, isAmbiguous: isAmbiguous, session: &session)
        } catch let error as PKCS11Error where error.leavesSessionIntact {
            addUnreadable(key.name, error)
        }
    }

    /// Of a key that the token does not let itself be asked about: no report passes over one.
    private mutating func addUnreadable(_ name: KeyLedger.Name, _ error: any Error) {
        found.seen.insert(name)
        find(.keyUnreadable, name.label, detail: "\(name.keyClass.rawValue): \(error)")
    }

    private func entry(_ name: KeyLedger.Name) -> KeyLedger.Entry? {
        ledgers.lazy.compactMap { $0.entries[name] }.first
    }

    private mutating func add(
        _ object: AuditedObject, isAmbiguous: Bool, session: inout Session
    ) throws {
        let (label, key) = (object.name.label, object.handle)
        found.seen.insert(object.name)
        let isCounter = label == counterLabel && object.name.keyClass == .secret
        let purpose = isCounter || object.name.keyClass != .secret ? nil : KeyPurpose.named(label)
        let name = try? VersionedKeyName(label: label)
        let type = try session.keyType(of: key)
        let provenance = KeyProvenance(identifier: try session.identifier(of: key))
        let entry = entry(object.name)
        let known = ledgers.isEmpty ? provenance?.origin.rawValue : entry?.origin
        var audited = AuditedKey(
            label: label, uri: KeyURI(token: token, object: label).description, name: name?.name ?? label,
            version: Int(name?.version ?? 1), keyClass: object.name.keyClass.rawValue,
            purpose: isCounter
                ? "audit trail's count"
                : object.name.keyClass == .secret
                    ? purpose?.rawValue : SigningKeyPrefix.of(label)?.words,
            type: type.map { "\($0)" }, checkValue: nil, origin: known,
            since: entry?.time ?? provenance?.createdText, lastUse: history.lastUses[label],
            attributes: [:], probes: [])
        if isAmbiguous { find(.labelAmbiguous, label) }
        let copy = object.name.keyClass == .secret ? likeCopy(of: key, in: &session) : nil
        defer { if let copy { try? session.destroy(copy) } }
        let description = try KeyDescription(
            of: key, as: object.name.keyClass, answeredBy: copy, in: &session)
        for (attribute, value) in description.found { audited.attributes[attribute.name] = value }
        audited.checkValue = description.checkValue
        if isCounter {
            checkCounter(audited, type)
        } else if object.name.keyClass != .secret {
            checkAsymmetric(audited, object.name.keyClass)
            if object.name.keyClass == .privateKey {
                audited.probes = signs(
                    key, label, mayTry: description.found[.sign] == true, in: &session)
            }
        } else {
            if let purpose {
                checkAttributes(audited, purpose, entry: entry)
                if let type {
                    audited.probes = probe(
                        (key, copy ?? key), type, purpose: purpose, label: label, session: &session)
                }
            } else {
                find(.purposeUnknown, label)
            }
            if let value = audited.checkValue, TestKeys.contains(checkValue: value) {
                find(.testKey, label, detail: "KCV \(value)")
            }
            if known == nil, ledgers.isEmpty { find(.originUnrecorded, label) }
        }
        if !isCounter {
            compare(audited, description, entry: entry, provenance: provenance)
            if object.name.keyClass == .secret {
                try compareAlgorithm(copy ?? key, label, entry: entry, session: &session)
                compareSilence(audited, purpose, type: type, entry: entry, session: &session)
            }
        }
        found.keys.append(audited)
    }

    mutating func add(
        _ verification: AuditVerification?, of trail: AuditTrail?, lacking: [UInt64: String]
    ) {
        guard let verification else { return find(.trailMissing, nil) }
        for fault in verification.faults { find(.trailDamaged, nil, detail: fault.description) }
        for (label, words) in ledgers.first?.contradictions ?? [] {
            find(.trailContradictory, label, detail: words)
        }
        for line in verification.sealed {
            if let words = lacking[line.sequence] {
                find(
                    .eventUnsigned, line.event.key,
                    detail: "line \(line.sequence), \(line.event.kind.rawValue): \(words)")
            }
        }
    }

    mutating func add(_ faults: [AuditFault]) {
        for fault in faults { find(.trailDamaged, nil, detail: fault.description) }
    }

    // MARK: - Against the trail

    private mutating func compare(
        _ key: AuditedKey, _ found: KeyDescription, entry: KeyLedger.Entry?, provenance: KeyProvenance?
    ) {
        guard !ledgers.isEmpty else { return }
        guard let entry else {
            return self.found.unexplained.append(.init(key: key, saysOrigin: provenance != nil))
        }
        switch (entry.checkValue, key.checkValue) {
        case (let noted?, let found?) where noted != found:
            find(.keySwapped, key.label, detail: "KCV \(found), in line \(entry.sequence) \(noted)")
        case (nil, _): find(.keyUnverified, key.label, detail: "line \(entry.sequence)")
        default:
            // The check value has three bytes: somebody finds another key with the same in seconds.
            if key.checkValue != nil, let noted = entry.digest, noted != found.digest {
                let words = "another key of the same check value as in line \(entry.sequence)"
                find(.keySwapped, key.label, detail: words)
            }
        }
        for (noted, read) in [(entry.attributes, found.attributes), (entry.flags, found.flags)] {
            if let noted, noted != read {
                find(.keyChanged, key.label, detail: "\(read); in line \(entry.sequence) \(noted)")
            }
        }
        if let noted = entry.identifier, noted != found.identifier {
            find(.keyChanged, key.label, detail: "CKA_ID is not the one of line \(entry.sequence)")
        }
        if let provenance, !provenance.origin.agrees(with: entry.origin) {
            find(.originContradicted, key.label, detail: "\(provenance.origin.rawValue), not \(entry.origin)")
        }
        if let noted = provenance?.checkValue, let found = key.checkValue, noted != found {
            find(.originContradicted, key.label, detail: "KCV \(noted) in CKA_ID, it has \(found)")
        }
        if let header = provenance?.blockHeader, header != entry.header {
            find(.originContradicted, key.label, detail: "key block header \(header) in CKA_ID")
        }
    }

    /// A key that gives no check value and should, by what it is noted to be.
    private mutating func compareSilence(
        _ key: AuditedKey, _ purpose: KeyPurpose?, type: KeyType?, entry: KeyLedger.Entry?,
        session: inout Session
    ) {
        guard key.checkValue == nil, let entry, let noted = entry.checkValue else { return }
        if let purpose, let type, nature.isSilent(purpose, type, session: &session) { return }
        find(.keySwapped, key.label, detail: "it gives no check value, in line \(entry.sequence) \(noted)")
    }

    /// The check value has three bytes; a key of another kind is another key, whatever it is.
    private mutating func compareAlgorithm(
        _ key: ObjectHandle, _ label: String, entry: KeyLedger.Entry?, session: inout Session
    ) throws {
        guard let entry, let noted = entry.algorithm else { return }
        let found = try KeyAlgorithm.of(key, &session)?.rawValue ?? "another kind of key"
        if found != noted { find(.keySwapped, label, detail: "\(found), in line \(entry.sequence) \(noted)") }
    }

    /// What the trail tells of and the token has not, and what the token has and no line explains.
    mutating func compare() {
        guard let latest = ledgers.first else { return }
        let missing = latest.entries.filter { name, _ in
            !found.seen.contains(name) && ledgers.allSatisfy { $0.entries[name] != nil }
        }.sorted { $0.key.label < $1.key.label }
        for (name, entry) in missing {
            find(
                .keyMissing, name.label,
                detail: "KCV \(entry.checkValue ?? "unknown"), line \(entry.sequence)")
        }
        for (key, saysOrigin) in found.unexplained.map({ ($0.key, $0.saysOrigin) }) {
            let value = key.checkValue
            if value != nil, let old = missing.first(where: { $0.value.checkValue == value }) {
                find(.keyRenamed, key.label, detail: "it is \(old.key.label), KCV \(value ?? "")")
            } else if value != nil,
                let other = found.keys.first(where: { $0.checkValue == value && $0.label != key.label })
            {
                find(.keyCopied, key.label, detail: "of \(other.label), KCV \(value ?? "")")
            } else {
                find(
                    saysOrigin ? .keyUnnoted : .keyUnknown, key.label,
                    detail: "\(key.keyClass), KCV \(value ?? "unknown")")
            }
        }
    }

    // MARK: - By itself

    mutating func checkUsage(_ key: AuditedKey, _ usage: [Attribute], label: String) {
        for attribute in KeyPurpose.usages {
            let has = key.attributes[attribute.name] == true
            if has, !usage.contains(attribute) { find(.tooPowerful, label, detail: attribute.name) }
            if !has, usage.contains(attribute) { find(.tooWeak, label, detail: attribute.name) }
        }
    }

    private mutating func checkAsymmetric(_ key: AuditedKey, _ keyClass: KeyClass) {
        guard keyClass == .privateKey else { return }
        if key.attributes[Attribute.sensitive.name] != true { find(.notSensitive, key.label) }
        if key.attributes[Attribute.extractable.name] != false { find(.extractable, key.label) }
        if key.attributes[Attribute.isPrivate.name] != true { find(.notPrivate, key.label) }
        guard SigningKeyPrefix.of(key.label) != nil else { return }
        if key.attributes[Attribute.modifiable.name] != false { find(.modifiable, key.label) }
        checkUsage(key, [.sign], label: key.label)
    }

    private mutating func checkAttributes(
        _ key: AuditedKey, _ purpose: KeyPurpose, entry: KeyLedger.Entry?
    ) {
        checkUsage(key, purpose.usage, label: key.label)
        var wanted: [(Attribute, Bool, FindingKind)] = [
            (.isPrivate, true, .notPrivate), (.sensitive, true, .notSensitive),
            (.alwaysSensitive, true, .notAlwaysSensitive), (.modifiable, false, .modifiable),
        ]
        if !purpose.rules.isExtractable {
            wanted += [(.extractable, false, .extractable), (.neverExtractable, true, .notNeverExtractable)]
        }
        for (attribute, value, kind) in wanted {
            // A token that does not know an attribute has not said what is wanted to hear.
            let found = key.attributes[attribute.name]
            if found != value {
                let isHistory = kind == .notAlwaysSensitive || kind == .notNeverExtractable
                let isNatural = isHistory && entry?.isFromOutside == true && doubtsDerivedKeys
                find(
                    kind, key.label, detail: "\(attribute.name) is \(found.map { "\($0)" } ?? "unknown")",
                    cause: isNatural ? .token : .store)
            }
        }
    }

    private mutating func probe(
        _ object: (key: ObjectHandle, copy: ObjectHandle), _ type: KeyType, purpose: KeyPurpose,
        label: String,
        session: inout Session
    ) -> [AuditedKey.Probe] {
        KeyProbe.all(for: purpose).map { probe in
            // What changes an object is tried on the key itself.
            let subject = probe == .widenUsage ? object.key : object.copy
            let answer = probe.run(on: subject, type, purpose: purpose, session: &session)
            if case .accepted(let what) = answer {
                let isNatural = nature.accepts(probe, purpose, type: type, session: &session)
                find(probe.finding, label, detail: what, cause: isNatural ? .token : .store)
            }
            return AuditedKey.Probe(tried: probe.words, accepted: answer.isAccepted, answer: answer.words)
        }
    }

    mutating func find(
        _ kind: FindingKind, _ key: String?, detail: String = "", cause: FindingCause = .store
    ) {
        found.findings.append(
            AuditFinding(
                kind: kind.rawValue, key: key, causedBy: cause.rawValue, detail: detail, accepted: false))
    }
}

extension KeyProbe {
    fileprivate var finding: FindingKind {
        switch self {
        case .use(.encrypt): .probeEncrypt
        case .use(.decrypt): .probeDecrypt
        case .use(.sign): .probeSign
        case .use(.verify): .probeVerify
        case .use(.wrap): .probeWrap
        case .use(.unwrap): .probeUnwrap
        case .use(.derive): .probeDerive
        case .readValue: .probeRead
        case .widenUsage: .probeWiden
        case .copyWithWiderUsage: .probeCopyWider
        case .copyReadable: .probeCopyReadable
        case .export: .probeExport
        }
    }
}
