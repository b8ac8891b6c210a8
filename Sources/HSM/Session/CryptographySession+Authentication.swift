package import Authorisation
package import EMV
internal import PKCS11
internal import Synchronization

/// 3-D Secure authentication values.
extension CryptographySession {
    /// Two calls of the token: an HMAC is begun and made, and a CVV has two blocks.
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
        let ciphers = try authenticationCiphers(of: question.key)
        let (first, second) = value.blocks(for: pan)
        do throws(PKCS11Error) {
            defer { authenticationCalls &+= 2 }
            return UInt64(Decimalisation.digits(try ciphers.encrypt(first, second), count: 3))
        } catch {
            self.authenticationCiphers[question.key] = nil
            throw .token(error)
        }
    }

    /// Both ciphers of a CVV key, opened once.
    mutating func authenticationCiphers(of name: KeyName) throws(JobError) -> AuthenticationCiphers {
        if let known = authenticationCiphers[name] { return known }
        let (key, left) = (try keys.handle(name), try doubledLeftHalf(of: name))
        let made = try withToken { () throws(PKCS11Error) in
            try AuthenticationCiphers(beside: session, key: key, left: left)
        }
        authenticationCalls &+= 4
        authenticationCiphers[name] = made
        return made
    }
}

/// What makes CVVs of authentication values: single DES under a key's left half, then triple DES under the whole key.
final class AuthenticationCiphers {
    private var left: OpenCipher
    private var whole: OpenCipher

    init(beside session: borrowing Session, key: ObjectHandle, left: ObjectHandle) throws(PKCS11Error) {
        self.left = try OpenCipher(beside: session, key: left)
        whole = try OpenCipher(beside: session, key: key)
    }

    func encrypt(_ first: UInt64, _ second: UInt64) throws(PKCS11Error) -> UInt64 {
        try whole.encrypt(left.encrypt(first) ^ second)
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
