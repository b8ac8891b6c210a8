internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// ARQC and ARPC (EMV Book 2 8).
extension CryptographySession {
    /// Recomputes the ARQC, compares it and prepares the answers (EMV Book 2 8.1, 8.2).
    mutating func verify(
        _ question: CryptogramQuestion, card: CardIdentity
    ) throws(JobError) -> CryptogramAnswer {
        if question.profile.cipher == .aes { return try verifyAES(question, card: card) }
        let pair = try keyPair(question.profile.sessionKey, question, card: card)
        defer { discard(pair) }
        if question.profile.responseKey == question.profile.sessionKey {
            // The ARQC's last block and those of the answers in one call. Of a forged one nothing is handed out.
            var blocks = [try chained(question.input, pair)]
            try appendBlocks(&blocks, question.cryptogram, verdicts: question.prepared, pair: pair)
            try encrypt(&blocks, pair.full)
            guard constantTimeEqual(blocks[0], question.cryptogram.rawValue) else { return .differs }
            return .matches(data(question.prepared, blocks.dropFirst()))
        }
        let computed = try encrypt(try chained(question.input, pair), pair.full)
        guard constantTimeEqual(computed, question.cryptogram.rawValue) else { return .differs }
        let response = try keyPair(
            question.profile.responseKey, question, card: card, chains: Self.chains(question.prepared))
        defer { discard(response) }
        return .matches(try answers(question.cryptogram, question.prepared, pair: response))
    }

    /// Tag 91 for one verdict, keys derived anew.
    mutating func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict
    ) throws(JobError) -> IssuerAuthenticationData {
        if question.profile.cipher == .aes {
            return try aesAuthenticationData(for: question, card: card, verdict: verdict)
        }
        defer { endJobKeys() }
        let pair = try keyPair(
            question.profile.responseKey, question, card: card, chains: Self.chains([verdict]))
        defer { discard(pair) }
        return try answers(question.cryptogram, [verdict], pair: pair)[0]
    }

    /// Tag 91 for each verdict (EMV Book 2 8.2). What they share is enciphered once, and their last blocks in one
    /// call: calls are what a token costs.
    mutating func answers(
        _ cryptogram: ApplicationCryptogram, _ verdicts: [IssuerVerdict], pair: KeyPair
    ) throws(JobError) -> [IssuerAuthenticationData] {
        var blocks: [UInt64] = []
        try appendBlocks(&blocks, cryptogram, verdicts: verdicts, pair: pair)
        try encrypt(&blocks, pair.full)
        return data(verdicts, blocks[...])
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

    /// Method 1 enciphers one block, method 2 two.
    private static func chains(_ verdicts: [IssuerVerdict]) -> Bool {
        verdicts.contains { if case .statusUpdate = $0 { true } else { false } }
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
