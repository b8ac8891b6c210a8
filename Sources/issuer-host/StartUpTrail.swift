internal import AuditTrail
internal import Authorisation
internal import HSM
internal import IssuerConfiguration
internal import Logging

/// Start-up and end of the host in the audit trail.
struct StartUpTrail {
    private let trail: AuditTrail?
    private let details: [String: String]
    private let logger: Logger

    init(
        _ configuration: IssuerConfiguration, _ hsm: HSMConfiguration, at location: TokenLocation,
        logger: Logger
    ) {
        trail = configuration.auditTrail(at: location)
        details = [
            "profile": configuration.profile.rawValue,
            "keys": hsm.keys.map(\.name.rawValue).joined(separator: " "),
        ]
        self.logger = logger
    }

    /// The host serves from now on. A trail that cannot be written keeps it from doing so.
    func started() throws { try append(AuditEvent(.hostStarted, details: details)) }

    /// The host has ended. What cannot be written any more is logged.
    func stopped() {
        do { try append(AuditEvent(.hostStopped, details: details)) } catch {
            logger.error("audit trail: \(error)")
        }
    }

    /// The host does not start. The reasons are names and attributes of keys.
    func refused(_ reasons: [String]) {
        do {
            try append(AuditEvent(.hostRefused, details: ["reason": reasons.joined(separator: "; ")]))
        } catch {
            logger.error("audit trail: \(error)")
        }
    }

    private func append(_ event: AuditEvent) throws {
        if let warning = try trail?.append(event) { logger.warning("audit trail: \(warning)") }
    }
}

extension IssuerConfiguration {
    /// The trail that this program appends to, nil where none is configured.
    func auditTrail(at location: TokenLocation) -> AuditTrail? {
        audit.log.map { AuditTrail(path: $0, keyLabel: audit.key, at: location, process: "issuer-host") }
    }
}
