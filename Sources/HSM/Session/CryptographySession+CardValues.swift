internal import Authorisation
internal import EMV
internal import PKCS11

/// CVV, iCVV and CVV2.
extension CryptographySession {
    /// A printed or a stripe's value, or one that a contactless stripe computes anew for each payment.
    mutating func verify(_ question: CardValueQuestion, _ card: CardIdentity) throws(JobError)
        -> CardValueAnswer
    {
        if let dynamic = question.dynamic { return try verify(dynamic, card: card) }
        return try verify(question, pan: card.pan)
    }

    /// Computes the value of every candidate and compares it; which one is right does not show in the time.
    mutating func verify(_ question: CardValueQuestion, pan: PAN) throws(JobError) -> CardValueAnswer {
        let full = try keys.handle(question.cardVerificationKey)
        let left = try doubledLeftHalf(of: question.cardVerificationKey)
        var answer = CardValueAnswer.differs
        for (index, input) in question.candidates.enumerated() {
            let (first, second) = input.blocks(for: pan)
            let block = try withToken { () throws(PKCS11Error) in
                try session.encryptBlock(session.encryptBlock(first, key: left) ^ second, key: full)
            }
            let right = Decimalisation.digits(block, count: 3) ^ question.value == 0
            if right, answer == .differs { answer = .matches(index) }
        }
        return answer
    }

    /// K_L ‖ K_L of a double-length key, with which triple DES is single DES; put together inside the token and kept.
    mutating func doubledLeftHalf(of name: KeyName) throws(JobError) -> ObjectHandle {
        if let known = doubledLeftHalves[name] { return known }
        let key = try keys.handle(name)
        let doubled = try withToken { () throws(PKCS11Error) in try session.doubledLeftHalf(of: key) }
        doubledLeftHalves[name] = doubled
        return doubled
    }
}

extension Session {
    /// K_L ‖ K_L of a double-length key, able to encipher and to sign.
    mutating func doubledLeftHalf(of key: ObjectHandle) throws(PKCS11Error) -> ObjectHandle {
        let left = try extractKey(from: key, bitOffset: 0, template: SessionTemplates.keyHalf)
        let doubled = Result { () throws(PKCS11Error) in
            try joinKeys(left, left, template: SessionTemplates.chainingKey)
        }
        try destroy(left)
        return try doubled.get()
    }
}
