package import Authorisation
package import EMV
internal import PKCS11

/// From a PIN block under a zone PIN key to what a card's record keeps: the PIN is never clear outside the token.
package enum PINIssuance {
    /// - Parameters:
    ///   - question: the block, its key and format, and the form that is wanted.
    ///   - pan: the card's.
    ///   - configuration: names the keys; only those of PINs are used.
    /// - Throws: `PINIssuanceError` for a block that is malformed, else what the token says.
    package static func record(
        of question: PINQuestion, pan: PAN, configuration: HSMConfiguration, at location: TokenLocation
    ) throws -> PINAnswer {
        var session = try location.openSession()
        let chaining = try ChainingProbe.run(&session)
        var handles: [KeyName: ObjectHandle] = [:]
        let names = [
            question.zonePINKey, configuration.pinVerificationKey, configuration.pinVerificationValueKey,
        ]
        for name in names.compactMap({ $0 }) {
            handles[name] = try KeyRing.workingKey(KeyRing.tokenKey(name.rawValue, &session), &session)
        }
        var serving = CryptographySession(
            session: session, keys: KeyRing(handles), configuration: configuration, chaining: chaining)
        do {
            // Before a reference is made of it: what is malformed now would be refused at every purchase.
            if let fault = try serving.fault(in: question, pan: pan) { throw PINIssuanceError(fault.words) }
            guard try serving.hasDecimalDigits(question, pan: pan) else {
                throw PINIssuanceError("a digit of the PIN is none of 0 to 9")
            }
            switch try serving.answer(question, pan: pan) {
            case .unreadable(let fault): throw PINIssuanceError(fault.words)
            case .notServed(let why): throw PINIssuanceError(why)
            case let answer: return answer
            }
        } catch let error as JobError {
            throw PINIssuanceError(error.words)
        }
    }
}

/// A PIN block of which no reference was made.
package struct PINIssuanceError: Error, Sendable, CustomStringConvertible {
    /// Why, without a part of the block.
    package let description: String

    init(_ description: String) { self.description = description }
}
