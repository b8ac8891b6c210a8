internal import Authorisation
internal import EMV
internal import PKCS11

/// Blocks of format 0 with four digits, as most are, in few calls: deciphered twice in a row, the block's fill, its first byte
/// and its digits lie side by side, and what they are xored with there is known. Any other block takes the longer way.
extension CryptographySession {
    /// Lends the sixteen bytes if the block is a well-formed one of four digits.
    ///
    /// - Returns: nil for any other block.
    mutating func usualBlock<Answer>(
        _ question: PINQuestion, _ pan: PAN,
        body: (inout Session, ObjectHandle) throws(PKCS11Error) -> Answer
    ) throws(JobError) -> Answer? {
        let marks = try pinMarks()
        let zoneKey = try keys.handle(question.zonePINKey)
        let block = withUnsafeBytes(of: question.block.rawValue.bigEndian) { Array($0) }
        let mask = withUnsafeBytes(of: PINBlock.panField(for: pan).bigEndian) { Array($0) }
        return try withToken { () throws(PKCS11Error) in
            let twice = try session.unwrapKey(
                .tripleDESCBC(initialVector: mask), under: zoneKey, wrapped: block + block,
                template: SessionTemplates.pinField)
            defer { try? session.destroy(twice) }
            let piece = try session.extractKey(
                from: twice, bitOffset: Self.fillBit, template: SessionTemplates.pinPiece(PINMarks.usualCount)
            )
            let mark = Result { () throws(PKCS11Error) in try session.wrapPiece(piece, key: marks.key) }
            try session.destroy(piece)
            // The second time the block comes out xored with its own cryptogram; the account field begins with zeros.
            guard try mark.get() == marks.usual(before: UInt8(PINMarks.usualDigits) ^ block[0]) else {
                return nil
            }
            return try body(&session, twice)
        }
    }

    /// Where the fill of four digits begins: behind control digit, length and digits.
    private static var fillBit: Int { 24 }

    /// Fill, first byte and digits, xored while they are enciphered so that they become the transformed security parameter.
    mutating func usualVerificationValue(
        _ question: PINQuestion, _ pan: PAN, keyIndex: UInt8, name: KeyName
    ) throws(JobError) -> PINAnswer? {
        let target = try keys.handle(name)
        let found: UInt64 = 0xFFFF_FFFF_FF00_0000 | UInt64(PINMarks.usualDigits) << 16
        let known = PINVerificationValue.publicPart(for: pan, keyIndex: keyIndex) << 16
        let mask = known ^ found ^ (PINBlock.panField(for: pan) ^ question.block.rawValue) >> 40
        let enciphered = try usualBlock(question, pan) { (session, twice) throws(PKCS11Error) in
            let piece = try session.extractKey(
                from: twice, bitOffset: Self.fillBit, template: SessionTemplates.pinPiece(8))
            let block = Result { () throws(PKCS11Error) in
                try session.wrapBlock(piece, xor: mask, key: target)
            }
            try session.destroy(piece)
            return try block.get()
        }
        guard let enciphered else { return nil }
        guard let value = PINVerificationValue(keyIndex: keyIndex, enciphered: enciphered) else {
            return .notServed("key index \(keyIndex)")
        }
        return .verificationValue(value)
    }
}

/// All but the usual block, which is translated as it is.
extension CryptographySession {
    mutating func answerOther(_ question: PINQuestion, pan: PAN) throws(JobError) -> PINAnswer {
        switch question.verification {
        case .reference:
            guard let name = pinVerificationKey else { return .notServed("no PIN verification key") }
            return try withPINField(question, pan) { (session, field) throws(JobError) in
                switch try session.digitCount(of: field, question.format) {
                case .fault(let fault): return .unreadable(fault)
                case .digits(let count):
                    return .translated(
                        try session.format0(field, question.format, digitCount: count, pan: pan, name: name))
                }
            }
        case .verificationValue(let keyIndex):
            guard let name = pinVerificationValueKey else {
                return .notServed("no key of PIN verification values")
            }
            if question.format == .iso0,
                let usual = try usualVerificationValue(question, pan, keyIndex: keyIndex, name: name)
            {
                return usual
            }
            return try withPINField(question, pan) { (session, field) throws(JobError) in
                if case .fault(let fault) = try session.digitCount(of: field, question.format) {
                    return .unreadable(fault)
                }
                return try session.verificationValue(field, pan, keyIndex: keyIndex, name: name)
            }
        }
    }
}
