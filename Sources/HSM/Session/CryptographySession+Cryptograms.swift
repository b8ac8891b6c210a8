internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// The card's keys, its ARQC verified and its ARPC made (EMV Book 2 8).
extension CryptographySession {
    /// Recomputes the ARQC, compares it and prepares the answers (EMV Book 2 8.1, 8.2).
    mutating func verify(
        _ question: CryptogramQuestion, card: CardIdentity
    ) throws(JobError) -> CryptogramAnswer {
        if question.profile.cipher == .aes { return try verifyAES(question, card: card) }
        let pair = try keyPair(question.profile.sessionKey, question, card: card)
        let hasOneKey = question.profile.responseKey == question.profile.sessionKey
        var blocks = [try chained(question.input, pair)]
        // The ARQC's last block and those of the answers in one call. Of a forged one nothing is handed out.
        if hasOneKey {
            try appendBlocks(&blocks, question.cryptogram, verdicts: question.prepared, pair: pair)
        }
        try encrypt(&blocks, pair.full)
        guard constantTimeEqual(blocks[0], question.cryptogram.rawValue) else { return .differs }
        if hasOneKey { return .matches(data(question.prepared, blocks.dropFirst())) }
        let response = try keyPair(
            question.profile.responseKey, question, card: card, chains: Self.chains(question.prepared))
        return .matches(try answers(question.cryptogram, question.prepared, pair: response))
    }

    mutating func appendBlocks(
        _ blocks: inout [UInt64], _ cryptogram: ApplicationCryptogram, verdicts: [IssuerVerdict],
        pair: KeyPair
    ) throws(JobError) {
        var chained: UInt64?
        blocks.reserveCapacity(blocks.count + verdicts.count)
        for verdict in verdicts {
            switch verdict {
            case .responseCode(let code): blocks.append(IssuerAuthentication.block(cryptogram, code: code))
            case .statusUpdate(let update):
                let (first, second) = IssuerAuthentication.blocks(cryptogram, statusUpdate: update)
                guard let key = pair.chain else { throw .refused("a key without its left half doubled") }
                let head = if let chained { chained } else { try encrypt(first, key) }
                chained = head
                blocks.append(head ^ second)
            }
        }
    }

    func data(_ verdicts: [IssuerVerdict], _ blocks: ArraySlice<UInt64>) -> [IssuerAuthenticationData] {
        zip(verdicts, blocks).map { verdict, block in
            switch verdict {
            case .responseCode(let code): IssuerAuthenticationData(arpc: block, code: code)
            case .statusUpdate(let update):
                IssuerAuthenticationData(arpc: UInt32(truncatingIfNeeded: block >> 32), statusUpdate: update)
            }
        }
    }
}

/// ICC master keys and the session keys of one job.
extension CryptographySession {
    /// A key twice: whole, and its left half doubled, with which single DES is done by triple DES.
    struct KeyPair {
        let full: ObjectHandle
        /// Nil where nothing is chained.
        let chain: ObjectHandle?
    }

    /// - Parameter chains: false for a key that enciphers single blocks only.
    mutating func keyPair(
        _ method: SessionKeyMethod, _ question: CryptogramQuestion, card: CardIdentity, chains: Bool = true
    ) throws(JobError) -> KeyPair {
        guard
            let diversifier = SessionKeyDerivation.diversifier(
                method, atc: question.atc, unpredictableNumber: question.unpredictableNumber)
        else {
            return KeyPair(
                full: try masterKey(question, card, use: .encipher),
                chain: chains ? try masterKey(question, card, use: .chain) : nil)
        }
        let master = try masterKey(question, card, use: .derive)
        return try withToken { () throws(PKCS11Error) in
            let full = try deriveForJob(
                from: master, left: diversifier.left, right: diversifier.right,
                template: SessionTemplates.encipheringKey)
            guard chains else { return KeyPair(full: full, chain: nil) }
            let chain = try deriveForJob(
                from: master, left: diversifier.left, right: diversifier.left,
                template: SessionTemplates.chainingKey)
            return KeyPair(full: full, chain: chain)
        }
    }

    /// Ends what was made for the job alone, and lets go of what the job took off the shelf.
    mutating func endJobKeys() {
        // Where keys end together, later. A handle that cannot be destroyed dies with the session; the next call will say what
        // is wrong.
        if passing.own == nil { for key in endingKeys { try? session.destroy(key) } }
        endingKeys.removeAll(keepingCapacity: true)
        shelved?.inUse.removeAll(keepingCapacity: true)
    }

    /// The ICC master key (EMV Book 2 A1.4), from the shelf where it is there.
    mutating func masterKey(
        _ question: CryptogramQuestion, _ card: CardIdentity, use: MasterKeyUse
    ) throws(JobError) -> ObjectHandle {
        let place = shelved == nil ? nil : shelfPlace(question, card, use: use)
        if let place, let handle = shelved?.handle(at: place) { return handle }
        let issuerMasterKey = try keys.handle(question.issuerMasterKey)
        return try withToken { () throws(PKCS11Error) in
            let diversifier = MasterKeyDerivation.diversifier(question.masterKeyOption, for: card)
            let template =
                switch use {
                case .derive: SessionTemplates.derivingKey
                case .encipher: SessionTemplates.encipheringKey
                case .chain: SessionTemplates.chainingKey
                }
            let right = use == .chain ? diversifier.left : diversifier.right
            if let place, let home = shelved?.home {
                let key = try home.session.deriveKey(
                    from: issuerMasterKey, left: diversifier.left, right: right, template: template)
                shelved?.keep(key, made: home, at: place)
                return key
            }
            return try deriveForJob(
                from: issuerMasterKey, left: diversifier.left, right: right, template: template)
        }
    }
}

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
            try withUnsafeMutableBytes(of: &last) { (output) throws(PKCS11Error) in
                try mac(.tripleDESCBC, key: key, input: input, into: output)
            }
            return UInt64(bigEndian: last)
        case .cbc: return try lastBlock(input, key: key)
        }
    }
}
