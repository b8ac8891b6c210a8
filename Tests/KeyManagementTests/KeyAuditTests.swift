import AuditTrail
import ByteCoding
import Foundation
@testable import HSM
@testable import KeyManagement
import PKCS11
import Synchronization
import TokenSupport
import Testing

/// Audits of real tokens. All suites of a process share one token of each kind, so a test looks only at its own keys.
@Suite("Key audit", .serialized)
struct KeyAuditTests {
    private static let value: [UInt8] = (0..<16).map { UInt8(0x51 &+ $0 &* 11) }

    private func create(
        _ label: String, _ purpose: KeyPurpose, extra: [Attribute] = [], without: [Attribute] = [],
        value: [UInt8] = value, provenance: KeyProvenance? = KeyProvenance(.imported),
        at location: TokenLocation
    ) throws {
        var session = try location.openSession(readWrite: true)
        guard try session.findKeys(label: label).isEmpty else { return }
        let on = [.token, .isPrivate, .sensitive] + purpose.usage + extra
        let off = [.extractable, .modifiable] + KeyPurpose.usages
        let template = Template(
            keyType: .des2, label: label, identifier: provenance?.identifier(of: label),
            on: on.filter { !without.contains($0) }, off: off.filter { !on.contains($0) } + without)
        _ = try session.createKey(template, value: SecretBytes(copying: value))
    }

    private func audit(
        _ location: TokenLocation, accepted: [String] = [], trail: AuditTrail? = nil,
        uses: [String: String] = [:]
    ) throws -> AuditReport {
        let configuration = KeyAuditConfiguration(
            profile: "demo", module: "module", accepted: try accepted.map(AcceptedFinding.init(parsing:)),
            trail: trail)
        return try KeyAudit.run(configuration, uses: uses, at: location)
    }

    private func kinds(_ report: AuditReport, _ label: String) -> Set<String> {
        Set(report.findings.filter { $0.key == label }.map(\.kind))
    }

    /// What nobody can change: the keys of these tests came in clear, and each token has its limits.
    private static let imported: Set = ["not-always-sensitive", "not-never-extractable"]

    @Test("A key with its least usage: every probe refused but for the token's known limits")
    func good() throws {
        for (location, limits) in [
            (
                try TestTokens.nss.get(),
                ["probe-copy-with-wider-usage", "probe-copy-readable", "probe-export"]
            ),
            (try TestTokens.softHSM.get(), []),
        ] {
            try create("imk-ac-audited", .issuerMasterKeyAC, at: location)
            let report = try audit(location, uses: ["imk-ac-audited": "2026-11-24T10:00:00Z"])
            let key = try #require(report.keys.first { $0.label == "imk-ac-audited" })
            #expect(kinds(report, key.label) == Self.imported.union(limits), "\(report.token.label)")
            let natural = report.findings.filter { $0.key == key.label && $0.cause == .token }.map(\.kind)
            #expect(Set(natural) == Set(limits), "a limit of the token is nobody's doing")
            #expect(report.tokenLimits.contains { $0.contains("CKA_EXTRACTABLE") } == !limits.isEmpty)
            #expect(report.text.hasPrefix("THIS TOKEN") || limits.isEmpty)
            #expect(key.purpose == "IMK-AC" && key.type == "des2" && key.version == 1)
            #expect(key.checkValue?.count == 6 && key.origin == "imported")
            #expect(key.lastUse == "2026-11-24T10:00:00Z" && key.usageWords == "derive")
            #expect(key.uri.contains("object=imk-ac-audited"))
            let tried = key.probes.map(\.tried)
            let wanted = ["encrypt", "decrypt", "sign", "wrap", "unwrap", "read value", "widen usage"]
            #expect(Set(wanted + ["copy with wider usage"]).isSubset(of: tried), "\(tried)")
            for probe in key.probes where !probe.accepted {
                #expect(probe.answer.hasPrefix("CKR_"), "\(probe.tried): \(probe.answer)")
            }
        }
    }

    @Test(
        "One right too many is found by its attribute and by its use",
        arguments: [
            (Attribute.encrypt, "probe-encrypt"), (.decrypt, "probe-decrypt"), (.sign, "probe-sign"),
            (.wrap, "probe-wrap"), (.unwrap, "probe-unwrap"), (.verify, "probe-verify"),
        ])
    func overPrivileged(extra: Attribute, probe: String) throws {
        let label = "imk-ac-over-\(extra)"
        for location in [try TestTokens.nss.get(), try TestTokens.softHSM.get()] {
            try create(label, .issuerMasterKeyAC, extra: [extra], at: location)
            let report = try audit(location)
            var found = kinds(report, label)
            #expect(found.contains("too-powerful"))
            // SoftHSM2 wraps and unwraps nothing with triple DES in ECB, whatever the key may do.
            let isSoftHSM = report.token.label.contains("issuer-test")
            if !isSoftHSM || ![.wrap, .unwrap].contains(extra) { #expect(found.contains(probe), "\(found)") }
            #expect(!report.passed)
            found.subtract(Self.imported)
            let limits = ["probe-copy-with-wider-usage", "probe-copy-readable", "probe-export"]
            for finding in report.findings where finding.key == label && finding.kind == probe {
                #expect(finding.cause == .store, "somebody gave it that right")
            }
            #expect(found.isSubset(of: ["too-powerful", probe] + limits), "\(found)")
            let detail = report.findings.first { $0.key == label && $0.kind == "too-powerful" }?.detail
            #expect(detail == extra.name)
            var session = try location.openSession()
            let key = try KeyRing.tokenKey(label, &session)
            #expect(try session.attribute(extra, of: key) == true, "the audit has left the key as it was")
        }
    }

    @Test("What can be changed, seen or taken out is found, and left as it was")
    func changeable() throws {
        let location = try TestTokens.nss.get()
        try create("zpk-modifiable", .zonePINKey, extra: [.modifiable], at: location)
        // NSS makes every secret key of its store sensitive, whatever the template says.
        let other = try TestTokens.softHSM.get()
        // A value is seen if neither of the two keeps it (PKCS#11 v2.40, 4.9).
        try create(
            "imk-ac-visible", .issuerMasterKeyAC, extra: [.extractable], without: [.sensitive], at: other)
        let visible = kinds(try audit(other), "imk-ac-visible")
        #expect(visible.isSuperset(of: ["not-sensitive", "probe-read-value"]), "\(visible)")
        try create("imk-ac-leaving", .issuerMasterKeyAC, extra: [.extractable], at: location)
        for _ in 0..<2 {
            let report = try audit(location)
            #expect(kinds(report, "zpk-modifiable").isSuperset(of: ["modifiable", "probe-widen-usage"]))
            #expect(!kinds(report, "zpk-modifiable").contains("too-powerful"), "the probe was taken back")
            #expect(kinds(report, "imk-ac-leaving").contains("extractable"))
        }
    }

    @Test("Names, origins, test keys")
    func known() throws {
        let location = try TestTokens.nss.get()
        try create("mystery", .issuerMasterKeyAC, at: location)
        try create("imk-ac-foundling.v2", .issuerMasterKeyAC, provenance: nil, at: location)
        try create("zpk-public", .zonePINKey, value: KnownAnswers.issuerMasterKey, at: location)
        let report = try audit(location)
        #expect(kinds(report, "mystery") == ["purpose-unknown"])
        #expect(kinds(report, "imk-ac-foundling.v2").contains("origin-unrecorded"))
        let foundling = report.keys.first { $0.label == "imk-ac-foundling.v2" }
        #expect(foundling?.version == 2 && foundling?.name == "imk-ac-foundling")
        #expect(kinds(report, "zpk-public").contains("test-key"))
        #expect(kinds(report, "zpk-public").contains("origin-unrecorded") == false)
    }

    @Test("Configuration accepts what it names, for one key or all, and no more")
    func acceptance() throws {
        let location = try TestTokens.nss.get()
        try create("zpk-accepted", .zonePINKey, extra: [.modifiable], at: location)
        let open = try audit(location)
        #expect(!open.passed && open.findings.allSatisfy { !$0.accepted })
        let every = FindingKind.allCases.map(\.rawValue)
        let caused = every.map { "store:\($0)" }
        let natural = try audit(location, accepted: every)
        #expect(
            !natural.passed && natural.findings.contains { !$0.accepted && $0.kind == "probe-widen-usage" })
        #expect(natural.findings.allSatisfy { $0.accepted || $0.cause == .store })
        let stores = try audit(location, accepted: caused)
        #expect(stores.findings.allSatisfy { $0.accepted == ($0.cause == .store) })
        #expect(try audit(location, accepted: every + caused).passed)
        let one = try audit(location, accepted: ["zpk-accepted/modifiable", "zpk-nobody/modifiable"])
        #expect(one.findings.filter(\.accepted).map(\.key) == ["zpk-accepted"])
        #expect(one.acceptedInVain == ["zpk-nobody/modifiable"])
        for bad in ["modifable", "a/b/modifiable", "/modifiable", "zpk/", ""] {
            #expect(throws: AcceptedFindingError.self) { try AcceptedFinding(parsing: bad) }
        }
    }

    @Test("A damaged trail is a finding; a whole one tells of use")
    func trails() throws {
        let location = try TestTokens.nss.get()
        try create("imk-ac-used", .issuerMasterKeyAC, value: Self.value.map { $0 &* 3 &+ 6 }, at: location)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).log").path
        let trail = AuditTrail(path: path, keyLabel: "audit-of-audit", at: location, process: "test")
        try trail.append(AuditEvent(.hostStarted, details: ["keys": "imk-ac-used zpk-x"]))
        let report = try audit(location, trail: trail)
        #expect(report.keys.first { $0.label == "imk-ac-used" }?.lastUse != nil)
        #expect(report.trail?.faults == [] && report.trail?.counted == 2)
        let counter = report.keys.first { $0.label == "audit-of-audit-head" }
        #expect(counter?.usageWords == "nothing" && kinds(report, "audit-of-audit-head").isEmpty)
        #expect(kinds(report, "imk-ac-used").contains("key-unnoted"), "the trail knows nothing of it")
        #expect(
            report.keys.first { $0.label == "imk-ac-used" }?.origin == nil,
            "what it says itself counts nothing")
        #expect(
            kinds(report, "audit-of-audit").isDisjoint(with: ["key-unnoted", "key-swapped", "key-missing"]))
        try FileManager.default.removeItem(atPath: path)
        let damaged = try audit(location, trail: trail)
        #expect(damaged.findings.contains { $0.kind == "trail-damaged" && $0.detail.contains("cut off") })
        #expect(try audit(location).findings.contains { $0.kind == "trail-missing" })
    }

    @Test("The three forms say the same, and nothing that a page could run")
    func forms() throws {
        let location = try TestTokens.nss.get()
        try create("zpk-<script>&", .zonePINKey, at: location)
        let report = try audit(location)
        let json = try JSONDecoder().decode(AuditReport.self, from: JSONEncoder().encode(report))
        #expect(json.findings == report.findings && json.keys.count == report.keys.count)
        #expect(report.text.contains("FAILED") && report.text.contains("zpk-<script>&"))
        #expect(report.html.contains("zpk-&lt;script&gt;&amp;") && !report.html.contains("<script"))
        for key in report.keys where !key.label.contains("<") {
            #expect(report.text.contains(key.label) && report.html.contains(key.label))
        }
    }

    @Test("Keys that another process looks at, or should and cannot, are in the report as all others")
    func shares() throws {
        let location = try TestTokens.nss.get()
        for number in 100..<170 {
            try create(
                "imk-ac-70\(number)", .issuerMasterKeyAC,
                value: Self.value.map { $0 &* 5 &+ UInt8(number) &* 3 }, at: location)
        }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).log").path
        let trail = AuditTrail(path: path, keyLabel: "audit-of-shares", at: location, process: "test")
        try trail.append(AuditEvent(.hostStarted, details: ["keys": "imk-ac-70101 imk-ac-70102"]))
        var configuration = KeyAuditConfiguration(
            profile: "demo", module: "module", accepted: [], trail: trail)
        func report() throws -> (keys: Data, findings: [AuditFinding], count: Int) {
            let report = try KeyAudit.run(configuration, at: location)
            return (try AuditReport.json(report.keys), report.findings, report.keys.count)
        }
        let alone = try report()
        #expect(alone.count >= 70)
        let helper = Helper(location)
        configuration.helpers = 1
        configuration.helper = { helper }
        configuration.progress = { _, _ in helper.waitUntilAsked(1) }
        let helped = try report()
        #expect(helped.keys == alone.keys && helped.findings == alone.findings)
        #expect(helper.asked > 0 && helper.hasEnded)
        // One that goes away in the middle: what it had taken is looked at here.
        let failing = Helper(location, answersMax: 2)
        configuration.helper = { failing }
        configuration.progress = { _, _ in failing.waitUntilAsked(3) }
        let half = try report()
        #expect(half.keys == alone.keys && half.findings == alone.findings)
        #expect(failing.asked == 3 && failing.hasEnded)
        configuration.progress = { _, _ in }
        configuration.helper = { throw CocoaError(.featureUnsupported) }
        let unhelped = try report()
        #expect(unhelped.keys == alone.keys && unhelped.findings == alone.findings)
    }

    /// Another process's part, in this one.
    private final class Helper: AuditHelper {
        private struct State {
            var asked = 0
            var hasEnded = false
            var thread: pthread_t?
        }
        private let state = Mutex(State())
        private let location: TokenLocation
        private let answersMax: Int

        init(_ location: TokenLocation, answersMax: Int = .max) {
            (self.location, self.answersMax) = (location, answersMax)
        }

        var asked: Int { state.withLock { $0.asked } }
        var hasEnded: Bool { state.withLock { $0.hasEnded } }

        func answer(_ request: Data) throws -> Data {
            let asked = state.withLock { state in
                state.asked += 1
                state.thread = pthread_self()
                return state.asked
            }
            guard asked <= answersMax else { throw CocoaError(.fileReadUnknown) }
            var work = try AuditHelperWork(at: location)
            return try work.answer(request)
        }

        func end() { state.withLock { $0.hasEnded = true } }

        /// Has the audit's own thread leave something for this one.
        func waitUntilAsked(_ times: Int) {
            guard state.withLock({ $0.thread != pthread_self() }) else { return }
            for _ in 0..<60_000 where asked < times { usleep(1_000) }
        }
    }
}
