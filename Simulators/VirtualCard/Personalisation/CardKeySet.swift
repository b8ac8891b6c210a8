/// The static keys of a card's secure channels.
package struct CardKeySet: Hashable, Sendable {
    /// Which protocol the card speaks.
    package enum Algorithm: Hashable, Sendable {
        /// SCP02, keys of 16 bytes, with its `i`: 15 or 55.
        case tripleDES(parameter: UInt8)
        /// SCP03, keys of 16, 24 or 32 bytes, with its `i`.
        case aes(parameter: UInt8)
    }

    /// Which protocol.
    package let algorithm: Algorithm
    /// 1 to 127.
    package let version: UInt8
    /// Key-ENC.
    let encipherment: [UInt8]
    /// Key-MAC.
    let authentication: [UInt8]
    /// Key-DEK.
    let dataEncryption: [UInt8]

    package init(
        _ algorithm: Algorithm, version: UInt8, encipherment: [UInt8], authentication: [UInt8],
        dataEncryption: [UInt8]
    ) {
        self.algorithm = algorithm
        self.version = version
        self.encipherment = encipherment
        self.authentication = authentication
        self.dataEncryption = dataEncryption
    }
}
