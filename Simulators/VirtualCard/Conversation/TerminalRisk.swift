package import EMV

/// The terminal's limits and action codes.
package struct TerminalRisk: Sendable {
    /// How card and terminal meet.
    package enum Interface: String, Sendable, CaseIterable {
        case contact, contactless
    }

    /// Random selection of transactions below the floor limit (EMV Book 3 10.6.2).
    package struct RandomSelection: Sendable {
        /// Below it, `targetPercentage` of all transactions go online; minor units.
        package var threshold: UInt64
        /// 0…99.
        package var targetPercentage: UInt64
        /// 0…99: what the share rises to at the floor limit.
        package var maximumPercentage: UInt64

        package init(threshold: UInt64, targetPercentage: UInt64, maximumPercentage: UInt64) {
            self.threshold = threshold
            self.targetPercentage = targetPercentage
            self.maximumPercentage = maximumPercentage
        }

        /// How many of a hundred such transactions go online.
        /// - Parameter floorLimit: minor units.
        func percentage(amount: UInt64, floorLimit: UInt64) -> UInt64 {
            guard amount >= threshold, floorLimit > threshold else { return targetPercentage }
            let rise = maximumPercentage - min(targetPercentage, maximumPercentage)
            let (product, overflow) = rise.multipliedReportingOverflow(by: amount - threshold)
            return overflow ? maximumPercentage : product / (floorLimit - threshold) + targetPercentage
        }
    }

    /// Minor units from which a transaction goes online.
    package var floorLimit: UInt64 = 0
    /// Nil selects none.
    package var randomSelection: RandomSelection?
    /// 1…99: this transaction's random number.
    package var draw: UInt64 = 99
    /// TAC default.
    package var actionDefault: UInt64 = 0xDC_4004_F800
    /// TAC denial.
    package var actionDenial: UInt64 = 0x00_1000_0000
    /// TAC online.
    package var actionOnline: UInt64 = 0xDC_4004_F800
    /// The month of the transaction.
    package var month: ExpiryDate?
    /// Contact or contactless.
    package var interface = Interface.contact
    /// Contactless only: from this on another interface is asked for; nil has no such limit. Minor units.
    package var contactlessLimit: UInt64?
    /// Contactless only: up to this, nobody has to prove anything; minor units.
    package var verificationLimit: UInt64 = 0
    /// CA keys that the terminal checks certificates by.
    package var caKeys = CAKeys([])
    /// The terminal has no way to the issuer at all (terminal types 23 and 26).
    package var isOfflineOnly = false

    /// A terminal that sends everything online.
    package init() {}
}

/// Terminal verification results (tag 95), EMV Book 3 annex C5.
enum VerificationBit {
    static let offlineAuthenticationNotPerformed: UInt64 = 0x80_0000_0000
    static let staticAuthenticationFailed: UInt64 = 0x40_0000_0000
    static let cardDataMissing: UInt64 = 0x20_0000_0000
    static let dynamicAuthenticationFailed: UInt64 = 0x08_0000_0000
    static let combinedAuthenticationFailed: UInt64 = 0x04_0000_0000
    static let staticAuthenticationSelected: UInt64 = 0x02_0000_0000

    static func failure(of method: OfflineAuthenticationMethod) -> UInt64 {
        switch method {
        case .static: staticAuthenticationFailed
        case .dynamic: dynamicAuthenticationFailed
        case .combined: combinedAuthenticationFailed
        }
    }
    static let applicationExpired: UInt64 = 0x00_4000_0000
    static let newCard: UInt64 = 0x00_0800_0000
    static let cardholderVerificationFailed: UInt64 = 0x00_0080_0000
    static let unrecognisedMethod: UInt64 = 0x00_0040_0000
    static let pinTryLimitExceeded: UInt64 = 0x00_0020_0000
    static let pinNotEntered: UInt64 = 0x00_0008_0000
    static let onlinePINEntered: UInt64 = 0x00_0004_0000
    static let floorLimitExceeded: UInt64 = 0x00_0000_8000
    static let lowerConsecutiveLimitExceeded: UInt64 = 0x00_0000_4000
    static let upperConsecutiveLimitExceeded: UInt64 = 0x00_0000_2000
    static let selectedRandomly: UInt64 = 0x00_0000_1000
    static let issuerAuthenticationFailed: UInt64 = 0x00_0000_0040
}
