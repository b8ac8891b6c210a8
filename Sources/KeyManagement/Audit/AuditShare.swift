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
    private let keys: [KeyLedger.Name: [AuditedObject]]
    private var look: KeyLook? = nil

    /// Opens a session of its own.
    package init(at location: TokenLocation) throws {
        var session = try location.openSession(readWrite: true)
        let keys = try AuditedObject.all(&session)
        self.init(session, Dictionary(grouping: keys, by: \.name))
    }

    private init(_ session: consuming Session, _ keys: [KeyLedger.Name: [AuditedObject]]) {
        self.session = session
        self.keys = keys
    }

    /// Looks at the keys of a request.
    package mutating func answer(_ request: Data) throws -> Data {
        let share = try JSONDecoder().decode(AuditShare.self, from: request)
        var look = look ?? KeyLook(counterLabel: share.counterLabel)
        var found: [KeyFacts] = []
        for key in share.names.flatMap({ keys[$0] ?? [] }) {
            if let facts = try look.facts(of: key, session: &session) { found.append(facts) }
        }
        self.look = look
        return try JSONEncoder().encode(found)
    }
}
