package import EMV
package import LibCrypto

/// An access control server as far as it makes authentication values: with libcrypto and nothing of the host's, so that
/// a value that the host finds right was made by another program. It describes itself without its key.
package struct AuthenticationServer: Sendable, CustomReflectable {
    private let key: [UInt8]

    /// - Parameter key: a test key: sixteen bytes for a CVV, any number for an HMAC.
    package init(key: [UInt8]) { self.key = key }

    /// The value of an authentication.
    /// - Returns: nil where a part of the draft has no place in its form.
    package func value(_ draft: AuthenticationValueDraft, pan: PAN) throws(LibCryptoError)
        -> AuthenticationValue?
    {
        guard let blank = draft.value() else { return nil }
        return draft.value(proof: try proof(blank, pan: pan))
    }

    /// What a value has to have for its proof.
    package func proof(_ value: AuthenticationValue, pan: PAN) throws(LibCryptoError) -> UInt64 {
        switch value.form {
        case .cvvWithTrackingNumber:
            // Triple DES with equal halves is single DES.
            let left = Array(key.prefix(8) + key.prefix(8))
            let (first, second) = value.blocks(for: pan)
            let chained = Self.word(try TDES.encryptECB(key: left, Self.bytes(first))) ^ second
            let block = Self.word(try TDES.encryptECB(key: key, Self.bytes(chained)))
            return UInt64(Decimalisation.digits(block, count: 3))
        case .hmacSHA1: return Self.word(try MAC.hmacSHA1(key: key, value.input(for: pan)).prefix(5))
        case .hmacSHA256: return Self.word(try MAC.hmacSHA256(key: key, value.input(for: pan)).prefix(4))
        }
    }

    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }

    private static func bytes(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
    }

    private static func word(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
