internal import CLibcrypto

/// How a message is filled up to whole blocks (ISO/IEC 9797-1 6.3).
package enum MACPadding: Int, Sendable, CaseIterable {
    /// Zeros, none if the blocks are full; an empty message becomes one block.
    case method1 = 1
    /// `80`, then zeros.
    case method2 = 2
    /// A block with the length in bits before the message, then as method 1.
    case method3 = 3

    /// The message in whole blocks of eight bytes.
    package func pad(_ data: some Collection<UInt8>) -> [UInt8] {
        var padded: [UInt8] = []
        padded.reserveCapacity(data.count + 16)
        if self == .method3 {
            let bits = UInt64(data.count) * 8
            for shift in stride(from: 56, through: 0, by: -8) {
                padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
            }
        }
        padded.append(contentsOf: data)
        if self == .method2 { padded.append(0x80) }
        while padded.isEmpty || !padded.count.isMultiple(of: 8) { padded.append(0) }
        return padded
    }
}

/// Message authentication codes, full length: whoever needs fewer bytes takes the first ones.
package enum MAC {
    /// ISO/IEC 9797-1 algorithm 1: CBC under TDES, the last block.
    /// - Parameter key: 8, 16 or 24 bytes.
    package static func algorithm1(
        key: [UInt8], _ data: [UInt8], padding: MACPadding
    ) throws(LibCryptoError) -> [UInt8] {
        var cipher = try KeyedCipher(.tdes, .cbc, direction: .encrypt, key: key)
        return Array(try cipher.process(padding.pad(data)).suffix(8))
    }

    /// ISO/IEC 9797-1 algorithm 3, the retail MAC.
    package static func algorithm3(
        key: DoubleLengthKey, _ data: [UInt8], padding: MACPadding
    ) throws(LibCryptoError) -> UInt64 {
        var mac = try RetailMAC()
        try mac.setKey(key)
        let padded = padding.pad(data)
        return try padded.span.withUnsafeBytes { (raw) throws(LibCryptoError) in try mac.compute(raw) }
    }

    /// CMAC (NIST SP 800-38B).
    /// - Parameter key: 16 or 24 bytes for TDES; 16, 24 or 32 for AES.
    package static func cmac(
        _ algorithm: BlockAlgorithm, key: [UInt8], data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        let cipher: String
        var expanded = key
        defer { expanded.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        switch (algorithm, key.count) {
        case (.tdes, 16):
            expanded += key[..<8]
            cipher = "DES-EDE3-CBC"
        case (.tdes, 24): cipher = "DES-EDE3-CBC"
        case (.aes, 16), (.aes, 24), (.aes, 32): cipher = "AES-\(8 * key.count)-CBC"
        default: throw .wrongCount(what: "\(algorithm) key", found: key.count)
        }
        return try quick("CMAC", cipher, key: expanded, data: data, count: algorithm.blockCount)
    }

    /// HMAC-SHA256 (FIPS 198-1), 32 bytes; the key has any length but none.
    package static func hmacSHA256(key: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        guard !key.isEmpty else { throw .wrongCount(what: "HMAC key", found: 0) }
        return try quick("HMAC", "SHA256", key: key, data: data, count: 32)
    }

    /// HMAC-SHA1 (FIPS 198-1), 20 bytes: for the first form of 3-D Secure authentication values only.
    package static func hmacSHA1(key: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        guard !key.isEmpty else { throw .wrongCount(what: "HMAC key", found: 0) }
        return try quick("HMAC", "SHA1", key: key, data: data, count: 20)
    }

    private static func quick(
        _ name: String, _ algorithm: String, key: [UInt8], data: [UInt8], count: Int
    ) throws(LibCryptoError) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        var written = 0
        guard
            EVP_Q_mac(
                nil, name, nil, algorithm, nil, key, key.count, data, data.count, &output, count, &written)
                != nil
        else { throw .last("EVP_Q_mac \(name)") }
        guard written == count else { throw .wrongCount(what: "EVP_Q_mac output", found: written) }
        return output
    }
}

/// The retail MAC (ISO/IEC 9797-1 algorithm 3) with its contexts kept: the form of every TDES application
/// cryptogram (EMV Book 2 A1.2.1). Single DES over all blocks but the last, then triple DES.
///
/// OpenSSL 3 has single DES only in its legacy provider; under K_L three times over, triple DES is the same.
package struct RetailMAC: ~Copyable, Sendable {
    private var chain: KeyedCipher
    private var last: KeyedCipher
    /// The chain has its key and nothing else yet.
    private var isFresh = false

    /// Without a key: `setKey` comes first.
    package init() throws(LibCryptoError) {
        let none = [UInt8](repeating: 0, count: 24)
        let chain = try KeyedCipher(.tdes, .cbc, direction: .encrypt, key: none)
        let last = try KeyedCipher(.tdes, .ecb, direction: .encrypt, key: none)
        self.chain = chain
        self.last = last
    }

    /// Takes another key.
    package mutating func setKey(_ key: DoubleLengthKey) throws(LibCryptoError) {
        try key.withLeftThrice { (raw) throws(LibCryptoError) in try chain.setKey(raw) }
        try last.setKey(key)
        isFresh = true
    }

    /// One block under the whole key, big endian: triple DES, as ARPC method 1 has it.
    package mutating func encipher(_ block: UInt64) throws(LibCryptoError) -> UInt64 {
        try last.process(block)
    }

    /// The MAC of data that are padded already, big endian.
    /// - Parameter padded: whole blocks of eight bytes, 1…128 of them.
    package mutating func compute(_ padded: UnsafeRawBufferPointer) throws(LibCryptoError) -> UInt64 {
        guard padded.count.isMultiple(of: 8), (8...1024).contains(padded.count) else {
            throw .wrongCount(what: "MAC input", found: padded.count)
        }
        let chained = padded.count - 8
        let final = UInt64(bigEndian: padded.loadUnaligned(fromByteOffset: chained, as: UInt64.self))
        guard chained > 0 else { return try last.process(final) }
        if !isFresh { try chain.restart() }
        isFresh = false
        var scratch = InlineArray<1024, UInt8>(repeating: 0)
        var span = scratch.mutableSpan
        let value = try span.withUnsafeMutableBytes { (raw) throws(LibCryptoError) -> UInt64 in
            try chain.process(UnsafeRawBufferPointer(rebasing: padded[..<chained]), into: raw)
            return UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: chained - 8, as: UInt64.self))
        }
        return try last.process(value ^ final)
    }
}
