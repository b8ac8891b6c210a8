internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// One worker's session with the token: its keys, its ICC master keys, and all cryptography of an
/// authorisation. Nothing here returns a key or a clear PIN.
struct CryptographySession: ~Copyable {
    /// Which key an ICC master key was derived from, for which card, and what for.
    private struct MasterKeyPlace: Hashable {
        let issuerMasterKey: KeyName
        let option: MasterKeyOption
        let card: CardIdentity
        let use: MasterKeyUse
    }

    private enum MasterKeyUse: Hashable {
        case derive, encipher, chain
    }

    var session: Session
    private let keys: KeyRing
    private let panHashKey: KeyName
    private let pinVerificationKey: KeyName?
    private var masterKeys: LeastRecentlyUsed<MasterKeyPlace, ObjectHandle>
    /// Given up by `masterKeys` during the job under way; they end with it.
    private var evictedKeys: [ObjectHandle] = []
    /// How the chaining part of a MAC is computed on this token; found by a known-answer test.
    private let chaining: Chaining

    /// How a token computes a CBC-MAC.
    enum Chaining: Sendable {
        /// By a MAC mechanism: only the last block comes back.
        case mac
        /// By encipherment, of which the last block is kept.
        case cbc
    }

    init(
        session: consuming Session, keys: KeyRing, configuration: HSMConfiguration, chaining: Chaining
    ) {
        self.session = session
        self.keys = keys
        self.chaining = chaining
        panHashKey = configuration.panHashKey
        pinVerificationKey = configuration.pinVerificationKey
        masterKeys = LeastRecentlyUsed(capacity: configuration.masterKeysKeptMax)
    }

    // MARK: - One authorisation

    /// Everything that one authorisation needs of the token.
    mutating func answer(
        _ question: CryptographyQuestion, knownToken: CardToken?
    ) throws(JobError) -> CryptographyAnswer {
        defer { destroyEvictedKeys() }
        let token = if let knownToken { knownToken } else { try cardToken(of: question.card) }
        var cryptogram = CryptogramAnswer.notAsked
        if let asked = question.cryptogram { cryptogram = try verify(asked, card: question.card) }
        var pin = PINAnswer.notAsked
        // A forged cryptogram must not make the token touch a PIN.
        if case .differs = cryptogram {} else if let asked = question.pin { pin = try translate(asked) }
        return CryptographyAnswer(token: token, cryptogram: cryptogram, pin: pin)
    }

    /// AES-CMAC over PAN and sequence number.
    mutating func cardToken(of card: CardIdentity) throws(JobError) -> CardToken {
        let key = try keys.handle(panHashKey)
        var mac = (UInt64(0), UInt64(0))
        try withToken { () throws(PKCS11Error) in
            let result = card.withUniqueBytes { input in
                withUnsafeMutableBytes(of: &mac) { output in
                    Result { () throws(PKCS11Error) in
                        try session.mac(.aesCMAC, key: key, input, into: output)
                    }
                }
            }
            try result.get()
        }
        return CardToken(high: UInt64(bigEndian: mac.0), low: UInt64(bigEndian: mac.1))
    }

    /// Recomputes the ARQC, compares it and prepares the answers (EMV Book 2 8.1, 8.2).
    private mutating func verify(
        _ question: CryptogramQuestion, card: CardIdentity
    ) throws(JobError) -> CryptogramAnswer {
        let pair = try keyPair(question.profile.sessionKey, question, card)
        defer { discard(pair) }
        if question.profile.responseKey == question.profile.sessionKey {
            // The ARQC's last block and those of the answers in one call. Of a forged one nothing is handed out.
            var blocks = [try chained(question.input, pair)]
            try appendBlocks(&blocks, question.cryptogram, question.prepared, pair)
            try encrypt(&blocks, pair.full)
            guard constantTimeEqual(blocks[0], question.cryptogram.rawValue) else { return .differs }
            return .matches(data(question.prepared, blocks.dropFirst()))
        }
        let computed = try encrypt(try chained(question.input, pair), pair.full)
        guard constantTimeEqual(computed, question.cryptogram.rawValue) else { return .differs }
        let response = try keyPair(question.profile.responseKey, question, card)
        defer { discard(response) }
        return .matches(try answers(question.cryptogram, question.prepared, response))
    }

    /// Tag 91 for one verdict, keys derived anew.
    mutating func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict
    ) throws(JobError) -> IssuerAuthenticationData {
        defer { destroyEvictedKeys() }
        let pair = try keyPair(question.profile.responseKey, question, card)
        defer { discard(pair) }
        return try answers(question.cryptogram, [verdict], pair)[0]
    }

    /// Tag 91 for each verdict (EMV Book 2 8.2). What they share is enciphered once, and their last blocks in one
    /// call: calls are what a token costs.
    private mutating func answers(
        _ cryptogram: ApplicationCryptogram, _ verdicts: [IssuerVerdict], _ pair: KeyPair
    ) throws(JobError) -> [IssuerAuthenticationData] {
        var blocks: [UInt64] = []
        try appendBlocks(&blocks, cryptogram, verdicts, pair)
        try encrypt(&blocks, pair.full)
        return data(verdicts, blocks[...])
    }

    private mutating func appendBlocks(
        _ blocks: inout [UInt64], _ cryptogram: ApplicationCryptogram, _ verdicts: [IssuerVerdict],
        _ pair: KeyPair
    ) throws(JobError) {
        var chained: UInt64?
        blocks.reserveCapacity(blocks.count + verdicts.count)
        for verdict in verdicts {
            switch verdict {
            case .responseCode(let code): blocks.append(IssuerAuthentication.block(cryptogram, code: code))
            case .statusUpdate(let update):
                let (first, second) = IssuerAuthentication.blocks(cryptogram, statusUpdate: update)
                let head = if let chained { chained } else { try encrypt(first, pair.chain) }
                chained = head
                blocks.append(head ^ second)
            }
        }
    }

    private func data(_ verdicts: [IssuerVerdict], _ blocks: ArraySlice<UInt64>) -> [IssuerAuthenticationData]
    {
        zip(verdicts, blocks).map { verdict, block in
            switch verdict {
            case .responseCode(let code): IssuerAuthenticationData(arpc: block, code: code)
            case .statusUpdate(let update):
                IssuerAuthenticationData(arpc: UInt32(truncatingIfNeeded: block >> 32), statusUpdate: update)
            }
        }
    }

    /// ZPK → PVK inside the token: the clear block is an object there and never a value here.
    mutating func translate(_ question: PINQuestion) throws(JobError) -> PINAnswer {
        guard question.format == .iso0 else { return .unreadable("PIN block format not served") }
        guard let verificationKey = pinVerificationKey else { return .unreadable("no PIN verification key") }
        let zoneKey = try keys.handle(question.zonePINKey)
        let target = try keys.handle(verificationKey)
        return try withToken { () throws(PKCS11Error) in
            let clear = try session.unwrapBlock(
                question.block.rawValue, key: zoneKey, SessionTemplates.pinBlock)
            let result = Result { () throws(PKCS11Error) in try session.wrapBlock(clear, key: target) }
            try session.destroy(clear)
            return .translated(EncipheredPINBlock(rawValue: try result.get()))
        }
    }

    // MARK: - Keys

    /// A key twice: whole, and its left half doubled, with which single DES is done by triple DES.
    private struct KeyPair {
        let full: ObjectHandle
        let chain: ObjectHandle
        /// False for ICC master keys, whose handles are kept.
        let temporary: Bool
    }

    private mutating func keyPair(
        _ method: SessionKeyMethod, _ question: CryptogramQuestion, _ card: CardIdentity
    ) throws(JobError) -> KeyPair {
        guard
            let diversifier = SessionKeyDerivation.diversifier(
                method, atc: question.atc, unpredictableNumber: question.unpredictableNumber)
        else {
            return KeyPair(
                full: try masterKey(question, card, .encipher), chain: try masterKey(question, card, .chain),
                temporary: false)
        }
        let master = try masterKey(question, card, .derive)
        return try withToken { () throws(PKCS11Error) in
            let full = try session.deriveKey(
                from: master, left: diversifier.left, right: diversifier.right,
                SessionTemplates.encipheringKey)
            do throws(PKCS11Error) {
                let chain = try session.deriveKey(
                    from: master, left: diversifier.left, right: diversifier.left,
                    SessionTemplates.chainingKey)
                return KeyPair(full: full, chain: chain, temporary: true)
            } catch {
                try? session.destroy(full)
                throw error
            }
        }
    }

    private mutating func discard(_ pair: KeyPair) {
        guard pair.temporary else { return }
        // A handle that cannot be destroyed dies with the session; the next call will say what is wrong.
        try? session.destroy(pair.full)
        try? session.destroy(pair.chain)
    }

    private mutating func destroyEvictedKeys() {
        for key in evictedKeys { try? session.destroy(key) }
        evictedKeys.removeAll(keepingCapacity: true)
    }

    /// The ICC master key (EMV Book 2 A1.4) from the worker's store, derived if it is not there.
    private mutating func masterKey(
        _ question: CryptogramQuestion, _ card: CardIdentity, _ use: MasterKeyUse
    ) throws(JobError) -> ObjectHandle {
        let place = MasterKeyPlace(
            issuerMasterKey: question.issuerMasterKey, option: question.masterKeyOption, card: card, use: use)
        if let known = masterKeys.value(for: place) { return known }
        let issuerMasterKey = try keys.handle(question.issuerMasterKey)
        return try withToken { () throws(PKCS11Error) in
            var diversifier = MasterKeyDerivation.diversifier(for: card)
            if MasterKeyDerivation.needsHash(question.masterKeyOption, for: card) {
                let hash = try session.sha1(MasterKeyDerivation.bytesToHash(for: card))
                diversifier = MasterKeyDerivation.diversifier(fromSHA1: hash)
            }
            let template =
                switch use {
                case .derive: SessionTemplates.derivingKey
                case .encipher: SessionTemplates.encipheringKey
                case .chain: SessionTemplates.chainingKey
                }
            let key = try session.deriveKey(
                from: issuerMasterKey, left: diversifier.left,
                right: use == .chain ? diversifier.left : diversifier.right, template)
            // Not destroyed at once: with few places the evicted key may be one that this job still uses.
            if let evicted = masterKeys.insert(key, for: place) { evictedKeys.append(evicted) }
            return key
        }
    }

    // MARK: - Blocks

    /// The retail MAC (ISO/IEC 9797-1 algorithm 3) but for its last step: single-DES chaining under the left half,
    /// which is triple DES under that half doubled. The block that comes out is still to be enciphered under the
    /// whole key.
    private mutating func chained(_ input: CryptogramInput, _ pair: KeyPair) throws(JobError) -> UInt64 {
        let chaining = chaining
        return try withToken { () throws(PKCS11Error) in
            try input.withUnsafeBytes { (bytes) throws(PKCS11Error) in
                let head = UnsafeRawBufferPointer(rebasing: bytes.dropLast(8))
                let tail = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: head.count, as: UInt64.self))
                if head.isEmpty { return tail }
                return tail ^ (try session.chain(head, key: pair.chain, chaining))
            }
        }
    }

    /// Enciphers each block by itself, all in one call.
    private mutating func encrypt(_ blocks: inout [UInt64], _ key: ObjectHandle) throws(JobError) {
        for index in blocks.indices { blocks[index] = blocks[index].bigEndian }
        let result = blocks.withUnsafeMutableBytes { bytes in
            Result { () throws(PKCS11Error) in
                try session.encrypt(.tripleDESECB, key: key, UnsafeRawBufferPointer(bytes), into: bytes)
            }
        }
        do { try result.get() } catch { throw .token(error) }
        for index in blocks.indices { blocks[index] = UInt64(bigEndian: blocks[index]) }
    }

    private mutating func encrypt(_ block: UInt64, _ key: ObjectHandle) throws(JobError) -> UInt64 {
        try withToken { () throws(PKCS11Error) in try session.encryptBlock(block, key: key) }
    }
}

/// A failed function of the token as the failure of a job.
private func withToken<Result>(
    _ body: () throws(PKCS11Error) -> Result
) throws(JobError) -> Result {
    do { return try body() } catch { throw .token(error) }
}

extension Session {
    /// The last block of a CBC encipherment of whole blocks.
    mutating func chain(
        _ input: UnsafeRawBufferPointer, key: ObjectHandle, _ chaining: CryptographySession.Chaining
    ) throws(PKCS11Error) -> UInt64 {
        switch chaining {
        case .mac:
            var last: UInt64 = 0
            let result = withUnsafeMutableBytes(of: &last) { output in
                Result { () throws(PKCS11Error) in try mac(.tripleDESCBC, key: key, input, into: output) }
            }
            try result.get()
            return UInt64(bigEndian: last)
        case .cbc:
            let output = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 8)
            defer { output.deallocate() }
            try encrypt(.tripleDESCBC, key: key, input, into: output)
            return UInt64(bigEndian: output.loadUnaligned(fromByteOffset: input.count - 8, as: UInt64.self))
        }
    }
}
