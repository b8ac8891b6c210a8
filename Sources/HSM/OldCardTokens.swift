package import Authorisation
package import EMV
internal import PKCS11

extension HSMPort {
    /// The names that the store's layout before had for the cards of a PAN: a keyed hash of PAN and sequence number, one for
    /// each number 00…99, in order. One job.
    package func oldTokens(
        of pan: PAN, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> [CardToken] {
        try await perform(deadline: deadline) { session throws(JobError) in
            var tokens: [CardToken] = []
            for number in UInt8(0)...99 { tokens.append(try session.oldCardToken(of: pan, number)) }
            return tokens
        }
    }
}

extension CryptographySession {
    /// AES-CMAC over the PAN's eleven bytes and the sequence number as one BCD byte.
    fileprivate mutating func oldCardToken(of pan: PAN, _ number: UInt8) throws(JobError) -> CardToken {
        let key = try keys.handle(panHashKey)
        var input = InlineArray<12, UInt8>(repeating: 0)
        pan.withUniqueBytes { bytes in for index in bytes.indices { input[index] = bytes[index] } }
        input[11] = (number / 10) << 4 | number % 10
        var mac = (UInt64(0), UInt64(0))
        try withToken { () throws(PKCS11Error) in
            let span = input.span
            let result = span.withUnsafeBytes { input in
                withUnsafeMutableBytes(of: &mac) { output in
                    Result { () throws(PKCS11Error) in
                        try session.mac(.aesCMAC, key: key, input: input, into: output)
                    }
                }
            }
            try result.get()
        }
        return CardToken(high: UInt64(bigEndian: mac.0), low: UInt64(bigEndian: mac.1))
    }
}
