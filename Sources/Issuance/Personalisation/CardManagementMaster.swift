internal import HSM
package import PKCS11

/// A master key that cards' channel keys follow from: the bureau's, or the issuer's own.
package struct CardManagementMaster: Sendable {
    /// `CKA_LABEL`.
    package let label: String
    /// How a card's keys follow.
    package let diversification: KeyDiversification
    let handle: ObjectHandle
    let byteCount: Int

    /// A session copy.
    /// - Parameter diversification: nil takes `kdf3` for AES keys and `emv-cps` for triple DES.
    package init(
        _ label: String, diversification: KeyDiversification? = nil, session: inout Session
    ) throws {
        let purpose = KeyPurpose.named(label)
        guard purpose == .cardManagementKey || purpose == .issuerMasterKeyDEK else {
            throw IssuanceError(
                label, "no master key of channels; its name has to begin with kmc- or imk-dek-")
        }
        let found = try session.findKeys(label: label)
        guard let key = found.first, found.count == 1 else {
            throw IssuanceError(label, "no such key in the token")
        }
        handle = try session.copyOrItself(key)
        let isAES = try session.keyType(of: handle) == .aes
        self.label = label
        self.diversification = diversification ?? (isAES ? .kdf3 : .emvCPS)
        guard self.diversification.isAES == isAES else {
            throw IssuanceError(
                label,
                "\(self.diversification.rawValue) is for \(isAES ? "triple DES" : "AES") keys, which it is not"
            )
        }
        byteCount = try session.valueCount(of: handle) ?? 16
    }

    func keys(_ diversificationData: [UInt8], _ session: inout Session) throws -> CardManagementKeys {
        try diversification.keys(
            from: handle, byteCount: byteCount, data: diversificationData, session: &session)
    }
}
