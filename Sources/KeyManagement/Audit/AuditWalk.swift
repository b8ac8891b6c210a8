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
    private(set) var keys: [AuditedKey] = []
    private(set) var findings: [AuditFinding] = []
    private var seen: Set<KeyLedger.Name> = []
    /// Keys that no event explains, and whether they say an origin: looked at again once all are known.
    private var unexplained: [(key: AuditedKey, saysOrigin: Bool)] = []

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

    /// One key, as it was seen.
    mutating func add(_ facts: KeyFacts, isAmbiguous: Bool) {
        let label = facts.name.label
        seen.insert(facts.name)
        let isSecret = facts.name.keyClass == .secret
        if let words = facts.unreadable {
            find(.keyUnreadable, label, detail: words)
            // Whatever stands there, it is not the key that was made.
            if isSecret, let entry = ledgers.first?.entries[facts.name], let noted = entry.checkValue {
                let words = "it gives no check value, in line \(entry.sequence) \(noted)"
                find(.keySwapped, label, detail: words)
            }
            return
        }
        let isCounter = isSecret && label == counterLabel
        let provenance = KeyProvenance(identifier: facts.identifier)
        let entry = ledgers.lazy.compactMap { $0.entries[facts.name] }.first
        var key = audited(facts, entry: entry, provenance: provenance, isCounter: isCounter)
        if isAmbiguous { find(.labelAmbiguous, label) }
        var facts = facts
        if facts.name.keyClass == .privateKey { judgeHalves(&key, &facts, entry: entry) }
        key.checkValue = facts.checkValue
        if isCounter {
            checkCounter(key, facts.type)
        } else if !isSecret {
            checkAsymmetric(key, facts.name.keyClass)
        } else if let purpose = KeyPurpose.named(label) {
            checkAttributes(key, purpose, entry: entry)
            findings += facts.findings
        } else {
            find(.purposeUnknown, label)
        }
        if isSecret, !isCounter {
            if let value = key.checkValue, TestKeys.contains(checkValue: value) {
                find(.testKey, label, detail: "KCV \(value)")
            }
            if key.origin == nil, ledgers.isEmpty { find(.originUnrecorded, label) }
        }
        if !isCounter { compare(key, facts, entry: entry, provenance: provenance) }
        keys.append(key)
    }

    private func audited(
        _ facts: KeyFacts, entry: KeyLedger.Entry?, provenance: KeyProvenance?, isCounter: Bool
    ) -> AuditedKey {
        let label = facts.name.label
        let name = try? VersionedKeyName(label: label)
        let purpose =
            isCounter
            ? "audit trail's count"
            : facts.name.keyClass == .secret
                ? KeyPurpose.named(label)?.rawValue : SigningKeyPrefix.of(label)?.words
        return AuditedKey(
            label: label, uri: KeyURI(token: token, object: label).description, name: name?.name ?? label,
            version: Int(name?.version ?? 1), keyClass: facts.name.keyClass.rawValue, purpose: purpose,
            type: facts.type, checkValue: facts.checkValue,
            origin: ledgers.isEmpty ? provenance?.origin.rawValue : entry?.origin,
            since: entry?.time ?? provenance?.createdText, lastUse: history.lastUses[label],
            attributes: facts.attributes, probes: facts.probes)
    }

    /// By the public half of which the trail tells; without one to try it by, nothing shows what the private half is.
    private mutating func judgeHalves(
        _ key: inout AuditedKey, _ facts: inout KeyFacts, entry: KeyLedger.Entry?
    ) {
        guard let halves = facts.halves else { return }
        let known = halves.filter { half in
            guard let told = half.told, let entry else { return true }
            return entry.digest.map { $0 == told.digest } ?? (entry.checkValue == told.checkValue)
        }
        let half = known.first { $0.answer == .right } ?? known.first
        let answer =
            half?.answer ?? .untried("no public half of which the audit trail tells is there to try it by")
        switch answer {
        case .right:
            if let told = half?.told { (facts.checkValue, facts.digest) = (told.checkValue, told.digest) }
        case .wrong(let words): find(.keySwapped, key.label, detail: words)
        case .untried(let words): find(.keyUnverified, key.label, detail: words)
        }
        key.probes = [
            .init(tried: "sign as its public half says", accepted: answer != .right, answer: answer.words)
        ]
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
        _ key: AuditedKey, _ found: KeyFacts, entry: KeyLedger.Entry?, provenance: KeyProvenance?
    ) {
        guard !ledgers.isEmpty else { return }
        guard let entry else { return unexplained.append((key, provenance != nil)) }
        compareValue(key, found, entry: entry)
        for (noted, read) in [(entry.attributes, found.words), (entry.flags, found.flags)] {
            if let noted, noted != read {
                find(.keyChanged, key.label, detail: "\(read); in line \(entry.sequence) \(noted)")
            }
        }
        if let noted = entry.identifier, noted != found.identifierDigest {
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

    private mutating func compareValue(_ key: AuditedKey, _ found: KeyFacts, entry: KeyLedger.Entry) {
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
        guard found.name.keyClass == .secret else { return }
        // A key of another kind is another key, whatever its check value is.
        let algorithm = found.algorithm ?? "another kind of key"
        if let noted = entry.algorithm, algorithm != noted {
            find(.keySwapped, key.label, detail: "\(algorithm), in line \(entry.sequence) \(noted)")
        }
        if let noted = entry.type, found.type != noted, algorithm == entry.algorithm ?? algorithm {
            find(
                .keySwapped, key.label,
                detail: "\(found.type ?? "another kind of key"), in line \(entry.sequence) \(noted)")
        }
        // One that gives no check value and should, by what it is noted to be.
        if key.checkValue == nil, let noted = entry.checkValue, !found.isSilentByNature {
            find(
                .keySwapped, key.label,
                detail: "it gives no check value, in line \(entry.sequence) \(noted)")
        }
    }

    /// What the trail tells of and the token has not, and what the token has and no line explains.
    mutating func compare() {
        guard let latest = ledgers.first else { return }
        let missing = latest.entries.filter { name, _ in
            !seen.contains(name) && ledgers.allSatisfy { $0.entries[name] != nil }
        }.sorted { $0.key.label < $1.key.label }
        for (name, entry) in missing {
            find(
                .keyMissing, name.label,
                detail: "KCV \(entry.checkValue ?? "unknown"), line \(entry.sequence)")
        }
        let byValue = Dictionary(grouping: keys.filter { $0.checkValue != nil }, by: \.checkValue)
        for (key, saysOrigin) in unexplained {
            let value = key.checkValue
            if value != nil, let old = missing.first(where: { $0.value.checkValue == value }) {
                find(.keyRenamed, key.label, detail: "it is \(old.key.label), KCV \(value ?? "")")
            } else if value != nil, let other = byValue[value]?.first(where: { $0.label != key.label }) {
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

    /// By label, whichever process looked first.
    mutating func sort() {
        keys.sort { ($0.label, $0.keyClass) < ($1.label, $1.keyClass) }
        findings.sort { ($0.key ?? "", $0.kind, $0.detail) < ($1.key ?? "", $1.kind, $1.detail) }
        unexplained.sort { ($0.key.label, $0.key.keyClass) < ($1.key.label, $1.key.keyClass) }
    }

    mutating func find(
        _ kind: FindingKind, _ key: String?, detail: String = "", cause: FindingCause = .store
    ) {
        findings.append(
            AuditFinding(
                kind: kind.rawValue, key: key, causedBy: cause.rawValue, detail: detail, accepted: false))
    }
}
