package import Foundation
package import HSM
internal import PKCS11

/// The keys of an audit that another process looks at, with what is known of them. Nothing in it is secret.
struct AuditShare: Codable, Sendable {
    /// One key.
    struct Item: Codable, Sendable {
        let name: KeyLedger.Name
        let isAmbiguous: Bool
        /// Of the ledgers, after and before the keys were listed.
        let entries: [KeyLedger.Entry?]
        let lastUse: String?
    }

    /// What was found.
    struct Found: Codable, Sendable {
        var keys: [AuditedKey] = []
        var findings: [AuditFinding] = []
        var unexplained: [Unexplained] = []
        var seen: Set<KeyLedger.Name> = []
    }

    /// A key that no event explains.
    struct Unexplained: Codable, Sendable {
        let key: AuditedKey
        let saysOrigin: Bool
    }

    let token: String
    let counterLabel: String?
    let doubtsDerivedKeys: Bool
    let items: [Item]

    /// A walk that knows what the share says.
    var walk: AuditWalk {
        var history = KeyHistory()
        for item in items { if let time = item.lastUse { history.use(of: item.name.label, at: time) } }
        let ledgers = (items.first?.entries.indices ?? 0..<0).map { place in
            KeyLedger(
                items.reduce(into: [:]) { entries, item in entries[item.name] = item.entries[place] })
        }
        return AuditWalk(
            history: history, ledgers: ledgers, token: token, counterLabel: counterLabel,
            doubtsDerivedKeys: doubtsDerivedKeys)
    }
}

extension KeyAudit {
    /// Another process's part: looks at the keys of a share, which `KeyAuditConfiguration.helper` was given.
    ///
    /// - Parameter progress: told after each key.
    /// - Returns: what the helper returns.
    package static func runShare(
        _ data: Data, at location: TokenLocation, progress: () -> Void
    ) throws -> Data {
        let share = try JSONDecoder().decode(AuditShare.self, from: data)
        var session = try location.openSession(readWrite: true)
        let items = Dictionary(share.items.map { ($0.name, $0) }) { first, _ in first }
        var walk = share.walk
        for key in try AuditedObject.all(&session) {
            guard let item = items[key.name] else { continue }
            try walk.look(at: key, isAmbiguous: item.isAmbiguous, session: &session)
            progress()
        }
        return try JSONEncoder().encode(walk.found)
    }
}
