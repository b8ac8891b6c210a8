/// The public part of the derivation of ICC master keys: no key is here.
package enum MasterKeyDerivation {
    /// True if the option needs the SHA-1 of PAN and sequence number for this card.
    package static func needsHash(_ option: MasterKeyOption, for card: CardIdentity) -> Bool {
        option == .b && card.pan.digitCount > 16
    }

    /// Option A (EMV Book 2 A1.4.1), also option B for PANs up to 16 digits: Y and its complement, Y being
    /// the rightmost 16 digits of PAN ‖ sequence number, filled with zeros on the left.
    package static func diversifier(for card: CardIdentity) -> Diversifier {
        let y = UInt64(truncatingIfNeeded: card.pan.packedWithSequenceNumber(card.panSequenceNumber))
        return Diversifier(left: y, right: ~y)
    }

    /// Option A or B, the hash computed here: there is nothing secret in it.
    package static func diversifier(_ option: MasterKeyOption, for card: CardIdentity) -> Diversifier {
        needsHash(option, for: card)
            ? diversifier(fromSHA1: PublicDigest.sha1(bytesToHash(for: card))) : diversifier(for: card)
    }
}

/// Two blocks that, enciphered under a key, give the two halves of the next key.
package struct Diversifier: Hashable, Sendable {
    /// Enciphered, the left half of the key. Big endian.
    package let left: UInt64
    /// Enciphered, the right half. Big endian.
    package let right: UInt64

    package init(left: UInt64, right: UInt64) { (self.left, self.right) = (left, right) }
}

/// The public part of the derivation of session keys.
package enum SessionKeyDerivation {
    /// The diversifier of a transaction's key, nil where the master key is used itself.
    ///
    /// Common session key (EMV Book 2 A1.3.1): ATC ‖ F0 or 0F ‖ zeros. Mastercard: the last four bytes are
    /// the unpredictable number.
    package static func diversifier(
        _ method: SessionKeyMethod, atc: ApplicationTransactionCounter,
        unpredictableNumber: UnpredictableNumber
    ) -> Diversifier? {
        let counter = UInt64(atc.rawValue) << 48
        switch method {
        case .none: return nil
        case .common: return diversifier(from: counter)
        case .mastercard: return diversifier(from: counter | UInt64(unpredictableNumber.rawValue))
        }
    }

    /// Common session key from any eight bytes R, whose third byte becomes F0 and 0F (EMV Book 2 A1.3.1). For
    /// secure messaging R is the ARQC.
    package static func diversifier(from r: UInt64) -> Diversifier {
        let kept = r & 0xFFFF_00FF_FFFF_FFFF
        return Diversifier(left: kept | 0xF0 << 40, right: kept | 0x0F << 40)
    }
}

/// The public part of the issuer's answer (EMV Book 2 8.2): what the ARPC is made over, and what tag 91 holds.
package enum IssuerAuthentication {
    /// Method 2 (8.2.2) without proprietary data: the two blocks whose MAC, cut to four bytes, is the ARPC:
    /// ARQC ‖ CSU, padded by method 2. Big endian.
    package static func blocks(
        _ cryptogram: ApplicationCryptogram, statusUpdate: CardStatusUpdate
    ) -> (UInt64, UInt64) {
        (cryptogram.rawValue, UInt64(statusUpdate.rawValue) << 32 | 0x8000_0000)
    }
}

/// The value of tag 91: 8 to 16 bytes, held inline.
package struct IssuerAuthenticationData: Hashable, Sendable {
    /// The bytes, left-aligned.
    let packed: UInt128
    /// 8…16.
    package let count: Int

    /// Method 2 (EMV Book 2 8.2.2): ARPC (4 bytes) and the card status update; no proprietary data.
    package init(arpc: UInt32, statusUpdate: CardStatusUpdate) {
        packed = UInt128(arpc) << 96 | UInt128(statusUpdate.rawValue) << 64
        count = 8
    }

    /// The byte at `index`, 0..<count.
    package subscript(index: Int) -> UInt8 {
        precondition((0..<count).contains(index), "index beyond the issuer authentication data")
        return UInt8(truncatingIfNeeded: packed >> UInt128(8 * (15 - index)))
    }
}
