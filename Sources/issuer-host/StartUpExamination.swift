internal import Authorisation
internal import CoreFoundation
internal import Foundation
internal import HSM
internal import HostServer
internal import ISO8583
internal import IssuerConfiguration

/// What can be said of a configuration without token and state store. `serve` and every reload refuse what fails here,
/// `check` prints it.
extension IssuerConfiguration {
    /// - Parameter now: seconds since 1970.
    func examination(now: Int64 = Int64(time(nil))) -> [Finding] {
        var findings = links.map { link in
            Finding("link \(link.name)") {
                let configuration = try linkConfiguration(link)
                return "\(link.role) \(link.host):\(link.port), \(configuration.codec.dialect.name)"
            }
        }
        findings.append(Finding("issuer ranges") { "\(try rangeTable().ranges.count) ranges" })
        findings.append(Finding("keys") { "\(try hsmConfiguration().keys.count) labels" })
        findings.append(Finding("state store address") { "\(try storeLocation())" })
        findings += listenerFindings()
        findings += fileFindings()
        for link in links where link.tls != nil { findings += certificateFindings(link, now: now) }
        return findings.map { $0.located(settings) }
    }

    // MARK: - Files

    private func fileFindings() -> [Finding] {
        var findings: [Finding] = []
        if token.module.hasPrefix("/") {
            findings.append(
                Finding("token.module") { try FileRule.readable.check(token.module, "token.module") })
        }
        if let file = token.pinFile {
            findings.append(Finding("token.pinFile") { try FileRule.secret.check(file, "token.pinFile") })
        }
        return findings
    }

    // MARK: - Certificates

    private static let warningSeconds: Int64 = 30 * 86_400
    /// A list of revoked certificates lives hours or days: the last quarter of its life, two days at most. The alarm has
    /// the same rule.
    private static func listWarningSeconds(_ life: CertificateLife) -> Int64 {
        min(2 * 86_400, (life.notAfter - life.notBefore) / 4)
    }

    private func certificateFindings(_ link: Link, now: Int64) -> [Finding] {
        guard let tls = link.tls else { return [] }
        let subject = "link \(link.name) TLS"
        let place = "links.\(link.name).tls"
        do {
            for (key, file, rule) in [
                ("certificateFile", tls.certificateFile, FileRule.readable),
                ("privateKeyFile", tls.privateKeyFile, .secret), ("trustedFile", tls.trustedFile, .readable),
                ("revokedFile", tls.revokedFile, .readable),
            ] { if let file { _ = try rule.check(file, "\(place).\(key)") } }
            guard let whole = try linkConfiguration(link).tls else { return [] }
            let role: LinkConfiguration.Role = link.role == "client" ? .client : .server
            let lives = try whole.examine(role: role, link: link.name)
            // One authority of several that has expired keeps out those that it signed, and nobody else.
            let trusted = lives.filter { $0.key.hasSuffix("trustedFile") }
            let someTrusted = trusted.contains { $0.notBefore <= now && now < $0.notAfter }
            let findings = lives.compactMap { life in
                lifeFinding(
                    subject, life, now: now, mayFail: !(someTrusted && life.key.hasSuffix("trustedFile")))
            }
            return findings.isEmpty ? [Finding(subject, .passed, detail: validity(lives))] : findings
        } catch {
            return [Finding(subject, .failed, detail: "\(error)")]
        }
    }

    private func validity(_ lives: [CertificateLife]) -> String {
        func end(_ lives: [CertificateLife]) -> String? { lives.map(\.notAfter).min().map { day($0) } }
        let certificates = "valid until \(end(lives.filter { !$0.isRevocationList }) ?? "?")"
        guard let list = end(lives.filter(\.isRevocationList)) else { return certificates }
        return certificates + ", the next list of revoked certificates is due on \(list)"
    }

    /// Of the files of a link with TLS; empty where they cannot be read now.
    func certificateLives(of link: Link) -> [CertificateLife] {
        guard link.tls != nil, let tls = try? linkConfiguration(link).tls else { return [] }
        return (try? tls.certificateLives(link: link.name)) ?? []
    }

    /// Nil for a certificate that is valid for long.
    private func lifeFinding(_ subject: String, _ life: CertificateLife, now: Int64, mayFail: Bool)
        -> Finding?
    {
        let outcome: Finding.Outcome = mayFail ? .failed : .warning
        let place = "\(life.key): \(life.isRevocationList ? "list" : "certificate") \(life.place)"
        if life.isRevocationList {
            return listFinding(subject, place, of: life, now: now)
        }
        if life.notAfter <= now {
            return Finding(
                subject, outcome, detail: "\(place) expired on \(day(life.notAfter)): renew it or take it out"
            )
        }
        if life.notBefore > now {
            return Finding(subject, outcome, detail: "\(place) is not valid before \(day(life.notBefore))")
        }
        guard life.notAfter - now <= IssuerConfiguration.warningSeconds else { return nil }
        return Finding(subject, .warning, detail: "\(place) expires on \(day(life.notAfter)): renew it")
    }

    /// An overdue list is a warning: it keeps new peers of one authority out of one link, as it does on a host that runs,
    /// and is no reason to serve nobody.
    private func listFinding(_ subject: String, _ place: String, of life: CertificateLife, now: Int64)
        -> Finding?
    {
        guard life.notAfter - now <= IssuerConfiguration.listWarningSeconds(life) else { return nil }
        let was = life.notAfter <= now ? "was due at" : "is due at"
        let usable = life.notAfter + life.graceSeconds
        let what =
            usable <= now
            ? "no new peer of that authority is let in since \(moment(usable))"
            : "from \(moment(usable)) on no new peer of that authority is let in"
        return Finding(
            subject, .warning,
            detail:
                "\(place): the next one \(was) \(moment(life.notAfter)), \(what): get it from the authority, put it "
                + "in the file, reload")
    }

    /// Lists live hours or days: a day alone would not do.
    private func moment(_ seconds: Int64) -> String {
        Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    }

    private func day(_ seconds: Int64) -> String {
        Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601.year().month().day())
    }
}

/// What a file of the configuration has to be.
enum FileRule {
    case readable
    /// Neither readable by others nor writable by a group.
    case secret

    /// - Returns: the path.
    func check(_ path: String, _ key: String) throws -> String {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw WiringError("\(key): \(path): \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw WiringError("\(key): \(path) is no file") }
        guard access(path, R_OK) == 0 else {
            throw WiringError("\(key): \(path) cannot be read by user \(getuid())")
        }
        guard self == .readable || status.st_mode & 0o027 == 0 else {
            throw WiringError("\(key): \(path) is open to others; chmod 600 makes it the owner's alone")
        }
        guard status.st_size > 0 else { throw WiringError("\(key): \(path) is empty") }
        return path
    }
}
