internal import EMV
internal import LibCrypto

/// The card's private key at work (EMV Book 2 6.5, 6.6, 7).
extension ChipApplet {
    /// READ RECORD.
    func record(file: UInt8, _ number: UInt8) -> (data: [UInt8], status: UInt16) {
        guard isSelected else { return ([], Status.conditionsNotSatisfied) }
        let records =
            switch file {
            case ApplicationLayout.staticFile: application.staticRecords(of: card.definition)
            case ApplicationLayout.certificateFile: application.authentication?.certificateRecords ?? []
            default: [[UInt8]]()
            }
        guard number >= 1, Int(number) <= records.count else { return ([], Status.recordNotFound) }
        return (records[Int(number) - 1], Status.success)
    }

    /// INTERNAL AUTHENTICATE: signs the values of the DDOL (6.5.1).
    mutating func authenticateInternally(_ data: [UInt8]) throws -> (data: [UInt8], status: UInt16) {
        guard isSelected, let key = application.authentication?.key else {
            return ([], Status.functionNotSupported)
        }
        let number = try Random.bytes(8)
        let signature = try sign([UInt8(number.count)] + number, tail: data, key: key)
        var whole = TLVWriter()
        var content = TLVWriter()
        content.append(.signedDynamicData, signature)
        whole.append(.processingOptions, content.bytes)
        return (whole.bytes, Status.success)
    }

    /// The same of a cryptogram (6.6.1): the answer's objects with the signature in place of the cryptogram.
    func combined(
        _ objects: [(tag: Tag, value: [UInt8])], _ kind: CryptogramKind, answer: CardAnswer,
        unpredictableNumber: [UInt8], terminalData: [UInt8], key: RSAPrivateKey
    ) throws -> [(tag: Tag, value: [UInt8])] {
        let shown = objects.filter { $0.tag != .applicationCryptogram }
        var hashed = CombinedDynamicData.hashed(shown, terminalData)
        let fault = application.authentication?.fault
        if fault == .cryptogram { hashed.append(0x00) }
        let information = objects.first { $0.tag == .cryptogramInformationData }?.value.first ?? 0
        let data = CombinedDynamicData(
            dynamicNumber: try Random.bytes(8),
            cryptogramInformation: fault == .cryptogramInformation ? information ^ 0xC0 : information,
            cryptogram: answer.signed.cryptogram, transactionHash: try Digest.sha1(hashed))
        let signature = try sign(data.bytes, tail: unpredictableNumber, key: key)
        // After the counter, before the issuer's data, as cards have it.
        let place = shown.firstIndex { $0.tag == .issuerApplicationData } ?? shown.count
        return Array(shown[..<place]) + [(.signedDynamicData, signature)] + Array(shown[place...])
    }

    private func sign(_ dynamicData: [UInt8], tail: [UInt8], key: RSAPrivateKey) throws -> [UInt8] {
        let isWrong = application.authentication?.fault == .dynamicSignature
        return try key.power(
            SignedData.dynamicBlock(
                dynamicData, signerByteCount: key.modulus.count, tail: isWrong ? tail + [0x00] : tail,
                arithmetic: .libcrypto))
    }

    /// GET CHALLENGE (EMV Book 3 6.5.6): eight bytes, good for the next command.
    mutating func giveChallenge() throws -> (data: [UInt8], status: UInt16) {
        let bytes = try Random.bytes(8)
        challenge = bytes
        return (bytes, Status.success)
    }

    /// VERIFY with a PIN enciphered under the card's key (EMV Book 2 7.2).
    mutating func verifyEnciphered(_ data: [UInt8]) throws -> (data: [UInt8], status: UInt16) {
        guard let key = application.authentication?.pinKey ?? application.authentication?.key, let challenge
        else {
            return ([], Status.conditionsNotSatisfied)
        }
        self.challenge = nil
        guard data.count == key.modulus.count, let clear = try? key.power(data),
            let block = EncipheredPIN.block(in: clear, challenge: challenge), let pin = PIN(format2: block)
        else { return ([], Status.conditionsNotSatisfied) }
        return verify(pin)
    }
}

extension PIN {
    /// Format 2 (ISO 9564-1 9.3.3): 2, length, digits, filled with F.
    var format2: [UInt8] {
        let block = UInt64(0x20 | UInt64(digitCount)) << 56 | field(filledWith: 0x00FF_FFFF_FFFF_FFFF)
        return (0..<8).map { UInt8(truncatingIfNeeded: block >> UInt64(56 - 8 * $0)) }
    }

    /// Reads such a block.
    init?(format2 block: [UInt8]) {
        let number = block.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard block.count == 8, number >> 60 == 2 else { return nil }
        self.init(clearField: number, fill: 0xF...0xF)
    }
}
