internal import EMV
internal import HSM
package import PKCS11

/// The five CRT components of a card's private key, each enciphered (EMV CPS: DGI 8201 to 8205).
package struct EncipheredPrivateKey: Hashable, Sendable {
    /// By DGI: 8201 q⁻¹ mod p, 8202 d mod (q−1), 8203 d mod (p−1), 8204 q, 8205 p.
    package let components: [UInt16: [UInt8]]
}

/// A card's private key out of the token. Nothing of it is ever a value in this process.
///
/// The token wraps the key as PKCS#8 under a key that it has just made and that can wrap and unwrap alone. A run of the
/// cryptogram's blocks, deciphered with the block before it as the vector, is that part of the PKCS#8: it goes back into
/// the token as an object, of which the component is cut out and wrapped under the data encryption key. (The whole
/// would be too long: NSS takes 256 bytes.) Where the components lie follows from their DER headers, which are found by
/// comparison with the encipherment of every possible header.
package struct PrivateKeyExport {
    private let wrapping: ObjectHandle
    private let comparing: ObjectHandle

    /// PKCS#8 and RSAPrivateKey up to the version, for keys whose lengths take two bytes (RFC 5208, RFC 8017 A.1.2).
    private static let headCount = 33
    private static let blockCount = 16

    /// Makes the keys that exports go through. They end with the session.
    package init(_ session: inout Session) throws {
        wrapping = try session.generateKey(
            .aes,
            Template(
                keyType: .aes, valueCount: 32, on: [.sensitive, .isPrivate, .wrap, .unwrap],
                off: [.token, .extractable, .encrypt, .decrypt, .derive, .sign]))
        comparing = try session.generateKey(
            .aes,
            Template(
                keyType: .aes, valueCount: 32, on: [.sensitive, .isPrivate, .wrap, .encrypt],
                off: [.token, .extractable, .unwrap, .decrypt, .derive, .sign]))
    }

    private static func piece(_ count: Int) -> Template {
        Template(
            keyType: .genericSecret, valueCount: count, on: [.sensitive, .isPrivate, .extractable, .derive],
            off: [.token, .encrypt, .decrypt, .sign, .wrap, .unwrap])
    }
    private static let whole = Template(
        keyType: .genericSecret, on: [.sensitive, .isPrivate, .extractable, .derive],
        off: [.token, .encrypt, .decrypt, .sign, .wrap, .unwrap])

    /// - Parameters:
    ///   - privateKey: extractable.
    ///   - modulusCount: bytes of the modulus; public.
    ///   - exponentCount: bytes of the public exponent.
    ///   - dataEncryptionKey: wraps, TDES or AES.
    package func export(
        _ privateKey: ObjectHandle, modulusCount: Int, exponentCount: Int,
        under dataEncryptionKey: ObjectHandle, mechanism: WrappingMechanism, session: inout Session
    ) throws -> EncipheredPrivateKey {
        let wrapped: [UInt8]
        do { wrapped = try session.wrapPrivateKey(privateKey, under: wrapping) } catch {
            throw IssuanceError(
                "token",
                "it cannot let a card's private key out in parts, by CKM_AES_CBC_PAD (\(error)); cards with SDA alone can be made"
            )
        }
        // Modulus and public exponent have a known place; the leading bit of a modulus is set.
        var offset = PrivateKeyExport.headCount
        offset += PrivateKeyExport.header(modulusCount + 1).count + modulusCount + 1
        offset += PrivateKeyExport.header(exponentCount).count + exponentCount
        // d, then p, q, d mod (p-1), d mod (q-1), q⁻¹ mod p.
        let size = modulusCount / 2
        var components: [UInt16: [UInt8]] = [:]
        for (longest, identifier) in [
            (modulusCount, nil), (size, 0x8205), (size, 0x8204), (size, 0x8203), (size, 0x8202),
            (size, 0x8201),
        ] as [(Int, UInt16?)] {
            let found = try headerLength(at: offset, longest: longest, wrapped: wrapped, session: &session)
            offset += found.headerCount
            if let identifier {
                components[identifier] = try component(
                    at: offset, count: found.valueCount, filledTo: size, wrapped: wrapped,
                    under: dataEncryptionKey,
                    mechanism: mechanism, session: &session)
            }
            offset += found.valueCount
        }
        return EncipheredPrivateKey(components: components)
    }

    /// DER: INTEGER and a length.
    private static func header(_ count: Int) -> [UInt8] {
        count < 0x80
            ? [2, UInt8(count)]
            : count < 0x100 ? [2, 0x81, UInt8(count)] : [2, 0x82, UInt8(count >> 8), UInt8(count & 0xFF)]
    }

    /// How long the number at an offset is: one more than its size where its leading bit is set, less where it begins
    /// with zeros, each zero byte 256 times as seldom as the one before.
    private func headerLength(
        at offset: Int, longest: Int, wrapped: [UInt8], session: inout Session
    ) throws -> (headerCount: Int, valueCount: Int) {
        for count in stride(from: longest + 1, through: max(longest - 6, 1), by: -1) {
            let header = PrivateKeyExport.header(count)
            let fill = [UInt8](repeating: 0, count: PrivateKeyExport.blockCount - header.count)
            let piece = try cut(offset, count: header.count, wrapped: wrapped, session: &session)
            defer { try? session.destroy(piece) }
            let filled = try session.appendToKey(
                piece, fill, template: PrivateKeyExport.piece(PrivateKeyExport.blockCount))
            defer { try? session.destroy(filled) }
            let found = try session.wrapKey(.aesECB, under: comparing, object: filled)
            if found == (try encipherment(header + fill, &session)) { return (header.count, count) }
        }
        throw IssuanceError("private key", "the token's PKCS#8 has not the form of RFC 5208")
    }

    private func encipherment(_ block: [UInt8], _ session: inout Session) throws -> [UInt8] {
        var output = [UInt8](repeating: 0, count: block.count)
        try block.withUnsafeBytes { input in
            try output.withUnsafeMutableBytes {
                try session.encrypt(.aesECB, key: comparing, input: input, into: $0)
            }
        }
        return output
    }

    /// Bytes of the PKCS#8 as an object.
    private func cut(
        _ offset: Int, count: Int, wrapped: [UInt8], session: inout Session
    ) throws -> ObjectHandle {
        let size = PrivateKeyExport.blockCount
        let first = offset / size
        let last = (offset + count - 1) / size
        guard (last + 1) * size <= wrapped.count else {
            throw IssuanceError("private key", "the token's PKCS#8 is shorter than its key")
        }
        let vector =
            first == 0
            ? [UInt8](repeating: 0, count: size) : Array(wrapped[(first - 1) * size..<first * size])
        let blocks = try session.unwrapKey(
            .aesCBC(initialVector: vector), under: wrapping,
            wrapped: Array(wrapped[first * size..<(last + 1) * size]),
            template: PrivateKeyExport.whole)
        defer { try? session.destroy(blocks) }
        return try session.extractKey(
            from: blocks, byteOffset: offset - first * size, template: PrivateKeyExport.piece(count))
    }

    /// A number as long as `size`, padded as a card wants data that come enciphered (80, then zeros to whole blocks).
    private func component(
        at offset: Int, count: Int, filledTo size: Int, wrapped: [UInt8],
        under dataEncryptionKey: ObjectHandle, mechanism: WrappingMechanism, session: inout Session
    ) throws -> [UInt8] {
        let skipped = max(0, count - size)
        var piece = try cut(offset + skipped, count: count - skipped, wrapped: wrapped, session: &session)
        defer { try? session.destroy(piece) }
        if count < size {
            let filled = try session.prependToKey(
                piece, [UInt8](repeating: 0, count: size - count), template: PrivateKeyExport.piece(size))
            try session.destroy(piece)
            piece = filled
        }
        let block = mechanism.blockCount
        let padding = [0x80] + [UInt8](repeating: 0, count: block - 1 - size % block)
        let padded = try session.appendToKey(
            piece, padding, template: PrivateKeyExport.piece(size + padding.count))
        defer { try? session.destroy(padded) }
        return try session.wrapKey(mechanism, under: dataEncryptionKey, object: padded)
    }

    /// Ends the two keys.
    package func end(_ session: inout Session) {
        try? session.destroy(wrapping)
        try? session.destroy(comparing)
    }
}

extension WrappingMechanism {
    fileprivate var blockCount: Int {
        switch self {
        case .tripleDESECB, .tripleDESCBC: 8
        case .aesECB, .aesCBC: 16
        }
    }
}
