internal import ArgumentParser
internal import AuditTrail
internal import Foundation
internal import HSM
internal import IssuerConfiguration
internal import KeyManagement
internal import PKCS11

/// Where a command finds its token.
struct TokenOption: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The configuration file (YAML).", valueName: "file"))
    var config: String

    /// The configuration, the way to the token's keys, and the trail.
    func desk() throws -> KeyDesk { try KeyDesk(IssuerConfiguration(path: config)) }
}

/// What the commands of this program share.
struct KeyDesk {
    let configuration: IssuerConfiguration
    let location: TokenLocation
    /// Nil where none is configured.
    let trail: AuditTrail?

    init(_ configuration: IssuerConfiguration) throws {
        self.configuration = configuration
        let token = configuration.token
        let location = TokenLocation(
            module: try Module(path: token.module, initArguments: token.initArguments), uri: token.uri,
            pin: { try token.pin() })
        self.location = location
        let audit = configuration.audit
        trail = audit.log.map {
            AuditTrail(path: $0, keyLabel: audit.key, at: location, process: "issuer-keys")
        }
    }

    /// Production has no use for keys that everybody has.
    var refusesTestKeys: Bool { configuration.profile == .production }

    /// The keys, for a command that changes something: not without a trail that takes what it did.
    func changingStore() throws -> KeyStore {
        try trail?.requireWritable()
        return try KeyStore(at: location, refusesTestKeys: refusesTestKeys)
    }

    /// Appends events; what is wrong with the log goes to standard error.
    func note(_ events: [AuditEvent]) throws {
        guard !events.isEmpty, let warning = try trail?.append(events) else { return }
        FileHandle.standardError.write(Data("warning: \(warning)\n".utf8))
    }

    /// Appends what happened to a key.
    func note(_ kind: AuditEvent.Kind, _ record: KeyRecord, _ details: [String: String] = [:]) throws {
        try note([AuditEvent(kind, record, details)])
    }

    /// Does what takes people and time. A refusal is evidence, too.
    func noting<Result>(_ command: String, _ body: () throws -> Result) throws -> Result {
        try note([AuditEvent(.commandStarted, details: ["command": command])])
        do { return try body() } catch {
            try note([AuditEvent(.commandFailed, details: ["command": command, "reason": "\(error)"])])
            throw error
        }
    }
}

extension AuditEvent {
    /// What happened to a key, with what everybody may know of it.
    init(_ kind: Kind, _ record: KeyRecord, _ details: [String: String] = [:]) {
        var all = details
        all["purpose"] = record.purpose?.rawValue
        all["algorithm"] = record.algorithm?.rawValue
        all["kcv"] = record.checkValue
        self.init(kind, key: record.label, details: all)
    }
}
