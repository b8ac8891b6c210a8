package import EMV
package import LibCrypto

/// A key inside a chip.
package enum ChipKey: Sendable, CustomReflectable {
    case tripleDES(DoubleLengthKey)
    /// 16 or 32 bytes.
    case aes([UInt8])

    /// Zeros for a key of AES: nothing that triple DES computes with them is right.
    package var doubleLength: DoubleLengthKey {
        guard case .tripleDES(let key) = self else { return DoubleLengthKey(left: 0, right: 0) }
        return key
    }

    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension ChipCryptography {
    /// The application cryptogram (EMV Book 2 8.1) and the key for its answer.
    package mutating func sign(
        _ input: CryptogramInput, profile: CryptogramProfile, key: ChipKey,
        atc: ApplicationTransactionCounter, unpredictableNumber: UnpredictableNumber
    ) throws(LibCryptoError) -> SignedCryptogram {
        switch key {
        case .tripleDES(let key):
            return try sign(
                input, profile: profile, iccMasterKey: key, atc: atc, unpredictableNumber: unpredictableNumber
            )
        case .aes(let key):
            let session = try AESChip.sessionKey(iccMasterKey: key, atc: atc)
            return SignedCryptogram(
                cryptogram: ApplicationCryptogram(rawValue: try AESChip.mac(input, sessionKey: session)),
                key: .aes(session))
        }
    }

    /// ARPC method 2 by the cipher of the key; nil for more than eight bytes of proprietary data.
    mutating func responseMethod2(
        _ signed: SignedCryptogram, statusUpdate: CardStatusUpdate, proprietary: [UInt8]
    ) throws(LibCryptoError) -> UInt32? {
        guard case .aes(let key) = signed.key else {
            return try responseMethod2(
                key: signed.responseKey, signed.cryptogram, statusUpdate: statusUpdate,
                proprietary: proprietary)
        }
        let input = IssuerAuthentication.aesInput(
            signed.cryptogram, statusUpdate: statusUpdate, proprietary: proprietary)
        guard let input else { return nil }
        return UInt32(truncatingIfNeeded: try AESChip.mac(input, sessionKey: key) >> 32)
    }
}
