internal import Authorisation
internal import EMV
internal import PKCS11

/// dCVV and CVC3: card values that a chip makes for each contactless magnetic stripe.
extension CryptographySession {
    /// Makes the value under the card's own key, which lives for this job, and compares it.
    mutating func verify(
        _ dynamic: DynamicCardValue, card: CardIdentity
    ) throws(JobError) -> CardValueAnswer {
        let pair = try cardKeys(dynamic, card)
        switch dynamic.form {
        case .dcvv(let input, let atc):
            guard let chain = pair.chain else { throw .refused("a key without its left half doubled") }
            let (first, second) = input.blocks(for: card.pan, atc: atc)
            let block = try encrypt(try encrypt(first, chain) ^ second, pair.full)
            return UInt32(Decimalisation.digits(block, count: 3)) ^ dynamic.value == 0
                ? .matches(0) : .differs
        case .cvc3(let track, let number, let atcs, let digits):
            let iv = try encrypt(try chained(track, pair), pair.full) & 0xFFFF
            var blocks = atcs.map { iv << 48 | UInt64(number) << 16 | UInt64($0) }
            try encrypt(&blocks, pair.full)
            let modulus = [1, 10, 100, 1_000, 10_000, 100_000][digits] as UInt32
            var answer = CardValueAnswer.differs
            for (index, block) in blocks.enumerated() {
                let isRight = (UInt32(block & 0xFFFF) % modulus) ^ dynamic.value == 0
                if isRight, answer == .differs { answer = .matches(index) }
            }
            return answer
        }
    }

    private mutating func cardKeys(
        _ dynamic: DynamicCardValue, _ card: CardIdentity
    ) throws(JobError) -> KeyPair {
        let issuerMasterKey = try keys.handle(dynamic.issuerMasterKey)
        let diversifier = MasterKeyDerivation.diversifier(dynamic.masterKeyOption, for: card)
        return try withToken { () throws(PKCS11Error) in
            let full = try deriveForJob(
                from: issuerMasterKey, left: diversifier.left, right: diversifier.right,
                template: SessionTemplates.encipheringKey)
            let chain = try deriveForJob(
                from: issuerMasterKey, left: diversifier.left, right: diversifier.left,
                template: SessionTemplates.chainingKey)
            return KeyPair(full: full, chain: chain)
        }
    }
}
