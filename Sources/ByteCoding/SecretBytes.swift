internal import Glibc

/// Bytes that must not outlive their use: one owner, no copies, wiped when it ends. Has no description.
package struct SecretBytes: ~Copyable, Sendable {
    // Owned by this value alone and never changed after `init`, so it may move between threads.
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer

    /// The number of bytes.
    package var count: Int { storage.count }

    /// - Parameters:
    ///   - count: number of bytes, zeroed before `body` fills them.
    ///   - body: writes the secret in place, so that no second copy is made.
    package init<Failure: Error>(
        count: Int, initializingWith body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        storage = .allocate(byteCount: count, alignment: 16)
        storage.initializeMemory(as: UInt8.self, repeating: 0)
        try body(storage)
    }

    /// Copies bytes that the caller then has to forget by itself.
    package init(copying bytes: some Collection<UInt8>) {
        storage = .allocate(byteCount: bytes.count, alignment: 16)
        storage.copyBytes(from: bytes)
    }

    /// Lends the bytes for the length of `body`; the pointer must not leave it.
    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(storage))
    }

    deinit {
        if let base = storage.baseAddress { explicit_bzero(base, storage.count) }
        storage.deallocate()
    }
}
