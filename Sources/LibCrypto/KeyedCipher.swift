internal import CLibcrypto

/// A block cipher with its key expanded: one `EVP_CIPHER_CTX`, owned by one value. Setting a key costs about as
/// much as enciphering ten blocks, so whoever uses a key more than once keeps one of these.
package struct KeyedCipher: ~Copyable, Sendable {
    // Owned by this value alone, which cannot be copied and is used by one thread at a time.
    private nonisolated(unsafe) let context: OpaquePointer
    /// The cipher.
    package let algorithm: BlockAlgorithm
    private let direction: CipherDirection
    /// Bytes of the key as the context has it. libcrypto looks it up by the parameter's name each time that it is asked.
    private let keyCount: Int
    /// Whether blocks are chained: without it there is no vector to be set.
    private let isChained: Bool

    /// - Parameters:
    ///   - key: 8, 16 or 24 bytes for TDES, 16, 24 or 32 for AES.
    ///   - initialVector: one block for CBC; empty stands for zeros.
    package init(
        _ algorithm: BlockAlgorithm, _ mode: BlockMode, direction: CipherDirection,
        key: some Collection<UInt8>, initialVector: [UInt8] = []
    ) throws(LibCryptoError) {
        let cipher = try FetchedCipher.named(algorithm, mode, keyCount: key.count)
        guard initialVector.isEmpty || initialVector.count == algorithm.blockCount else {
            throw .wrongCount(what: "initial vector", found: initialVector.count)
        }
        var expanded = Array(key)
        if algorithm == .tdes {
            if expanded.count == 8 { expanded += expanded }
            if expanded.count == 16 { expanded += expanded[..<8] }
        }
        defer { expanded.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        let vector = initialVector.isEmpty ? [UInt8](repeating: 0, count: 16) : initialVector
        context = try cipher.makeContext(direction, key: expanded, initialVector: vector)
        self.algorithm = algorithm
        self.direction = direction
        keyCount = expanded.count
        isChained = mode == .cbc
    }

    /// Another key for the same cipher, without a new context; chaining begins anew with a zero vector.
    /// - Parameter key: as many bytes as the context was made for; 24 for TDES.
    mutating func setKey(_ key: UnsafeRawBufferPointer) throws(LibCryptoError) {
        guard key.count == keyCount else { throw .wrongCount(what: "\(algorithm) key", found: key.count) }
        try withZeroBlock { (zeros) throws(LibCryptoError) in
            try check(
                EVP_CipherInit_ex2(
                    context, nil, key.bindMemory(to: UInt8.self).baseAddress, isChained ? zeros : nil,
                    direction.rawValue, nil),
                "EVP_CipherInit_ex2")
        }
    }

    /// Another double-length TDES key for the same context; chaining begins anew with a zero vector.
    package mutating func setKey(_ key: DoubleLengthKey) throws(LibCryptoError) {
        try key.withTripleLength { (raw) throws(LibCryptoError) in try setKey(raw) }
    }

    /// A TDES context in ECB whose key is still to come: zeros until `setKey`.
    package static func unkeyedTDES() throws(LibCryptoError) -> KeyedCipher {
        try KeyedCipher(.tdes, .ecb, direction: .encrypt, key: [UInt8](repeating: 0, count: 24))
    }

    /// Begins CBC anew with a zero vector under the same key.
    package mutating func restart() throws(LibCryptoError) {
        try withZeroBlock { (zeros) throws(LibCryptoError) in
            try check(
                EVP_CipherInit_ex2(context, nil, nil, zeros, direction.rawValue, nil), "EVP_CipherInit_ex2")
        }
    }

    private func withZeroBlock(
        _ body: (UnsafePointer<UInt8>) throws(LibCryptoError) -> Void
    ) throws(LibCryptoError) {
        let zeros = (UInt64(0), UInt64(0))
        try withUnsafeBytes(of: zeros) { (raw) throws(LibCryptoError) in
            guard let base = raw.bindMemory(to: UInt8.self).baseAddress else { return }
            try body(base)
        }
    }

    /// Enciphers or deciphers whole blocks; CBC goes on from the call before.
    /// - Parameter output: at least as long as `input`; may be the same memory.
    package mutating func process(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(LibCryptoError) {
        guard input.count.isMultiple(of: algorithm.blockCount), input.count <= output.count else {
            throw .wrongCount(what: "\(algorithm) data", found: input.count)
        }
        guard !input.isEmpty else { return }
        var written: Int32 = 0
        try check(
            EVP_CipherUpdate(
                context, output.bindMemory(to: UInt8.self).baseAddress, &written,
                input.bindMemory(to: UInt8.self).baseAddress, Int32(input.count)),
            "EVP_CipherUpdate")
        guard Int(written) == input.count else {
            throw .wrongCount(what: "EVP_CipherUpdate output", found: Int(written))
        }
    }

    /// The same for an array.
    package mutating func process(_ bytes: some Collection<UInt8>) throws(LibCryptoError) -> [UInt8] {
        var buffer = Array(bytes)
        var span = buffer.mutableSpan
        try span.withUnsafeMutableBytes { (raw) throws(LibCryptoError) in
            try process(UnsafeRawBufferPointer(raw), into: raw)
        }
        return buffer
    }

    /// One TDES block, big endian.
    package mutating func process(_ block: UInt64) throws(LibCryptoError) -> UInt64 {
        var word = block.bigEndian
        try withUnsafeMutableBytes(of: &word) { (raw) throws(LibCryptoError) in
            try process(UnsafeRawBufferPointer(raw), into: raw)
        }
        return UInt64(bigEndian: word)
    }

    deinit { EVP_CIPHER_CTX_free(context) }
}
