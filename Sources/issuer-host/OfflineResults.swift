internal import Authorisation
internal import EMV
internal import IssuerConfiguration

extension OfflineResultsPolicy {
    /// The usual policy, each part replaced where the configuration names its bits.
    /// - Parameter place: the range in the configuration, `issuers.NAME`.
    init(_ issuer: IssuerConfiguration.Issuer, place: String) throws {
        self = .usual
        if let names = issuer.declineOnTVR {
            try Self.check(names, ResultBits.terminal.map(\.name), key: "\(place).declineOnTVR")
            terminal = Self.mask(names, ResultBits.terminal)
        }
        if let names = issuer.declineOnCVR {
            let tables = IssuerApplicationDataFormat.allCases.map { ($0, ResultBits.card($0)) }
            try Self.check(names, tables.flatMap { $0.1.map(\.name) }, key: "\(place).declineOnCVR")
            card = Dictionary(uniqueKeysWithValues: tables.map { ($0, Self.mask(names, $1)) })
        }
        if let names = issuer.declineOnCVM {
            try Self.check(names, Self.verificationNames, key: "\(place).declineOnCVM")
            declinesFailedVerification = names.contains("failed")
            declinesUnseenPIN = names.contains("pin-not-seen-by-card")
        }
    }

    private static func check(_ names: [String], _ known: [String], key: String) throws {
        for name in names where !known.contains(name) {
            let all = Set(known).sorted().joined(separator: ", ")
            throw WiringError("\(key): \(name) is none of \(all)")
        }
    }
}
