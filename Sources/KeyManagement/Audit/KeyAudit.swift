public import AuditTrail
internal import Foundation
public import HSM
internal import PKCS11

/// What an audit goes by.
public struct KeyAuditConfiguration: Sendable {
    /// `demo` or `production`, for the report.
    public var profile: String
    /// The shared library, for the report.
    public var module: String
    /// What the operator accepts.
    public var accepted: [AcceptedFinding]
    /// The trail; nil is a finding.
    public var trail: AuditTrail?

    /// Takes the parts.
    public init(profile: String, module: String, accepted: [AcceptedFinding], trail: AuditTrail?) {
        self.profile = profile
        self.module = module
        self.accepted = accepted
        self.trail = trail
    }
}

/// Looks at every secret key of a token: what it says of itself, and what the token lets be done with it.
public enum KeyAudit {
    /// - Parameter uses: of keys, from outside the trail: decisions of the journal, say.
    public static func run(
        _ configuration: KeyAuditConfiguration, uses: [String: String] = [:], at location: TokenLocation
    ) throws -> AuditReport {
        let verification = try configuration.trail?.verify()
        var history = KeyHistory(verification?.lines ?? [])
        for (key, time) in uses { history.use(of: key, at: time) }
        // Probes make objects and try to change some: that needs a session that may write.
        var session = try location.openSession(readWrite: true)
        let token = try location.module.slot(matching: location.uri).tokenLabel
        var walk = AuditWalk(history: history, token: token, counter: configuration.trail)
        var labelled: [(label: String, key: ObjectHandle)] = []
        for key in try session.tokenKeys() {
            if let label = try label(of: key, &session) { labelled.append((label, key)) }
        }
        for (label, key) in labelled.sorted(by: { $0.label < $1.label }) {
            let count = labelled.count { $0.label == label }
            // One that was retired meanwhile is no part of the report.
            guard try self.label(of: key, &session) != nil else { continue }
            try walk.add(label, key, isAmbiguous: count > 1, &session)
        }
        walk.add(verification, of: configuration.trail)
        let findings = walk.findings.map { finding in
            var finding = finding
            finding.accepted = configuration.accepted.contains { $0.covers(finding) }
            return finding
        }
        let inVain = configuration.accepted.filter { accepted in
            !findings.contains(where: accepted.covers)
        }
        return AuditReport(
            time: Date().formatted(.iso8601), profile: configuration.profile,
            token: .init(label: token, module: configuration.module, uri: location.uri),
            trail: verification.map {
                .init(
                    path: configuration.trail?.path ?? "", counted: $0.counted,
                    faults: $0.faults.map(\.description))
            }, keys: walk.keys, findings: findings, acceptedInVain: inVain.map(\.description))
    }

    /// Nil for a key that has ended meanwhile.
    private static func label(of key: ObjectHandle, _ session: inout Session) throws -> String? {
        do throws(PKCS11Error) { return try session.label(of: key) } catch {
            if error.isObjectGone { return nil }
            throw error
        }
    }
}

/// The report as it grows, key by key.
private struct AuditWalk {
    let history: KeyHistory
    let token: String
    let counterLabel: String?
    private(set) var keys: [AuditedKey] = []
    private(set) var findings: [AuditFinding] = []

    init(history: KeyHistory, token: String, counter trail: AuditTrail?) {
        self.history = history
        self.token = token
        counterLabel = trail.map { AuditTrail.counterLabel(of: $0.keyLabel) }
    }

    mutating func add(
        _ label: String, _ key: ObjectHandle, isAmbiguous: Bool, _ session: inout Session
    ) throws {
        let isCounter = label == counterLabel
        let purpose = isCounter ? nil : KeyPurpose.named(label)
        let name = try? VersionedKeyName(label: label)
        let type = try session.keyType(of: key)
        let provenance = KeyProvenance(identifier: try session.identifier(of: key))
        var audited = AuditedKey(
            label: label, uri: KeyURI(token: token, object: label).description, name: name?.name ?? label,
            version: Int(name?.version ?? 1), purpose: isCounter ? "audit trail's count" : purpose?.rawValue,
            type: type.map { "\($0)" }, checkValue: nil,
            origin: provenance?.origin.rawValue ?? history.origins[label]?.origin,
            since: provenance?.createdText ?? history.origins[label]?.time, lastUse: history.lastUses[label],
            attributes: [:],
            probes: [])
        if isAmbiguous { find(.labelAmbiguous, label) }
        for attribute in Attribute.allCases where attribute != .token {
            audited.attributes[attribute.name] = try session.attribute(attribute, of: key)
        }
        if isCounter {
            // Holds no secret that anybody needs: that it can do nothing is all that matters.
            checkUsage(audited, [], label)
        } else if let purpose {
            // What the token does not tell was written down when the key was made, where nobody can change it.
            audited.checkValue = try TokenCheckValue.of(key, &session) ?? provenance?.checkValue
            checkAttributes(audited, purpose)
            if let type { audited.probes = probe(key, type, purpose, label, &session) }
            if let value = audited.checkValue, TestKeys.contains(checkValue: value) {
                find(.testKey, label, "KCV \(value)")
            }
            if audited.origin == nil { find(.originUnrecorded, label) }
        } else {
            find(.purposeUnknown, label)
        }
        keys.append(audited)
    }

    mutating func add(_ verification: AuditVerification?, of trail: AuditTrail?) {
        guard let verification else { return find(.trailMissing, nil) }
        for fault in verification.faults { find(.trailDamaged, nil, fault.description) }
    }

    private mutating func checkUsage(_ key: AuditedKey, _ usage: [Attribute], _ label: String) {
        for attribute in KeyPurpose.usages {
            let has = key.attributes[attribute.name] == true
            if has, !usage.contains(attribute) { find(.tooPowerful, label, attribute.name) }
            if !has, usage.contains(attribute) { find(.tooWeak, label, attribute.name) }
        }
    }

    private mutating func checkAttributes(_ key: AuditedKey, _ purpose: KeyPurpose) {
        checkUsage(key, purpose.usage, key.label)
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
                find(kind, key.label, "\(attribute.name) is \(found.map { "\($0)" } ?? "unknown")")
            }
        }
    }

    private mutating func probe(
        _ key: ObjectHandle, _ type: KeyType, _ purpose: KeyPurpose, _ label: String,
        _ session: inout Session
    ) -> [AuditedKey.Probe] {
        KeyProbe.all(for: purpose).map { probe in
            let answer = probe.run(on: key, type, purpose, &session)
            if case .accepted(let what) = answer { find(probe.finding, label, what) }
            return AuditedKey.Probe(tried: probe.words, accepted: answer.isAccepted, answer: answer.words)
        }
    }

    private mutating func find(_ kind: FindingKind, _ key: String?, _ detail: String = "") {
        findings.append(AuditFinding(kind: kind.rawValue, key: key, detail: detail, accepted: false))
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
        }
    }
}
