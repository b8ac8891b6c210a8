package import EMV

/// The name of a key in the token: its `CKA_LABEL`. The host never holds more of a key than this.
package struct KeyName: Hashable, Sendable, CustomStringConvertible {
    /// The label.
    package let rawValue: String

    /// - Parameter rawValue: the label as the token shows it.
    package init(_ rawValue: String) { self.rawValue = rawValue }

    /// The label.
    package var description: String { rawValue }
}

/// What an issuer has decided for the cards whose PAN begins with one prefix. A class: every request holds its range
/// across the waits for token and store.
package final class IssuerRange: Sendable {
    /// The name by which journal and logs call the range.
    package let name: String
    /// The leading digits that select it; the longest match wins.
    package let prefix: PANPrefix
    /// The master keys of its cards, by version.
    package let keys: IssuerKeys
    /// Option A or B of the ICC master key derivation (EMV Book 2 A1.4.1, A1.4.2).
    package let masterKeyOption: MasterKeyOption
    /// The cryptogram profiles that cards of this range carry; any other fails closed.
    package let profiles: [CryptogramProfile]
    /// What it lets pass without a chip; nil: nothing.
    package let nonChip: NonChipPolicy?
    /// How it verifies 3-D Secure authentication values; nil: it does not look at them.
    package let authentication: AuthenticationPolicy?
    /// On which results of terminal and card it declines.
    package let offlineResults: OfflineResultsPolicy
    /// The clear form of a new PIN in issuer scripts; nil: the one of the card's profile.
    package let scriptPINForm: SecureMessaging.PINForm?
    /// How online PINs of its cards are verified. A card whose record is of the other form takes a second trip.
    package let pinVerification: PINVerification
    /// How a card's record is judged.
    package let cardPolicy: CardPolicy

    /// A range with one IMK-AC for all its cards.
    package convenience init(
        name: String, prefix: PANPrefix, issuerMasterKey: KeyName, masterKeyOption: MasterKeyOption,
        profiles: [CryptogramProfile], limits: SpendingLimits? = nil
    ) {
        self.init(
            name: name, prefix: prefix,
            keys: IssuerKeys([IssuerKeyVersion(name: "", issuerMasterKey: issuerMasterKey)]),
            masterKeyOption: masterKeyOption, profiles: profiles, cardPolicy: CardPolicy(limits: limits))
    }

    /// Takes the decisions as they are; whether the keys exist is for the token to say at start-up.
    package init(
        name: String, prefix: PANPrefix, keys: IssuerKeys, masterKeyOption: MasterKeyOption,
        profiles: [CryptogramProfile], cardPolicy: CardPolicy = CardPolicy(), nonChip: NonChipPolicy? = nil,
        authentication: AuthenticationPolicy? = nil,
        offlineResults: OfflineResultsPolicy = .usual, scriptPINForm: SecureMessaging.PINForm? = nil,
        pinVerification: PINVerification = .reference
    ) {
        self.name = name
        self.prefix = prefix
        self.keys = keys
        self.masterKeyOption = masterKeyOption
        self.profiles = profiles
        self.cardPolicy = cardPolicy
        self.nonChip = nonChip
        self.authentication = authentication
        self.offlineResults = offlineResults
        self.scriptPINForm = scriptPINForm
        self.pinVerification = pinVerification
    }
}

extension IssuerRangeTable {
    /// Orders the ranges; two equal prefixes are a configuration error that the caller reports.
    package init(_ ranges: [IssuerRange]) {
        self.ranges = ranges.sorted { $0.prefix.digitCount > $1.prefix.digitCount }
    }
}
