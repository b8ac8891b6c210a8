/// Month and year of a certificate, `MMYY` in BCD; good to the month's end.
package struct CertificateMonth: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Months since January 1950: years below 50 are of this century (EMV Book 4 6.7.3).
    package let months: Int

    /// - Parameters:
    ///   - year: 1950…2049.
    ///   - month: 1…12.
    package init?(year: Int, month: Int) {
        guard (1950...2049).contains(year), (1...12).contains(month) else { return nil }
        months = (year - 1950) * 12 + month - 1
    }

    /// Reads `MMYY` in BCD.
    package init?(digits packed: ArraySlice<UInt8>) {
        let digits = packed.flatMap { [Int($0 >> 4), Int($0 & 0x0F)] }
        guard digits.count == 4, digits.allSatisfy({ $0 < 10 }) else { return nil }
        let year = digits[2] * 10 + digits[3]
        self.init(year: year < 50 ? 2000 + year : 1900 + year, month: digits[0] * 10 + digits[1])
    }

    /// Reads `2029-07`.
    package init?(text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count == 4, parts[1].count == 2, let year = Int(parts[0]),
            let month = Int(parts[1])
        else { return nil }
        self.init(year: year, month: month)
    }

    /// Four digits.
    package var year: Int { 1950 + months / 12 }
    /// 1…12.
    package var month: Int { months % 12 + 1 }
    /// `MMYY` in BCD.
    package var packedDigits: [UInt8] {
        [month, year % 100].map { UInt8(($0 / 10) << 4 | $0 % 10) }
    }

    /// `2029-07`.
    package var description: String { "\(year)-\(month < 10 ? "0" : "")\(month)" }
    /// By time.
    package static func < (one: Self, other: Self) -> Bool { one.months < other.months }
}

/// A public key with its owner, as a CA or an issuer signs it (EMV Book 2 tables 2, 13 and 23).
package struct KeyCertificate: Hashable, Sendable {
    /// Whose key it is.
    package enum Kind: Sendable {
        /// Format 02: four bytes of identifier, signed by the CA.
        case issuer
        /// Format 04: ten bytes of PAN, signed by the issuer; its hash covers the card's static data.
        case icc
        /// Format 04, for PINs only; no static data.
        case pinEncipherment

        var format: SignedBlock.Format { self == .issuer ? .issuerCertificate : .iccCertificate }
        var identifierCount: Int { self == .issuer ? 4 : 10 }
    }

    /// What it is.
    package let kind: Kind
    /// Leading digits of the PAN (3…8) or the PAN; digits 0…9.
    package let identifierDigits: [UInt8]
    /// Last month.
    package let expiry: CertificateMonth
    /// Below 2^24, unique for its signer.
    package let serialNumber: UInt32
    /// The owner's.
    package let key: RSAPublicKey

    package init(
        _ kind: Kind, identifierDigits: [UInt8], expiry: CertificateMonth, serialNumber: UInt32,
        key: RSAPublicKey
    ) {
        self.kind = kind
        self.identifierDigits = identifierDigits
        self.expiry = expiry
        self.serialNumber = serialNumber
        self.key = key
    }

    /// Format, identifier, dates, algorithms and lengths.
    private var head: [UInt8] {
        let count = kind.identifierCount * 2
        let digits = identifierDigits + [UInt8](repeating: 0xF, count: count - identifierDigits.count)
        let identifier = stride(from: 0, to: count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        let serial = [16, 8, 0].map { UInt8(truncatingIfNeeded: serialNumber >> UInt32($0)) }
        return [kind.format.rawValue] + identifier + expiry.packedDigits + serial
            + [
                SignedBlock.algorithm, SignedBlock.algorithm, UInt8(key.byteCount),
                UInt8(key.exponent.count),
            ]
    }

    /// The block that the signer signs, and what of the key does not fit into it (90 and 92, 9F46 and 9F48).
    /// - Parameters:
    ///   - signerByteCount: of the signer's modulus.
    ///   - staticData: of the card, for `.icc` only.
    /// - Throws: `.length` where the signer's key is too short for it, or the identifier has too many digits.
    package func block(
        signerByteCount: Int, staticData: [UInt8] = [], arithmetic: PublicKeyArithmetic
    ) throws(CertificateFault) -> (block: [UInt8], remainder: [UInt8]) {
        guard (1...2 * kind.identifierCount).contains(identifierDigits.count),
            key.byteCount <= signerByteCount
        else { throw .length }
        let head = head
        let room = signerByteCount - SignedBlock.overhead - head.count
        guard room > 0 else { throw .length }
        let leading = Array(key.modulus.prefix(room))
        let remainder = Array(key.modulus.dropFirst(room))
        return (
            try SignedBlock.make(
                head + leading, byteCount: signerByteCount,
                tail: remainder + key.exponent + (kind == .icc ? staticData : []), arithmetic: arithmetic),
            remainder
        )
    }

    /// The three objects of a certificate on a card.
    package struct Objects: Hashable, Sendable {
        /// 90, 9F46 or 9F2D.
        package var certificate: [UInt8]
        /// 92, 9F48 or 9F2F; empty where all of the key fits.
        package var remainder: [UInt8]
        /// 9F32, 9F47 or 9F2E.
        package var exponent: [UInt8]

        package init(certificate: [UInt8], remainder: [UInt8], exponent: [UInt8]) {
            self.certificate = certificate
            self.remainder = remainder
            self.exponent = exponent
        }
    }

    /// What it is held against.
    package struct Circumstances: Sendable {
        /// Digits of the account; nil looks at none.
        package var accountDigits: [UInt8]?
        /// This month; nil looks at none.
        package var month: CertificateMonth?
        /// Serial numbers that the CA has taken back, of this CA key.
        package var revoked: Set<UInt32> = []

        package init(accountDigits: [UInt8]?, month: CertificateMonth?, revoked: Set<UInt32> = []) {
            self.accountDigits = accountDigits
            self.month = month
            self.revoked = revoked
        }
    }

    /// Opens a certificate and checks it, in the order of the book (5.3, 6.3, 6.4).
    /// - Parameter checksHash: false only to show what stands in one whose static data are not at hand: proves nothing.
    package static func recover(
        _ kind: Kind, _ objects: Objects, signedUnder signer: RSAPublicKey, staticData: [UInt8] = [],
        circumstances: Circumstances, checksHash: Bool = true, arithmetic: PublicKeyArithmetic
    ) throws(CertificateFault) -> KeyCertificate {
        let start = kind.identifierCount + 1
        let contents = try SignedBlock.recover(
            objects.certificate, under: signer, format: kind.format, algorithmOffset: start + 5,
            tail: objects.remainder + objects.exponent + (kind == .icc ? staticData : []),
            checksHash: checksHash, arithmetic: arithmetic)
        guard contents.count > start + 9 else { throw .length }
        let digits = Array(
            contents[1..<start].flatMap { [$0 >> 4, $0 & 0x0F] }.reversed().drop { $0 == 0xF }.reversed())
        if let account = circumstances.accountDigits {
            switch kind {
            case .issuer:
                guard account.starts(with: digits), digits.count >= 3 else { throw .issuerIdentifier }
            case .icc, .pinEncipherment: guard account == digits else { throw .pan }
            }
        }
        guard let expiry = CertificateMonth(digits: contents[start..<start + 2]) else { throw .expired }
        if let month = circumstances.month, expiry < month { throw .expired }
        let serial = contents[start + 2..<start + 5].reduce(0) { $0 << 8 | UInt32($1) }
        guard !circumstances.revoked.contains(serial) else { throw .revoked }
        guard contents[start + 6] == SignedBlock.algorithm else { throw .algorithm }
        let count = Int(contents[start + 7])
        let modulus = Array((contents[(start + 9)...] + objects.remainder).prefix(count))
        // A remainder with more than is missing was not made by the signer for this key.
        let room = contents.count - start - 9
        guard modulus.count == count, objects.remainder.count == max(0, count - room),
            objects.exponent.count == Int(contents[start + 8])
        else { throw .length }
        return KeyCertificate(
            kind, identifierDigits: digits, expiry: expiry, serialNumber: serial,
            key: try RSAPublicKey(modulus: modulus, exponent: objects.exponent))
    }
}
