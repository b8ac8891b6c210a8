internal import PKCS11

/// One card to be personalised.
package struct CardOrder: Sendable {
    /// Its place in the list, from 1.
    package let number: Int
    /// Who it is, and until when.
    package let card: CardToCertify
    /// AID of its application.
    package let identifier: [UInt8]
    /// 50.
    package let label: String
    /// 9F10.
    package let issuerData: [UInt8]
    /// Which of the batch's products it is.
    package let product: Int

    package init(
        number: Int, card: CardToCertify, identifier: [UInt8], label: String, issuerData: [UInt8],
        product: Int
    ) {
        self.number = number
        self.card = card
        self.identifier = identifier
        self.label = label
        self.issuerData = issuerData
        self.product = product
    }
}

/// What the cards of one issuer have in common.
package struct CardProductKeys: Sendable {
    /// Makes the certificates; its issuer key signs.
    let certifier: CardCertifier
    let signer: ObjectHandle
    let source: CardKeySource
    let serialNumbers: SerialNumberSupply

    /// Opens session copies of every key.
    package init(
        _ certifier: CardCertifier, _ source: CardKeySource, serialNumbers: SerialNumberSupply,
        keys: inout SigningKeys
    ) throws {
        self.certifier = certifier
        self.source = source
        self.serialNumbers = serialNumbers
        signer = try keys.signer(certifier.issuerKey).handle
    }
}

/// What a card got: for report and trail. Nothing of it is secret but who the card is, which is not in it.
package struct CardRecord: Codable, Hashable, Sendable {
    /// Its place in the list, from 1.
    package let card: Int
    /// The chip's serial number: its key diversification data.
    package let chip: String
    /// `scp02`, `scp03`.
    package let channel: String
    /// Of the channel's keys now.
    package var keyVersion: UInt8
    /// Of its certificates.
    package let serialNumbers: [String]
    /// Of AC, SMI and SMC.
    package let checkValues: [String]
    /// Of the channel keys that PUT KEY gave it; empty where it kept its own.
    package let channelCheckValues: [String]
}
