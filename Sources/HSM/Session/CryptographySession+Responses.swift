internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// Tag 91 where it was not foreseen.
extension CryptographySession {
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

    /// Method 1 enciphers one block, method 2 two.
    static func chains(_ verdicts: [IssuerVerdict]) -> Bool {
        verdicts.contains { if case .statusUpdate = $0 { true } else { false } }
    }
}
