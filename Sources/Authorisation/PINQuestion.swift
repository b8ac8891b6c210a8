package import EMV

extension PINQuestion {
    /// A block of format 4.
    /// - Parameters: the halves of the sixteen bytes, each big endian.
    package init(zonePINKey: KeyName, firstHalf: UInt64, secondHalf: UInt64) {
        self.zonePINKey = zonePINKey
        format = .iso4
        block = EncipheredPINBlock(rawValue: firstHalf)
        self.secondHalf = secondHalf
    }

    /// Format and key.
    package var description: String { "PIN block of \(format) under \(zonePINKey)" }
    /// Empty, so that a dump or a failed expectation shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// How an issuer verifies online PINs.
package enum PINVerification: Hashable, Sendable {
    /// By the card's format 0 block under the PIN verification key.
    case reference
    /// By Visa's PIN verification value under the key with this index, 0…9.
    case verificationValue(keyIndex: UInt8)
}

/// What is wrong with a PIN block, as far as a token tells without showing it.
package enum PINBlockFault: Hashable, Sendable {
    /// The control field is not that of the format.
    case control(PINBlockFormat)
    /// The length is not 4 to 12.
    case length
    /// The digits after the PIN are not the format's: another PAN, or a damaged block.
    case fill

    /// For the trace; no part of the block.
    package var words: String {
        switch self {
        case .control(let format): "not a PIN block of format \(format.rawValue)"
        case .length: "PIN length not 4 to 12"
        case .fill: "fill digits wrong: another PAN than the card's, or damaged"
        }
    }
}

extension PINQuestion {
    /// The same for an issuer who verifies in the given way.
    func verified(by verification: PINVerification) -> PINQuestion {
        var question = self
        question.verification = verification
        return question
    }
}
