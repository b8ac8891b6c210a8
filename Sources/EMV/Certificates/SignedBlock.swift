/// What an RSA signature of EMV recovers to: `6A ‖ contents ‖ hash ‖ BC`, as long as the key (EMV Book 2 annex A2.1).
package enum SignedBlock {
    /// Second byte of a block (EMV Book 2 tables 2, 3, 13, 17, 23).
    package enum Format: UInt8, Sendable {
        case issuerCertificate = 0x02
        case staticData = 0x03
        case iccCertificate = 0x04
        case dynamicData = 0x05
        /// The issuer's own signature over its key, for the CA.
        case selfSigned = 0x11
    }

    static let header: UInt8 = 0x6A
    static let trailer: UInt8 = 0xBC
    /// 01: SHA-1 (annex B3.1), and RSA (annex B2.1).
    static let algorithm: UInt8 = 0x01
    static let hashCount = 20
    /// Header, hash and trailer.
    package static let overhead = 22

    /// A block to be signed.
    /// - Parameters:
    ///   - contents: format byte and fields, without filler.
    ///   - byteCount: of the key that signs.
    ///   - tail: hashed behind the contents, not part of the block.
    /// - Throws: `.length` where the contents do not fit.
    package static func make(
        _ contents: [UInt8], byteCount: Int, tail: [UInt8], arithmetic: PublicKeyArithmetic
    ) throws(CertificateFault) -> [UInt8] {
        let room = byteCount - overhead
        guard contents.count <= room else { throw .length }
        let filled = contents + [UInt8](repeating: 0xBB, count: room - contents.count)
        guard let hash = arithmetic.sha1(filled + tail) else { throw .hash }
        return [header] + filled + hash + [trailer]
    }

    /// Opens a signature and checks it, in the order of the book (5.3, 6.3, 6.4, 6.5.2).
    /// - Parameters:
    ///   - algorithmOffset: where the hash algorithm stands in the contents.
    ///   - tail: what is hashed behind the contents.
    ///   - checksHash: false proves nothing, see `KeyCertificate.recover`.
    /// - Returns: contents, filler included.
    package static func recover(
        _ signature: [UInt8], under key: RSAPublicKey, format: Format, algorithmOffset: Int, tail: [UInt8],
        checksHash: Bool = true, arithmetic: PublicKeyArithmetic
    ) throws(CertificateFault) -> [UInt8] {
        guard signature.count == key.byteCount else { throw .length }
        // A number that is not below the modulus is no signature under it.
        guard let block = arithmetic.power(signature, key) else { throw .trailer }
        return try check(
            block, format, algorithmOffset: algorithmOffset, tail: tail, checksHash: checksHash,
            arithmetic: arithmetic)
    }

    private static func check(
        _ block: [UInt8], _ format: Format, algorithmOffset: Int, tail: [UInt8], checksHash: Bool,
        arithmetic: PublicKeyArithmetic
    ) throws(CertificateFault) -> [UInt8] {
        guard block.last == trailer else { throw .trailer }
        guard block.first == header else { throw .header }
        let contents = Array(block[1..<block.count - hashCount - 1])
        guard contents.first == format.rawValue else { throw .format }
        guard contents.count > algorithmOffset else { throw .length }
        guard contents[algorithmOffset] == algorithm else { throw .algorithm }
        guard checksHash else { return contents }
        guard let hash = arithmetic.sha1(contents + tail),
            hash == Array(block.suffix(hashCount + 1).dropLast())
        else { throw .hash }
        return contents
    }
}
