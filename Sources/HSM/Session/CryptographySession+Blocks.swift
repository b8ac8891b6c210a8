internal import Authorisation
internal import EMV
internal import PKCS11

/// MACs and encipherments of blocks by keys that are handles.
extension CryptographySession {
    /// The retail MAC (ISO/IEC 9797-1 algorithm 3) but for its last step: single-DES chaining under the left half,
    /// which is triple DES under that half doubled. The block that comes out is still to be enciphered under the
    /// whole key.
    mutating func chained(_ input: CryptogramInput, _ pair: KeyPair) throws(JobError) -> UInt64 {
        let chaining = chaining
        guard let key = pair.chain else { throw .refused("a key without its left half doubled") }
        return try withToken { () throws(PKCS11Error) in
            try input.withUnsafeBytes { (bytes) throws(PKCS11Error) in
                let head = UnsafeRawBufferPointer(rebasing: bytes.dropLast(8))
                let tail = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: head.count, as: UInt64.self))
                if head.isEmpty { return tail }
                return tail ^ (try session.chain(head, key: key, chaining: chaining))
            }
        }
    }

    /// Enciphers each block by itself, all in one call.
    mutating func encrypt(_ blocks: inout [UInt64], _ key: ObjectHandle) throws(JobError) {
        for index in blocks.indices { blocks[index] = blocks[index].bigEndian }
        let result = blocks.withUnsafeMutableBytes { bytes in
            Result { () throws(PKCS11Error) in
                try session.encrypt(
                    .tripleDESECB, key: key, input: UnsafeRawBufferPointer(bytes), into: bytes)
            }
        }
        do { try result.get() } catch { throw .token(error) }
        for index in blocks.indices { blocks[index] = UInt64(bigEndian: blocks[index]) }
    }

    mutating func encrypt(_ block: UInt64, _ key: ObjectHandle) throws(JobError) -> UInt64 {
        try withToken { () throws(PKCS11Error) in try session.encryptBlock(block, key: key) }
    }
}

/// A failed function of the token as the failure of a job.
func withToken<Result>(
    _ body: () throws(PKCS11Error) -> Result
) throws(JobError) -> Result {
    do { return try body() } catch { throw .token(error) }
}

extension Session {
    /// The last block of a CBC encipherment of whole blocks.
    mutating func chain(
        _ input: UnsafeRawBufferPointer, key: ObjectHandle, chaining: CryptographySession.Chaining
    ) throws(PKCS11Error) -> UInt64 {
        switch chaining {
        case .mac:
            var last: UInt64 = 0
            let result = withUnsafeMutableBytes(of: &last) { output in
                Result { () throws(PKCS11Error) in
                    try mac(.tripleDESCBC, key: key, input: input, into: output)
                }
            }
            try result.get()
            return UInt64(bigEndian: last)
        case .cbc:
            let output = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 8)
            defer { output.deallocate() }
            try encrypt(.tripleDESCBC, key: key, input: input, into: output)
            return UInt64(bigEndian: output.loadUnaligned(fromByteOffset: input.count - 8, as: UInt64.self))
        }
    }
}
