package import Foundation
package import HSM
internal import PKCS11

/// A process that looks at some of an audit's keys, as this one sees it.
package protocol AuditHelper: Sendable {
    /// - Parameter request: for `AuditHelperWork.answer`, in the other process.
    /// - Returns: what that returned.
    func answer(_ request: Data) throws -> Data
    /// Nothing more is asked.
    func end()
}

/// Keys that another process is to look at. Nothing in it is secret.
struct AuditShare: Codable, Sendable {
    /// Keys of one name.
    struct Part: Codable, Sendable {
        let name: KeyLedger.Name
        let count: Int
    }

    let counterLabel: String?
    let parts: [Part]
}

/// The other process's part.
package struct AuditHelperWork: ~Copyable {
    private var session: Session
    private var keys: [KeyLedger.Name: [AuditedObject]]
    private var look: KeyLook?

    /// Opens a session of its own, and lists the keys while the audit makes its own list.
    package init(at location: TokenLocation) throws {
        var opened = try location.openSession(readWrite: true)
        keys = try Dictionary(grouping: AuditedObject.all(&opened), by: \.name)
        session = opened
        look = nil
    }

    /// Looks at the keys of a request.
    package mutating func answer(_ request: Data) throws -> Data {
        let share = try JSONDecoder().decode(AuditShare.self, from: request)
        var look = look ?? KeyLook(counterLabel: share.counterLabel)
        var found: [KeyFacts] = []
        for part in share.parts {
            var facts = try facts(of: part.name, &look)
            if facts.count != part.count {
                // This list was made first: what the audit's has and this has not came, ended or came again since.
                keys = try Dictionary(grouping: AuditedObject.all(&session), by: \.name)
                facts = try self.facts(of: part.name, &look)
            }
            found += facts
        }
        self.look = look
        return try JSONEncoder().encode(found)
    }

    private mutating func facts(of name: KeyLedger.Name, _ look: inout KeyLook) throws -> [KeyFacts] {
        var found: [KeyFacts] = []
        for key in keys[name] ?? [] {
            if let facts = try look.facts(of: key, session: &session) { found.append(facts) }
        }
        return found
    }
}
