internal import ArgumentParser
internal import AuditTrail
internal import Foundation
internal import HSM
internal import IssuerConfiguration
internal import KeyManagement
internal import PKCS11
internal import ProgramEntry

/// Where a command finds its token.
struct TokenOption: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The configuration file (YAML).", valueName: "file"))
    var config: String

    /// The configuration, the way to the token's keys, and the trail.
    func desk() throws -> KeyDesk { try KeyDesk(IssuerConfiguration(path: config)) }
}

/// The people who approve a command.
struct OperatorOption: ParsableArguments {
    @Option(
        name: .customLong("operator"),
        help: ArgumentHelp(
            "File of a person of keys.operators who approves; once for each. Asked for where it is needed.",
            valueName: "file"))
    var paths: [String] = []
}

/// What the commands of this program share.
struct KeyDesk {
    let configuration: IssuerConfiguration
    let location: TokenLocation
    /// Nil where none is configured.
    let trail: AuditTrail?
    /// Whose signatures count.
    let operators: OperatorRegister

    init(_ configuration: IssuerConfiguration) throws {
        self.configuration = configuration
        let token = configuration.token
        let location = TokenLocation(
            module: try Module(
                path: token.module, initArguments: token.initArguments, functionList: token.functionList),
            uri: token.uri, others: token.otherURIs,
            pin: { try token.pin() })
        self.location = location
        operators = try OperatorRegister(
            parsing: configuration.audit.operators, dualControl: configuration.audit.dualControl)
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

    /// Asks for the people that an event needs, before anything is done.
    ///
    /// - Parameter files: theirs; those that are not named are asked for.
    func approval(of event: AuditEvent, _ what: String, files: OperatorOption) throws -> [AuditSigner] {
        let count = operators.needed(for: event)
        guard count == 0 || trail != nil else {
            throw Refusal("audit.log is not set: there is nowhere to name who approved it")
        }
        return try operators.signers(count, from: files.paths, for: what) { try TTYConsole() }
    }

    /// Appends events; what is wrong with the log goes to standard error.
    func note(_ events: [AuditEvent], signers: [AuditSigner] = []) throws {
        let names = signers.map(\.name).joined(separator: ", ")
        let events = names.isEmpty ? events : events.map { $0.adding(["approved": names]) }
        guard !events.isEmpty, let warning = try trail?.append(events, signers: signers) else { return }
        FileHandle.standardError.write(Data("warning: \(warning)\n".utf8))
    }

    /// Appends what happened to a key.
    func note(
        _ kind: AuditEvent.Kind, _ record: KeyRecord, details: [String: String] = [:],
        signers: [AuditSigner] = []
    ) throws {
        try note([AuditEvent(kind, record, details: details)], signers: signers)
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
    /// The same with more details.
    func adding(_ more: [String: String]) -> AuditEvent {
        AuditEvent(kind, key: key, details: details.merging(more) { $1 })
    }

    /// What happened to a key, with what everybody may know of it.
    init(_ kind: Kind, _ record: KeyRecord, details: [String: String] = [:]) {
        var all = record.description.details.merging(details) { $1 }
        all["purpose"] = record.purpose?.rawValue
        all["algorithm"] = record.algorithm?.rawValue
        if kind == .keyImported { all["header"] = record.provenance?.blockHeader }
        self.init(kind, key: record.label, details: all)
    }
}

extension KeyStore {
    /// What happened to a key and, where one was made, to the copy that may leave.
    mutating func noted(
        _ kind: AuditEvent.Kind, _ record: KeyRecord, details: [String: String], transfer: Bool
    ) throws -> [AuditEvent] {
        var events = [AuditEvent(kind, record, details: details)]
        if transfer { events.append(AuditEvent(kind, try transferCopy(of: record), details: details)) }
        return events
    }
}
