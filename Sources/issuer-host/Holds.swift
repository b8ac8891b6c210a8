internal import Authorisation
internal import IssuerConfiguration

extension HoldRules {
    /// The issuer's own rules stand before the usual ones.
    /// - Parameter place: where the issuer stands, for errors.
    init(_ issuer: IssuerConfiguration.Issuer, place: String) throws {
        let own = try issuer.holdRules.map { text in
            guard let rule = Rule(text) else {
                throw WiringError(
                    "\(place).holdRules: CATEGORY:PERCENT:DAYS or FROM-TO:PERCENT:DAYS is needed, not \(text)"
                )
            }
            return rule
        }
        self.init(
            excessPercent: Int64(issuer.completionExcessPercent), days: Int64(issuer.holdDays),
            rules: own + HoldRules.usualRules)
    }
}

extension HoldRules.Rule {
    /// `5812:20:3` or `3501-3999:20:31`: merchant categories, per cent, days.
    fileprivate init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let percent = Int64(parts[1]), (0...1_000).contains(percent),
            let days = Int64(parts[2]), (1...400).contains(days)
        else { return nil }
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        guard (1...2).contains(ends.count), ends.allSatisfy({ $0.utf8.count == 4 }),
            let first = UInt16(ends[0]),
            let last = UInt16(ends[ends.count - 1]), first <= last
        else { return nil }
        self.init(first...last, excessPercent: percent, days: days)
    }
}
