internal import EMV
internal import PKCS11

/// How a message is filled up before a MAC (ISO/IEC 9797-1, 6.3).
package enum MACPadding: Int, Sendable {
    /// Zeros, none if the blocks are full; one block of zeros for an empty message.
    case method1 = 1
    /// `80`, then zeros.
    case method2 = 2
    /// The length in bits as a first block, then method 1.
    case method3 = 3

    /// Whole blocks of eight bytes.
    package func pad(_ data: [UInt8]) -> [UInt8] {
        var padded: [UInt8] = []
        if self == .method3 {
            let bits = UInt64(data.count) * 8
            padded = (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * $0)) }
        }
        padded += data
        if self == .method2 { padded.append(0x80) }
        let missing = (8 - padded.count % 8) % 8
        padded += [UInt8](repeating: 0, count: missing)
        return padded.isEmpty ? [UInt8](repeating: 0, count: 8) : padded
    }
}

/// MACs with keys of the token: the key never leaves it, only chained blocks do.
extension Session {
    /// ISO/IEC 9797-1 algorithm 1 with triple DES.
    mutating func cbcMAC(
        _ blocks: [UInt8], key: ObjectHandle, chaining: CryptographySession.Chaining
    ) throws(PKCS11Error) -> UInt64 {
        try blocks.span.withUnsafeBytes { (bytes) throws(PKCS11Error) in
            try chain(bytes, key: key, chaining: chaining)
        }
    }

    /// ISO/IEC 9797-1 algorithm 3 (retail MAC): single DES under the left half, which is triple DES under that
    /// half doubled, and triple DES for the last block.
    ///
    /// - Parameters:
    ///   - key: the whole key.
    ///   - leftHalf: its left half, doubled.
    mutating func retailMAC(
        _ blocks: [UInt8], key: ObjectHandle, leftHalf: ObjectHandle,
        chaining: CryptographySession.Chaining
    ) throws(PKCS11Error) -> UInt64 {
        let head = Array(blocks.dropLast(8))
        let tail = Session.word(blocks.suffix(8))
        let chained = head.isEmpty ? 0 : try cbcMAC(head, key: leftHalf, chaining: chaining)
        return try lastBlock(chained ^ tail, key: key, chaining: chaining)
    }

    /// TDES-CMAC (NIST SP 800-38B). The subkeys follow from the encipherment of zeros and are not secret
    /// enough to give the key away; the token does the rest.
    mutating func tripleDESCMAC(
        _ data: [UInt8], key: ObjectHandle, chaining: CryptographySession.Chaining
    ) throws(PKCS11Error) -> UInt64 {
        func double(_ value: UInt64) -> UInt64 { value << 1 ^ (value >> 63 == 1 ? 0x1B : 0) }
        let first = double(try lastBlock(0, key: key, chaining: chaining))
        let whole = !data.isEmpty && data.count.isMultiple(of: 8)
        let padded = whole ? data : MACPadding.method2.pad(data)
        let last = Session.word(padded.suffix(8)) ^ (whole ? first : double(first))
        let head = Array(padded.dropLast(8))
        let chained = head.isEmpty ? 0 : try cbcMAC(head, key: key, chaining: chaining)
        return try lastBlock(chained ^ last, key: key, chaining: chaining)
    }

    /// AES-CMAC (NIST SP 800-38B), sixteen bytes.
    mutating func aesCMAC(_ data: [UInt8], key: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        var mac: InlineArray<2, UInt64> = [0, 0]
        var span = mac.mutableSpan
        let result = span.withUnsafeMutableBytes { output in
            data.withUnsafeBytes { input in
                Result { () throws(PKCS11Error) in
                    try self.mac(.aesCMAC, key: key, input: input, into: output)
                }
            }
        }
        try result.get()
        return mac.span.withUnsafeBytes { Array($0) }
    }

    /// One block under the whole key. A key that may sign enciphers it as a MAC of one block; where the token has no
    /// such mechanism, a key that may encipher.
    private mutating func lastBlock(
        _ block: UInt64, key: ObjectHandle, chaining: CryptographySession.Chaining
    ) throws(PKCS11Error) -> UInt64 {
        var block = block.bigEndian
        let result = withUnsafeBytes(of: &block) { bytes in
            Result { () throws(PKCS11Error) in try chain(bytes, key: key, chaining: chaining) }
        }
        return try result.get()
    }

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension Session {
    /// The last block of a CBC encipherment, on tokens whose MAC mechanism is none of this kind.
    mutating func lastBlock(_ input: UnsafeRawBufferPointer, key: ObjectHandle) throws(PKCS11Error) -> UInt64
    {
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 8)
        defer { output.deallocate() }
        try encrypt(.tripleDESCBC, key: key, input: input, into: output)
        return UInt64(bigEndian: output.loadUnaligned(fromByteOffset: input.count - 8, as: UInt64.self))
    }
}
