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
    let counterLabel: String?
    let names: [KeyLedger.Name]
}

/// The other process's part.
package struct AuditHelperWork: ~Copyable {
    private var session: Session
    /// Listed with the first request, and so not before the audit's own list: what is on that is here, or has ended.
    private var keys: [KeyLedger.Name: [AuditedObject]]?
    private var look: KeyLook?

    /// Opens a session of its own.
    package init(at location: TokenLocation) throws {
        session = try location.openSession(readWrite: true)
        (keys, look) = (nil, nil)
    }

    /// Looks at the keys of a request.
    package mutating func answer(_ request: Data) throws -> Data {
        let share = try JSONDecoder().decode(AuditShare.self, from: request)
        var look = look ?? KeyLook(counterLabel: share.counterLabel)
        let keys = try keys ?? Dictionary(grouping: AuditedObject.all(&session), by: \.name)
        self.keys = keys
        var found: [KeyFacts] = []
        for key in share.names.flatMap({ keys[$0] ?? [] }) {
            if let facts = try look.facts(of: key, session: &session) { found.append(facts) }
        }
        self.look = look
        return try JSONEncoder().encode(found)
    }
}
