internal import ByteCoding
internal import HSM
internal import PKCS11

/// Opens and seals key blocks inside a token (ANSI X9.143, 7; TR-31:2018 5.3). No clear key, and no key derived from
/// the protection key, is ever a value in this process: the host sees the header, encipherments and the MAC.
///
/// The MAC of versions B, D and E covers the clear key data. It is chained piece by piece: the value so far is xored
/// into a piece inside the token, and the piece enciphered under the authentication key is the next value.
enum KeyBlockCipher {
    /// Deciphers a block's key data into the token and checks the MAC.
    ///
    /// - Parameters:
    ///   - protectionKey: a session object that derives.
    ///   - body: lent the key data for its length.
    /// - Throws: `KeyBlockError` where the MAC is not that of this block under this key.
    static func open<Opened>(
        _ block: KeyBlock, under protectionKey: ObjectHandle, protection: KeyAlgorithm,
        session: inout Session,
        body: (KeyData, KeyAlgorithm, inout Session) throws -> Opened
    ) throws -> Opened {
        let version = block.header.version
        let keys = try KeyBlockKeys(version, from: protectionKey, algorithm: protection, session: &session)
        defer { keys.destroy(&session) }
        let data = try decipher(block, keys, session: &session)
        defer { try? session.destroy(data.object) }
        let computed = try mac(
            version, block.headerBytes, data: data, enciphered: block.encipheredData, keys: keys,
            session: &session)
        guard constantTimeEqual(computed, block.mac) else {
            throw KeyBlockError("MAC", "the block was changed, or is under another protection key")
        }
        let candidates = KeyAlgorithm.allCases.filter { $0.blockLetter == block.header.algorithm }
        guard !candidates.isEmpty else {
            throw KeyBlockError("algorithm", "\(block.header.algorithm) is none of T, A, H")
        }
        guard let algorithm = try data.algorithm(among: candidates, keys, version: version, session: &session)
        else {
            throw KeyBlockError("key data", "no key length that algorithm \(block.header.algorithm) can have")
        }
        return try body(data, algorithm, &session)
    }

    /// Makes a block of a key that may leave.
    ///
    /// - Parameters:
    ///   - key: extractable, able to derive.
    ///   - header: its algorithm has to be the key's.
    static func seal(
        _ key: ObjectHandle, _ algorithm: KeyAlgorithm, header: KeyBlockHeader,
        under protectionKey: ObjectHandle, protection: KeyAlgorithm, session: inout Session
    ) throws -> String {
        let version = header.version
        let keys = try KeyBlockKeys(version, from: protectionKey, algorithm: protection, session: &session)
        defer { keys.destroy(&session) }
        // As long as the longest key of the algorithm, so that the length does not tell the key's (7.1).
        let longest =
            KeyAlgorithm.allCases.filter { $0.blockLetter == algorithm.blockLetter }
            .map(\.byteCount).max() ?? algorithm.byteCount
        let blocks = (2 + longest + version.blockCount - 1) / version.blockCount
        let count = version.fillsBlocks ? blocks * version.blockCount : 2 + algorithm.byteCount
        var fill = [UInt8](repeating: 0, count: count - 2 - algorithm.byteCount)
        try fill.withUnsafeMutableBytes { if !$0.isEmpty { try session.generateRandom(into: $0) } }
        let head = try header.encode(bodyCharacters: 2 * (count + version.macCount))
        let headBytes = Array(head.utf8)
        let data = try KeyData(of: key, algorithm, fill: fill, session: &session)
        defer { try? session.destroy(data.object) }
        if version.usesVariants {
            let enciphered = try encipher(
                data, version, vector: Array(headBytes[..<8]), keys: keys, session: &session)
            let mac = try mac(
                version, headBytes, data: data, enciphered: enciphered, keys: keys, session: &session)
            return head + Hex.encode(enciphered + mac)
        }
        let mac = try mac(version, headBytes, data: data, enciphered: [], keys: keys, session: &session)
        let enciphered = try encipher(data, version, vector: mac, keys: keys, session: &session)
        return head + Hex.encode(enciphered + mac)
    }

    // MARK: - Encipherment

    private static func decipher(
        _ block: KeyBlock, _ keys: KeyBlockKeys, session: inout Session
    ) throws -> KeyData {
        let count = block.encipheredData.count
        let version = block.header.version
        guard version.fillsBlocks else {
            let stream = try stream(count, from: block.mac, keys: keys, session: &session)
            defer { try? session.destroy(stream) }
            let object = try block.encipheredData.withUnsafeBytes {
                try session.xorKey(stream, with: $0, template: KeyData.template(nil))
            }
            return KeyData(object: object, count: count)
        }
        let vector = version.usesVariants ? Array(block.headerBytes[..<8]) : block.mac
        let object = try session.unwrapKey(
            version.chained(vector), under: keys.encipherment, wrapped: block.encipheredData,
            template: KeyData.template(count))
        return KeyData(object: object, count: count)
    }

    private static func encipher(
        _ data: KeyData, _ version: KeyBlockVersion, vector: [UInt8], keys: KeyBlockKeys,
        session: inout Session
    ) throws -> [UInt8] {
        guard version.fillsBlocks else {
            throw KeyBlockError("version", "E is read and never written: D is the one for AES")
        }
        return try session.wrapKey(version.chained(vector), under: keys.encipherment, object: data.object)
    }

    /// The key stream of version E, an object: counters from the MAC on, enciphered (ISO 20038, CTR).
    private static func stream(
        _ count: Int, from first: [UInt8], keys: KeyBlockKeys, session: inout Session
    ) throws -> ObjectHandle {
        var counter = first
        var counters: [UInt8] = []
        for _ in 0..<(count + 15) / 16 {
            counters += counter
            for index in counter.indices.reversed() {
                counter[index] &+= 1
                if counter[index] != 0 { break }
            }
        }
        return try session.deriveKey(
            from: keys.encipherment, .aesECB, data: counters, template: KeyData.template(count))
    }

    // MARK: - MAC

    private static func mac(
        _ version: KeyBlockVersion, _ header: [UInt8], data: KeyData, enciphered: [UInt8],
        keys: KeyBlockKeys, session: inout Session
    ) throws -> [UInt8] {
        var value = [UInt8](repeating: 0, count: version.blockCount)
        // Versions A and C authenticate what is enciphered anyway (TR-31:2018 5.3.2.1).
        let known = version.usesVariants ? header + enciphered : header
        for start in stride(from: 0, to: known.count, by: version.blockCount) {
            let block = Array(known[start..<start + version.blockCount])
            value = try TokenCheckValue.encipherment(
                of: xor(value, block), under: keys.authentication, session: &session)
        }
        if !version.usesVariants {
            value = try chain(value, over: data, version: version, keys: keys, session: &session)
        }
        return Array(value.prefix(version.macCount))
    }

    /// The rest of the CMAC, over clear key data inside the token (NIST SP 800-38B, 6.2).
    private static func chain(
        _ start: [UInt8], over data: KeyData, version: KeyBlockVersion, keys: KeyBlockKeys,
        session: inout Session
    ) throws -> [UInt8] {
        var value = start
        for offset in stride(from: 0, to: data.count, by: version.blockCount) {
            let end = min(offset + version.blockCount, data.count)
            var fill: [UInt8] = []
            if end == data.count {
                let missing = offset + version.blockCount - end
                if missing > 0 { fill = [0x80] + [UInt8](repeating: 0, count: missing - 1) }
                value = xor(value, missing == 0 ? keys.subkeys.first : keys.subkeys.second)
            }
            let piece = try data.piece(offset..<end, filledWith: fill, xor: value, session: &session)
            defer { try? session.destroy(piece) }
            value = try session.wrapKey(version.blockCipher, under: keys.authentication, object: piece)
        }
        return value
    }
}

extension KeyBlockVersion {
    func chained(_ vector: [UInt8]) -> WrappingMechanism {
        blockCount == 16 ? .aesCBC(initialVector: vector) : .tripleDESCBC(initialVector: vector)
    }
}

extension KeyAlgorithm {
    /// Algorithm of a key block's header (ANSI X9.143, 6.3.2).
    var blockLetter: Character {
        switch self {
        case .tdes128, .tdes192: "T"
        case .aes128, .aes192, .aes256: "A"
        case .hmac256: "H"
        }
    }
}
