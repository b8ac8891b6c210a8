internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// PIN blocks of the other formats, verification values, and what is wrong with a block. A clear one is an object of the token
/// and never a value here; what the host learns of it is its encipherment under a key that wraps and does nothing else, and
/// the PIN's length.
extension CryptographySession {
    // MARK: - The clear PIN field

    /// Lends the clear PIN field of a block as an object of eight bytes, without the account field where the format
    /// has one: control digit, length, PIN, fill (ISO 9564-1 9.3, 9.4).
    mutating func withPINField<Answer>(
        _ question: PINQuestion, _ pan: PAN,
        body: (inout CryptographySession, ObjectHandle) throws(JobError) -> Answer
    ) throws(JobError) -> Answer {
        let field = try pinField(question, pan)
        defer { try? session.destroy(field) }
        return try body(&self, field)
    }

    private mutating func pinField(_ question: PINQuestion, _ pan: PAN) throws(JobError) -> ObjectHandle {
        let zoneKey = try keys.handle(question.zonePINKey)
        return try withToken { () throws(PKCS11Error) in
            switch question.format {
            case .iso0, .iso3:
                try session.unwrapBlock(
                    question.block.rawValue, xor: PINBlock.panField(for: pan), key: zoneKey,
                    template: SessionTemplates.pinField)
            case .iso1:
                try session.unwrapBlock(
                    question.block.rawValue, key: zoneKey, template: SessionTemplates.pinField)
            case .iso4: try session.format4PINField(question, pan, key: zoneKey)
            }
        }
    }

    /// What the first byte of a PIN field says.
    enum PINLength {
        case digits(Int)
        case fault(PINBlockFault)
    }

    /// The number of PIN digits, or what is wrong with the field's first byte. That byte alone, filled with zeros, is
    /// enciphered and looked for among the encipherments of all first bytes that there can be: the host learns the
    /// length and no digit.
    mutating func digitCount(
        of field: ObjectHandle, _ format: PINBlockFormat
    ) throws(JobError) -> PINLength {
        let marks = try pinMarks()
        let mark = try mark(of: field, bitOffset: 0, count: 1, key: marks.key)
        guard let head = marks.head(mark), head >> 4 == Int(format.rawValue) else {
            return .fault(.control(format))
        }
        return pinDigits.contains(head & 0x0F) ? .digits(head & 0x0F) : .fault(.length)
    }

    /// What is wrong with the block, nil where it is well formed as far as that can be told.
    mutating func fault(in question: PINQuestion, pan: PAN) throws(JobError) -> PINBlockFault? {
        if question.format == .iso0, try usualBlock(question, pan, body: { _, _ in true }) == true {
            return nil
        }
        return try withPINField(question, pan) { (session, field) throws(JobError) in
            switch try session.digitCount(of: field, question.format) {
            case .fault(let fault): return fault
            case .digits(let count): return try session.fillFault(field, question.format, digitCount: count)
            }
        }
    }

    /// Whether every PIN digit is a decimal one. Each pair is looked for among the pairs that hold something else: of a
    /// PIN that is one, nothing is found, and the host learns no digit.
    mutating func hasDecimalDigits(_ question: PINQuestion, pan: PAN) throws(JobError) -> Bool {
        let key = try pinMarks().key
        let others = (UInt8.min ... .max).filter { $0 >> 4 > 9 || $0 & 0x0F > 9 }
        let marks = Set(
            try withToken { () throws(PKCS11Error) in
                try PINMarks.mark(ofBytes: others, key, session: &session)
            })
        return try withPINField(question, pan) { (session, field) throws(JobError) in
            guard case .digits(let count) = try session.digitCount(of: field, question.format) else {
                return true
            }
            // The last pair of an odd number overlaps the one before.
            for digit in stride(from: 0, to: count, by: 2).map({ min($0, count - 2) }) {
                let mark = try session.mark(of: field, bitOffset: 8 + 4 * digit, count: 1, key: key)
                guard !marks.contains(mark) else { return false }
            }
            return true
        }
    }

    /// Formats 0 and 4 fill with one digit, F and A; from the first whole byte on the fill is compared like a length.
    /// A block bound to another PAN shows here. The fill of formats 1 and 3 is random.
    private mutating func fillFault(
        _ field: ObjectHandle, _ format: PINBlockFormat, digitCount: Int
    ) throws(JobError) -> PINBlockFault? {
        guard format == .iso0 || format == .iso4 else { return nil }
        let count = (14 - digitCount) / 2
        let marks = try pinMarks()
        let mark = try mark(of: field, bitOffset: 64 - 8 * count, count: count, key: marks.key)
        let fills = format == .iso0 ? marks.fills0 : marks.fills4
        return fills[fills.startIndex + count - 1] == mark ? nil : .fill
    }

    /// Bytes of an object, padded, under the key of marks.
    private mutating func mark(
        of field: ObjectHandle, bitOffset: Int, count: Int, key: ObjectHandle
    ) throws(JobError) -> UInt64 {
        try withToken { () throws(PKCS11Error) in
            let piece = try session.extractKey(
                from: field, bitOffset: bitOffset, template: SessionTemplates.pinPiece(count))
            defer { try? session.destroy(piece) }
            return try session.wrapPiece(piece, key: key)
        }
    }

    // MARK: - Forms for comparison

    /// The field as a format 0 block under the PIN verification key.
    mutating func format0(
        _ field: ObjectHandle, _ format: PINBlockFormat, digitCount: Int, pan: PAN, name: KeyName
    ) throws(JobError) -> EncipheredPINBlock {
        let target = try keys.handle(name)
        let account = PINBlock.panField(for: pan)
        let block = try withToken { () throws(PKCS11Error) in
            if format == .iso4 {
                let mask = account ^ PINBlock.format4Difference(digitCount: digitCount)
                return try session.wrapBlock(field, xor: mask, key: target)
            }
            let (filled, mask) = try session.withFillOfFormat0(field, format, digitCount: digitCount)
            defer { try? session.destroy(filled) }
            return try session.wrapBlock(filled, xor: account ^ mask, key: target)
        }
        return EncipheredPINBlock(rawValue: block)
    }

    /// The transformed security parameter put together and enciphered inside the token; its decimal digits are the
    /// verification value, which is no secret of the cardholder's.
    mutating func verificationValue(
        _ field: ObjectHandle, _ pan: PAN, keyIndex: UInt8, name: KeyName
    ) throws(JobError) -> PINAnswer {
        let target = try keys.handle(name)
        let known = PINVerificationValue.publicPart(for: pan, keyIndex: keyIndex)
        let enciphered = try withToken { () throws(PKCS11Error) in
            let digits = try session.extractKey(
                from: field, bitOffset: 8, template: SessionTemplates.pinPiece(2))
            defer { try? session.destroy(digits) }
            let head = withUnsafeBytes(of: known.bigEndian) { Array($0.suffix(6)) }
            let parameter = try session.prependToKey(digits, head, template: SessionTemplates.pinField)
            defer { try? session.destroy(parameter) }
            return try session.wrapBlock(parameter, key: target)
        }
        guard let value = PINVerificationValue(keyIndex: keyIndex, enciphered: enciphered) else {
            return .notServed("key index \(keyIndex)")
        }
        return .verificationValue(value)
    }
}

extension Session {
    /// The first eight bytes of a format 4 block's PIN field. What the first decipherment gives, xor the account
    /// field, is the PIN field still enciphered once: an object that may be read. The second decipherment ends in one
    /// that may not.
    fileprivate mutating func format4PINField(
        _ question: PINQuestion, _ pan: PAN, key: ObjectHandle
    ) throws(PKCS11Error) -> ObjectHandle {
        let account = withUnsafeBytes(of: PINBlock.format4PANField(for: pan).bigEndian) { Array($0) }
        let block = withUnsafeBytes(of: (question.block.rawValue.bigEndian, question.secondHalf.bigEndian)) {
            Array($0)
        }
        let outer = try unwrapKey(
            .aesCBC(initialVector: account), under: key, wrapped: block,
            template: valuesOut == .clear ? SessionTemplates.onceEnciphered : SessionTemplates.pinField)
        let inner = Result { () throws(PKCS11Error) in
            valuesOut == .clear
                ? try readableValue(of: outer, count: 16) : try valueOfExtractable(outer)
        }
        try destroy(outer)
        let whole = try unwrapKey(
            .aesECB, under: key, wrapped: try inner.get(), template: SessionTemplates.pinField)
        defer { try? destroy(whole) }
        return try extractKey(from: whole, bitOffset: 0, template: SessionTemplates.pinPiece(8))
    }

    /// Length and PIN digits of a field with random fill, filled with F instead; and what its control digit still has
    /// to be XORed with. An odd number of digits ends within a byte: there the field moves by half a byte and back.
    fileprivate mutating func withFillOfFormat0(
        _ field: ObjectHandle, _ format: PINBlockFormat, digitCount: Int
    ) throws(PKCS11Error) -> (ObjectHandle, UInt64) {
        if digitCount.isMultiple(of: 2) {
            let count = (2 + digitCount) / 2
            let digits = try extractKey(from: field, bitOffset: 0, template: SessionTemplates.pinPiece(count))
            defer { try? destroy(digits) }
            let fill = [UInt8](repeating: 0xFF, count: 8 - count)
            return (
                try appendToKey(digits, fill, template: SessionTemplates.pinField),
                UInt64(format.rawValue) << 60
            )
        }
        let count = (1 + digitCount) / 2
        let digits = try extractKey(from: field, bitOffset: 4, template: SessionTemplates.pinPiece(count))
        defer { try? destroy(digits) }
        let led = try prependToKey(digits, [0], template: SessionTemplates.pinField)
        defer { try? destroy(led) }
        let fill = [UInt8](repeating: 0xFF, count: 8 - count)
        let filled = try appendToKey(led, fill, template: SessionTemplates.pinField)
        defer { try? destroy(filled) }
        return (try extractKey(from: filled, bitOffset: 4, template: SessionTemplates.pinPiece(8)), 0)
    }
}
