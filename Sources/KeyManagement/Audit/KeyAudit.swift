package import AuditTrail
internal import Foundation
package import HSM
internal import PKCS11

/// What an audit goes by.
package struct KeyAuditConfiguration: Sendable {
    /// `demo` or `production`, for the report.
    package var profile: String
    /// The shared library, for the report.
    package var module: String
    /// What the operator accepts.
    package var accepted: [AcceptedFinding]
    /// The trail; nil is a finding.
    package var trail: AuditTrail?

    /// Whose signatures count.
    package var operators: OperatorRegister?
    /// What the log was at some moment, from outside this machine.
    package var checkpoint: AuditCheckpoint?
    /// Told how many keys are done, of how many.
    package var progress: @Sendable (Int, Int) -> Void = { _, _ in }
    /// Processes that may look at keys beside this one.
    package var helpers = 0
    /// Starts another process with an `AuditHelperWork`. What it cannot do is done in this process.
    package var helper: (@Sendable () throws -> any AuditHelper)?

    package init(profile: String, module: String, accepted: [AcceptedFinding], trail: AuditTrail?) {
        self.profile = profile
        self.module = module
        self.accepted = accepted
        self.trail = trail
    }
}

/// Looks at every key of a token: what it says of itself, what the token lets be done with it, and whether the audit
/// trail tells of it.
package enum KeyAudit {
    /// - Parameter uses: of keys, from outside the trail: decisions of the journal, say.
    package static func run(
        _ configuration: KeyAuditConfiguration, uses: [String: String] = [:], at location: TokenLocation
    ) throws -> AuditReport {
        // Probes make objects and try to change some: that needs a session that may write.
        var session = try location.openSession(readWrite: true)
        let lanes = AuditLanes(configuration, keys: try session.tokenKeys().count)
        defer { lanes.end() }
        // Before and after the keys: what comes or ends meanwhile is in one of both. Read only: helpers wait for the keys.
        let before = try configuration.trail?.reading()
        let keys = try AuditedObject.all(&session)
        lanes.begin(keys)
        let token = try location.tokenLabel()
        let after = try configuration.trail?.reading()
        let verification = try after.flatMap { try configuration.trail?.verify($0) }
        let earlier =
            before == after ? verification : try before.flatMap { try configuration.trail?.verify($0) }
        var history = KeyHistory(verification?.sealed ?? [])
        for (key, time) in uses { history.use(of: key, at: time) }
        let ledger = verification.map { KeyLedger($0.sealed) }
        // Once, where nothing happened meanwhile.
        let ledgers = ledger.map { before == after ? [$0] : [$0, KeyLedger(earlier?.sealed ?? [])] } ?? []
        var walk = AuditWalk(
            history: history, ledgers: ledgers, token: token,
            counterLabel: configuration.trail.map { AuditTrail.counterLabel(of: $0.keyLabel) },
            doubtsDerivedKeys: TokenNature.doubtsDerivedKeys(&session))
        let counts = Dictionary(grouping: keys, by: \.name).mapValues(\.count)
        for facts in try lanes.run(&session) {
            walk.add(facts, isAmbiguous: counts[facts.name] ?? 1 > 1)
        }
        walk.sort()
        for object in try session.foreignObjects(besides: keys.map(\.handle)) { walk.addOther(object) }
        walk.compare()
        walk.add(
            verification, of: configuration.trail,
            lacking: configuration.operators?.lacking(verification?.sealed ?? []) ?? [:])
        if let checkpoint = configuration.checkpoint, let trail = configuration.trail, let verification {
            walk.add(try trail.faults(against: checkpoint, verification))
        }
        return report(
            configuration, walk, verification: verification, token: token,
            limits: TokenNature.limits(&session), location: location)
    }

    private static func report(
        _ configuration: KeyAuditConfiguration, _ walk: AuditWalk, verification: AuditVerification?,
        token: String, limits: [String], location: TokenLocation
    ) -> AuditReport {
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
            },
            dualControl: configuration.operators?.dualControl ?? false,
            trust: configuration.operators?.trust ?? [], tokenLimits: limits, keys: walk.keys,
            findings: findings,
            unfinished: UnfinishedBatches(verification?.sealed ?? [], operators: configuration.operators)
                .words,
            acceptedInVain: inVain.map(\.description))
    }
}

/// A key as it was found.
struct AuditedObject: Sendable {
    let name: KeyLedger.Name
    let handle: ObjectHandle
    /// Why the token says nothing of it, its label included.
    var unreadable: String?

    /// By label.
    static func all(_ session: inout Session) throws -> [AuditedObject] {
        var found: [AuditedObject] = []
        for keyClass in KeyClass.allCases {
            for key in try session.tokenKeys(keyClass) {
                do {
                    guard let label = try label(of: key, &session) else { continue }
                    found.append(AuditedObject(name: .init(label: label, keyClass: keyClass), handle: key))
                } catch let error as PKCS11Error where !error.endsSession {
                    found.append(
                        AuditedObject(
                            name: .init(label: "", keyClass: keyClass), handle: key, unreadable: "\(error)"))
                }
            }
        }
        return found.sorted {
            ($0.name.label, $0.name.keyClass.rawValue) < ($1.name.label, $1.name.keyClass.rawValue)
        }
    }

    /// Nil for a key that has ended meanwhile.
    static func label(of key: ObjectHandle, _ session: inout Session) throws -> String? {
        do throws(PKCS11Error) { return try session.label(of: key) } catch {
            if error.isObjectGone { return nil }
            throw error
        }
    }
}
