package import Authorisation
package import EMV
internal import PKCS11
internal import Synchronization

/// 3-D Secure authentication values.
extension CryptographySession {
    /// An HMAC is one operation of the token, a CVV two.
    mutating func verify(_ question: AuthenticationQuestion, pan: PAN) throws(JobError)
        -> AuthenticationAnswer
    {
        // Every bit is looked at, whichever differs first.
        try proof(of: question, pan: pan) ^ question.value.proof == 0 ? .matches : .differs
    }

    /// What a value has to have for its proof.
    mutating func proof(of question: AuthenticationQuestion, pan: PAN) throws(JobError) -> UInt64 {
        let value = question.value
        let key = try keys.handle(question.key)
        guard value.form.isCardVerificationValue else {
            let hash: HMACHash = value.form == .hmacSHA1 ? .sha1 : .sha256
            let head = try withToken { () throws(PKCS11Error) in
                try session.hmacHead(hash, value.input(for: pan), key: key)
            }
            return head >> UInt64(64 - 8 * value.proofByteCount)
        }
        let left = try doubledLeftHalf(of: question.key)
        let (first, second) = value.blocks(for: pan)
        let block = try withToken { () throws(PKCS11Error) in
            try session.encryptBlock(session.encryptBlock(first, key: left) ^ second, key: key)
        }
        return UInt64(Decimalisation.digits(block, count: 3))
    }
}

/// Makes authentication values as an access control server does. Not on the way of an authorisation.
package struct AuthenticationValueMaker: ~Copyable {
    private var serving: CryptographySession

    /// Copies the keys into a session of its own.
    ///
    /// - Parameter keys: labels of AV-CVK and AV-HMAC keys.
    package init(keys: Set<KeyName>, at location: TokenLocation) throws {
        var session = try location.openSession()
        let chaining = try ChainingProbe.run(&session)
        var handles: [KeyName: ObjectHandle] = [:]
        try KeyRing.lookingUp.withLock { _ in
            for name in keys {
                handles[name] = try KeyRing.workingKey(KeyRing.tokenKey(name.rawValue, &session), &session)
            }
        }
        serving = CryptographySession(
            session: session, keys: KeyRing(handles),
            configuration: HSMConfiguration(
                panHashKey: KeyName(""), pinVerificationKey: nil, zonePINKeys: [], issuerMasterKeys: []),
            chaining: chaining)
    }

    /// The value of a draft for a card.
    /// - Returns: nil where a part of the draft has no place in its form.
    package mutating func value(
        _ draft: AuthenticationValueDraft, key: KeyName, pan: PAN
    ) throws -> AuthenticationValue? {
        guard let blank = draft.value() else { return nil }
        do throws(JobError) {
            return draft.value(
                proof: try serving.proof(of: AuthenticationQuestion(key: key, value: blank), pan: pan))
        } catch {
            throw AuthenticationValueFailure(description: "key \(key): \(error.words)")
        }
    }
}

/// The token made no value.
package struct AuthenticationValueFailure: Error, CustomStringConvertible {
    /// Names the key and the function, never data.
    package let description: String
}
