internal import Authorisation
internal import EMV
internal import PKCS11

/// PIN blocks.
extension CryptographySession {
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
}
