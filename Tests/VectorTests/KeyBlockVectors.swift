import ByteCoding
@testable import HSM
@testable import KeyManagement
@testable import PKCS11
import VectorSupport

/// Key blocks of TR-31 and ANSI X9.143, opened and made again inside the token.
enum KeyBlockVectors {
    static let operations: [String: Comparator] = ["tr31-unwrap": open, "tr31-invalid": refuse]
    static let publishedOperations: [String: Comparator] = ["tr31-unwrap": published]

    /// Header, check value and the key itself; then a block of the same key made by the product, opened again.
    static func open(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        try compare(
            vector, vector.text("key_block"), vector.bytes("kbpk"), vector.inner("header"),
            key: vector.bytes("key"), &token)
    }

    /// The same in the form of the published vectors.
    static func published(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let (given, expected) = (try vector.inner("in"), try vector.inner("out"))
        try compare(
            vector, given.text("key_block"), given.bytes("kbpk"), expected.inner("header"),
            key: expected.bytes("key"), &token)
    }

    /// A block that was changed, or comes under another key, is refused in words.
    static func refuse(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        do {
            let block = try KeyBlock(parsing: vector.text("key_block"))
            try open(block, vector.bytes("kbpk"), &token) { _, _, _ in }
        } catch is KeyBlockError { return }
        throw Mismatch(step: "refusal")
    }

    private static func compare(
        _ vector: VectorCase, _ text: String, _ protection: [UInt8], _ header: VectorCase, key: [UInt8],
        _ token: inout TokenCalculator
    ) throws {
        let block = try KeyBlock(parsing: text)
        let found = block.header
        try expect("usage", found.usage == header.text("usage"))
        try expect("algorithm", String(found.algorithm) == header.text("algorithm"))
        try expect("mode of use", String(found.mode) == header.text("mode_of_use"))
        try expect("key version", found.keyVersion == header.text("key_version"))
        try expect("exportability", String(found.exportability) == header.text("exportability"))
        if let blocks = header.fields["optional_blocks"] as? [String: String] {
            try expect(
                "optional blocks",
                found.optionalBlocks.count == blocks.count
                    && found.optionalBlocks.allSatisfy { blocks[$0.identifier] == $0.data })
        }
        try open(block, protection, &token) { data, algorithm, session in
            try expect("length", algorithm.byteCount == key.count)
            try expectKey("key", data, algorithm, key, &session)
        }
        guard found.version.fillsBlocks else { return }
        let again = try token.seal(key, found, under: protection)
        try open(KeyBlock(parsing: again), protection, &token) { data, algorithm, session in
            try expectKey("key of the block made again", data, algorithm, key, &session)
        }
    }

    private static func open(
        _ block: KeyBlock, _ protection: [UInt8], _ token: inout TokenCalculator,
        _ body: (KeyData, KeyAlgorithm, inout Session) throws -> Void
    ) throws {
        let (key, algorithm) = try token.protectionKey(protection, block.header.version)
        try KeyBlockCipher.open(block, under: key, protection: algorithm, session: &token.session, body: body)
    }

    /// Compared by two encipherments, which every cipher key gives.
    private static func expectKey(
        _ step: String, _ data: KeyData, _ algorithm: KeyAlgorithm, _ value: [UInt8], _ session: inout Session
    ) throws {
        let found = try data.key(KeyStore.sessionTemplate(.transferKey, algorithm), &session)
        let expected = try session.createKey(
            Template(keyType: algorithm.keyType, on: [.derive, .sensitive], off: [.token]),
            value: SecretBytes(copying: value))
        for byte: UInt8 in [0, 0x5A] {
            let block = [UInt8](repeating: byte, count: algorithm.keyType == .aes ? 16 : 8)
            try expect(
                step,
                TokenCheckValue.encipherment(of: block, under: found, session: &session)
                    == TokenCheckValue.encipherment(of: block, under: expected, session: &session))
        }
    }
}

extension TokenCalculator {
    /// A KBPK as the store has it, for the length of the session.
    mutating func protectionKey(
        _ value: [UInt8], _ version: KeyBlockVersion
    ) throws -> (ObjectHandle, KeyAlgorithm) {
        let candidates: [KeyAlgorithm] =
            version.blockCount == 16 ? [.aes128, .aes192, .aes256] : [.tdes128, .tdes192]
        guard let algorithm = candidates.first(where: { $0.byteCount == value.count }) else {
            throw Unsupported("protection key of \(value.count) bytes")
        }
        let template = Template(
            keyType: algorithm.keyType, on: [.derive, .sensitive, .isPrivate],
            off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .derive })
        return (try session.createKey(template, value: SecretBytes(copying: value)), algorithm)
    }

    /// A block of a given value.
    mutating func seal(
        _ value: [UInt8], _ header: KeyBlockHeader, under protection: [UInt8]
    ) throws -> String {
        let (protectionKey, kind) = try protectionKey(protection, header.version)
        let candidates = KeyAlgorithm.allCases.filter { $0.blockLetter == header.algorithm }
        guard let algorithm = candidates.first(where: { $0.byteCount == value.count }) else {
            throw Unsupported("key of \(value.count) bytes")
        }
        let template = Template(
            keyType: algorithm.keyType, on: [.derive, .extractable, .sensitive, .isPrivate], off: [.token])
        let key = try session.createKey(template, value: SecretBytes(copying: value))
        return try KeyBlockCipher.seal(
            key, algorithm, header: header, under: protectionKey, protection: kind, session: &session)
    }
}
