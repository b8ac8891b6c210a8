internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// Cryptograms of AES cards. Keys are derived for each job: such cards are few, and a derivation is cheap.
extension CryptographySession {
    /// Recomputes the ARQC, compares it and prepares the answers (EMV Book 2 8.1.2, 8.2.2).
    mutating func verifyAES(
        _ question: CryptogramQuestion, card: CardIdentity
    ) throws(JobError) -> CryptogramAnswer {
        let key = try aesSessionKey(question, card)
        defer { try? session.destroy(key) }
        let computed = try withToken { () throws(PKCS11Error) in
            try session.cmacWord(question.input, key: key)
        }
        guard constantTimeEqual(computed, question.cryptogram.rawValue) else { return .differs }
        return .matches(try aesAnswers(question.cryptogram, question.prepared, key: key))
    }

    mutating func aesAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict
    ) throws(JobError) -> IssuerAuthenticationData {
        let key = try aesSessionKey(question, card)
        defer { try? session.destroy(key) }
        return try aesAnswers(question.cryptogram, [verdict], key: key)[0]
    }

    private mutating func aesAnswers(
        _ cryptogram: ApplicationCryptogram, _ verdicts: [IssuerVerdict], key: ObjectHandle
    ) throws(JobError) -> [IssuerAuthenticationData] {
        var answers: [IssuerAuthenticationData] = []
        for verdict in verdicts {
            guard case .statusUpdate(let update) = verdict,
                let input = IssuerAuthentication.aesInput(cryptogram, statusUpdate: update, proprietary: [])
            else { throw .notDefined("ARPC method 1 with AES") }
            let mac = try withToken { () throws(PKCS11Error) in try session.cmacWord(input, key: key) }
            answers.append(
                IssuerAuthenticationData(
                    arpc: UInt32(truncatingIfNeeded: mac >> 32), statusUpdate: update))
        }
        return answers
    }

    /// IMK → ICC master key (option C) → session key; the one between ends here.
    private mutating func aesSessionKey(
        _ question: CryptogramQuestion, _ card: CardIdentity
    ) throws(JobError) -> ObjectHandle {
        let issuerMasterKey = try keys.handle(question.issuerMasterKey)
        let told = try withToken { () throws(PKCS11Error) in try session.valueCount(of: issuerMasterKey) }
        guard let count = told else { throw .refused("a key whose length the token does not say") }
        return try withToken { () throws(PKCS11Error) in
            let master = try session.deriveKey(
                from: issuerMasterKey, .aesECB,
                data: AESKeyDerivation.masterKeyData(for: card, keyByteCount: count),
                template: SessionTemplates.aesKey(.derive, byteCount: count))
            let result = Result { () throws(PKCS11Error) in
                try session.deriveKey(
                    from: master, .aesECB,
                    data: AESKeyDerivation.sessionKeyData(atc: question.atc, keyByteCount: count),
                    template: SessionTemplates.aesKey(.sign, byteCount: count))
            }
            try session.destroy(master)
            return try result.get()
        }
    }
}

extension Session {
    /// The leftmost eight bytes of a CMAC, big endian.
    fileprivate mutating func cmacWord(
        _ input: CryptogramInput, key: ObjectHandle
    ) throws(PKCS11Error) -> UInt64 {
        var mac = (UInt64(0), UInt64(0))
        let result = input.withUnsafeBytes { bytes in
            withUnsafeMutableBytes(of: &mac) { output in
                Result { () throws(PKCS11Error) in
                    try self.mac(.aesCMAC, key: key, input: bytes, into: output)
                }
            }
        }
        try result.get()
        return UInt64(bigEndian: mac.0)
    }
}
