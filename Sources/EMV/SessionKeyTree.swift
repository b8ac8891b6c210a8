/// How the ICC master key follows from the issuer master key (EMV Book 2 A1.4).
package enum MasterKeyOption: String, Sendable, CaseIterable {
    /// A1.4.1: the rightmost 16 digits of PAN and sequence number.
    case a = "A"
    /// A1.4.2: for PANs over 16 digits, digits taken from their SHA-1.
    case b = "B"
    /// A1.4.3: AES, the whole PAN and sequence number.
    case c = "C"
}

extension Diversifier {
    /// The left block twice: gives K_L ‖ K_L, under which triple DES is single DES with K_L. The chaining part
    /// of ISO 9797-1 algorithm 3 is made with it.
    package var leftTwice: Diversifier { Diversifier(left: left, right: left) }

    /// Lends the sixteen bytes left ‖ right.
    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let blocks: InlineArray<2, UInt64> = [left.bigEndian, right.bigEndian]
        return try blocks.span.withUnsafeBytes(body)
    }
}

extension MasterKeyDerivation {
    /// What option B hashes: PAN ‖ sequence number in BCD, a zero before it if the digits are odd in number.
    package static func bytesToHash(for card: CardIdentity) -> [UInt8] {
        let packed = card.pan.packedWithSequenceNumber(card.panSequenceNumber)
        let count = (card.pan.digitCount + 2 + 1) / 2
        return (0..<count).map { UInt8(truncatingIfNeeded: packed >> UInt128(8 * (count - 1 - $0))) }
    }

    /// Option B (EMV Book 2 A1.4.2): the first 16 decimal digits of the hash; if there are fewer, the hex
    /// letters from the left, A as 0 to F as 5, fill the rest.
    /// - Parameter hash: 20 bytes.
    package static func diversifier(fromSHA1 hash: some Collection<UInt8>) -> Diversifier {
        var y: UInt64 = 0
        var count = 0
        func take(_ digit: UInt8) {
            guard count < 16 else { return }
            y = y << 4 | UInt64(digit)
            count += 1
        }
        for byte in hash {
            if byte >> 4 <= 9 { take(byte >> 4) }
            if byte & 0x0F <= 9 { take(byte & 0x0F) }
        }
        for byte in hash {
            if byte >> 4 > 9 { take(byte >> 4 - 10) }
            if byte & 0x0F > 9 { take(byte & 0x0F - 10) }
        }
        return Diversifier(left: y, right: ~y)
    }
}

extension SessionKeyDerivation {
    /// PBOC 2.0: the ATC, and its complement, behind six zero bytes. No profile of this host uses it.
    package static func pbocDiversifier(atc: ApplicationTransactionCounter) -> Diversifier {
        Diversifier(left: UInt64(atc.rawValue), right: UInt64(~atc.rawValue))
    }

    /// Visa secure messaging: what the halves of the ICC master key are XORed with (VIS 1.5 D.7). Not
    /// enciphered; the key's parity has to be set afterwards.
    package static func visaSecureMessagingMask(atc: ApplicationTransactionCounter) -> Diversifier {
        Diversifier(left: UInt64(atc.rawValue), right: UInt64(~atc.rawValue))
    }
}

/// The EMV2000 session key tree (EMV 4.1 Book 2 A1.3.2): only its public arithmetic.
///
/// With Φ(X, Y, j) = DES3(X)[Y_L xor (j mod b)] ‖ DES3(X)[Y_R xor (j mod b) xor F0], the intermediate keys go
/// from the ICC master key down to the leaf of the ATC; the session key is the leaf xor its grandparent.
package struct SessionKeyTree: Hashable, Sendable {
    /// Levels below the master key, 8 or 16 in practice.
    package let height: Int
    /// Children of each node, 4 or 2 in practice.
    package let branchFactor: Int
    /// Stands for the missing parent of the master key.
    package let initialVector: Diversifier

    /// - Returns: nil unless the tree has a leaf for each of the 65,536 counters and a height of 2…16.
    package init?(height: Int, branchFactor: Int, initialVector: Diversifier) {
        guard (2...16).contains(height), (2...256).contains(branchFactor) else { return nil }
        var leaves = 1
        for _ in 0..<height where leaves <= 0xFFFF { leaves *= branchFactor }
        guard leaves > 0xFFFF else { return nil }
        self.height = height
        self.branchFactor = branchFactor
        self.initialVector = initialVector
    }

    /// The number of the ATC's ancestor in a level, 1…`height`.
    package func node(ofLevel level: Int, atc: ApplicationTransactionCounter) -> Int {
        (level..<height).reduce(Int(atc.rawValue)) { number, _ in number / branchFactor }
    }

    /// The input of Φ beside the key: the grandparent's halves xor the child's number.
    package func diversifier(grandparent: Diversifier, node: Int) -> Diversifier {
        let child = UInt64(node % branchFactor)
        return Diversifier(left: grandparent.left ^ child, right: grandparent.right ^ child ^ 0xF0)
    }
}
