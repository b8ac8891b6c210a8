package import Foundation
package import HSM

/// How many cards need which issuer master key, as the host's store knows it.
package struct CardNeeds: Sendable {
    private struct Row: Decodable {
        let issuerMasterKey: String
        let expiry: String
        let cards: Int
    }

    private let rows: [Row]

    /// - Parameter path: a JSON list of `issuerMasterKey`, `expiry` (YYMM) and `cards`.
    package init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path),
            let rows = try? JSONDecoder().decode([Row].self, from: data)
        else { throw KeyManagementError(path, "is no list of cards by key") }
        self.rows = rows
    }

    /// A line for each month in which cards of this key end that has not passed; empty where no card needs it. The
    /// keys of secure messaging are as old as the IMK-AC of the same name.
    package func needs(of name: VersionedKeyName, at now: Date) -> [String] {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let today = calendar.dateComponents([.year, .month], from: now)
        let month = ((today.year ?? 0) % 100) * 100 + (today.month ?? 0)
        return rows.filter { row in
            CardNeeds.family(row.issuerMasterKey) == CardNeeds.family(name.label)
                && (Int(row.expiry) ?? .max) >= month
        }.sorted { $0.expiry < $1.expiry }
            .map { "\($0.cards) cards until \($0.expiry) (YYMM) need \($0.issuerMasterKey)" }
    }

    /// A label without what it is for: `imk-smi-476173.v2` is of the cards of `imk-ac-476173.v2`.
    private static func family(_ label: String) -> Substring {
        let purposes = KeyPurpose.allCases.filter(\.isIssuerMasterKey).map(\.rules.prefix)
        guard let prefix = purposes.first(where: { label.hasPrefix($0) }) else { return label[...] }
        return label.dropFirst(prefix.count)
    }
}

extension KeyPurpose {
    /// True for the keys that card keys are derived from.
    package var isIssuerMasterKey: Bool { rawValue.hasPrefix("IMK-") }
}
