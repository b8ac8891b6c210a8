package import AuditTrail
internal import Foundation

/// When keys were last used, as far as anything outside the token tells.
package struct KeyHistory: Sendable {
    /// By label.
    private(set) var lastUses: [String: String] = [:]

    /// Nothing known.
    package init() {}

    /// - Parameter lines: of an audit trail; lines of which the seal is wrong should not be among them.
    package init(_ lines: [AuditLine]) {
        for line in lines {
            for key in Self.keysUsed(in: line.event) { use(of: key, at: line.time) }
        }
    }

    /// Notes a use; the latest counts.
    ///
    /// - Parameter time: ISO 8601 in UTC, so that text order is time's.
    package mutating func use(of key: String, at time: String) {
        lastUses[key] = max(lastUses[key] ?? "", time)
    }

    /// A host names the keys that it holds, when it starts and when it ends.
    private static func keysUsed(in event: AuditEvent) -> [String] {
        switch event.kind {
        case .hostStarted, .hostStopped:
            event.details["keys"].map { $0.split(separator: " ").map(String.init) } ?? []
        case .keyExported, .cardsPersonalised: event.key.map { [$0] } ?? []
        default: []
        }
    }
}
