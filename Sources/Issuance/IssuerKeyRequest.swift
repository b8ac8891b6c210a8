package import EMV

/// An issuer's public key for the CA: in clear, then signed by itself, which shows that whoever sends it has the
/// private key. The form that a scheme publishes for its members' files:
/// `identifier(4) ‖ index(3) ‖ algorithm 01 ‖ length ‖ exponent length ‖ modulus ‖ exponent ‖ signature`, and the
/// signature recovers to `6A ‖ 11 ‖ identifier(4) ‖ expiry(2) ‖ index(3) ‖ 01 ‖ 01 ‖ length ‖ exponent length ‖ leading
/// part of the modulus ‖ hash ‖ BC`; the hash covers the rest of the modulus and the exponent too.
package struct IssuerKeyRequest: Hashable, Sendable {
    /// 3…8 leading digits of the PANs.
    package let identifierDigits: [UInt8]
    /// Until when the certificate is asked for.
    package let expiry: CertificateMonth
    /// The issuer's number of this key, below 2^24.
    package let index: UInt32
    /// The key.
    package let key: RSAPublicKey

    private static let format: UInt8 = 0x11
    private static let algorithm: UInt8 = 0x01
    /// Identifier, index, algorithm and two lengths.
    private static let clearCount = 10

    package init(
        identifierDigits: [UInt8], expiry: CertificateMonth, index: UInt32, key: RSAPublicKey
    ) throws {
        guard (3...8).contains(identifierDigits.count), identifierDigits.allSatisfy({ $0 < 10 }) else {
            throw IssuanceError("identifier", "it has to be three to eight digits, as the PANs begin")
        }
        guard index < 1 << 24 else { throw IssuanceError("index", "it has to be below 2^24") }
        self.identifierDigits = identifierDigits
        self.expiry = expiry
        self.index = index
        self.key = key
    }

    private var identifier: [UInt8] {
        let digits = identifierDigits + [UInt8](repeating: 0xF, count: 8 - identifierDigits.count)
        return stride(from: 0, to: 8, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private var indexBytes: [UInt8] { [16, 8, 0].map { UInt8(truncatingIfNeeded: index >> UInt32($0)) } }

    private var head: [UInt8] {
        [IssuerKeyRequest.format] + identifier + expiry.packedDigits + indexBytes
            + [
                IssuerKeyRequest.algorithm, IssuerKeyRequest.algorithm, UInt8(key.byteCount),
                UInt8(key.exponent.count),
            ]
    }

    /// What the issuer's own key signs.
    package func block() throws -> [UInt8] {
        let head = head
        let room = key.byteCount - SignedBlock.overhead - head.count
        return try SignedBlock.make(
            head + key.modulus.prefix(room), byteCount: key.byteCount,
            tail: Array(key.modulus.dropFirst(room)) + key.exponent, arithmetic: .portable)
    }

    /// The file.
    /// - Parameter signature: of `block()`.
    package func encode(signature: [UInt8]) -> [UInt8] {
        identifier + indexBytes
            + [IssuerKeyRequest.algorithm, UInt8(key.byteCount), UInt8(key.exponent.count)] + key.modulus
            + key.exponent + signature
    }

    /// Reads a file and checks its signature, as a CA does.
    package init(file: [UInt8]) throws {
        let fault = IssuanceError("request", "it is not as long as it says")
        guard file.count > IssuerKeyRequest.clearCount, file[7] == IssuerKeyRequest.algorithm else {
            throw fault
        }
        let (count, exponentCount) = (Int(file[8]), Int(file[9]))
        guard file.count == IssuerKeyRequest.clearCount + 2 * count + exponentCount else { throw fault }
        let modulus = Array(file[10..<10 + count])
        let exponent = Array(file[(10 + count)..<(10 + count + exponentCount)])
        key = try RSAPublicKey(modulus: modulus, exponent: exponent)
        guard let block = PublicKeyArithmetic.portable.power(Array(file.suffix(count)), key) else {
            throw CertificateFault.trailer
        }
        let digits = file[..<4].flatMap { [$0 >> 4, $0 & 0x0F] }
        identifierDigits = Array(digits.prefix { $0 < 10 })
        index = file[4..<7].reduce(0) { $0 << 8 | UInt32($1) }
        guard block.count > 18, let month = CertificateMonth(digits: block[6..<8]) else {
            throw CertificateFault.format
        }
        expiry = month
        // Everything in clear is signed too, so the block made anew from it has to be the same.
        guard block.last == 0xBC else { throw CertificateFault.trailer }
        guard block.first == 0x6A else { throw CertificateFault.header }
        guard block[1] == IssuerKeyRequest.format else { throw CertificateFault.format }
        guard try self.block() == block else { throw CertificateFault.hash }
        guard (3...8).contains(identifierDigits.count), identifier == Array(file[..<4]),
            key.exponent == exponent
        else { throw IssuanceError("request", "its identifier or exponent is none") }
    }
}
