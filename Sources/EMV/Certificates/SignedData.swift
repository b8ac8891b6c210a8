/// Signed static and dynamic application data (EMV Book 2 tables 3, 17 and 20).
package enum SignedData {
    /// Tag 93's block: what the issuer signs of a card that has no key.
    /// - Parameter code: data authentication code, two bytes (9F45).
    package static func staticBlock(
        code: UInt16, signerByteCount: Int, staticData: [UInt8], arithmetic: PublicKeyArithmetic
    ) throws(CertificateFault) -> [UInt8] {
        try SignedBlock.make(
            [
                SignedBlock.Format.staticData.rawValue, SignedBlock.algorithm, UInt8(code >> 8),
                UInt8(code & 0xFF),
            ], byteCount: signerByteCount, tail: staticData, arithmetic: arithmetic)
    }

    /// Checks tag 93 (5.4).
    /// - Returns: the data authentication code, 9F45.
    package static func recoverStatic(
        _ signature: [UInt8], under issuer: RSAPublicKey, staticData: [UInt8],
        arithmetic: PublicKeyArithmetic
    ) throws(CertificateFault) -> UInt16 {
        let contents = try SignedBlock.recover(
            signature, under: issuer, format: .staticData, algorithmOffset: 1, tail: staticData,
            arithmetic: arithmetic)
        guard contents.count >= 4 else { throw .length }
        return UInt16(contents[2]) << 8 | UInt16(contents[3])
    }

    /// The block that a card signs at INTERNAL AUTHENTICATE, or for CDA.
    /// - Parameters:
    ///   - dynamicData: `DynamicData.bytes`.
    ///   - tail: the terminal's dynamic data, for CDA 9F37 alone.
    package static func dynamicBlock(
        _ dynamicData: [UInt8], signerByteCount: Int, tail: [UInt8], arithmetic: PublicKeyArithmetic
    ) throws(CertificateFault) -> [UInt8] {
        guard dynamicData.count <= 0xFF else { throw .length }
        return try SignedBlock.make(
            [SignedBlock.Format.dynamicData.rawValue, SignedBlock.algorithm, UInt8(dynamicData.count)]
                + dynamicData, byteCount: signerByteCount, tail: tail, arithmetic: arithmetic)
    }

    /// Checks tag 9F4B (6.5.2, 6.6.2).
    /// - Returns: the card's dynamic data.
    package static func recoverDynamic(
        _ signature: [UInt8], under icc: RSAPublicKey, tail: [UInt8], arithmetic: PublicKeyArithmetic
    ) throws(CertificateFault) -> [UInt8] {
        let contents = try SignedBlock.recover(
            signature, under: icc, format: .dynamicData, algorithmOffset: 1, tail: tail,
            arithmetic: arithmetic)
        guard contents.count >= 3, contents.count >= 3 + Int(contents[2]) else { throw .length }
        return Array(contents[3..<3 + Int(contents[2])])
    }
}

/// What a card says of a transaction under its signature for CDA (EMV Book 2 table 19).
package struct CombinedDynamicData: Hashable, Sendable {
    /// 9F4C, two to eight bytes.
    package let dynamicNumber: [UInt8]
    /// 9F27.
    package let cryptogramInformation: UInt8
    /// 9F26.
    package let cryptogram: ApplicationCryptogram
    /// SHA-1 over the terminal's data and the card's answer.
    package let transactionHash: [UInt8]

    package init(
        dynamicNumber: [UInt8], cryptogramInformation: UInt8, cryptogram: ApplicationCryptogram,
        transactionHash: [UInt8]
    ) {
        self.dynamicNumber = dynamicNumber
        self.cryptogramInformation = cryptogramInformation
        self.cryptogram = cryptogram
        self.transactionHash = transactionHash
    }

    /// As the block carries it.
    package var bytes: [UInt8] {
        [UInt8(dynamicNumber.count)] + dynamicNumber + [cryptogramInformation]
            + (0..<8).map { UInt8(truncatingIfNeeded: cryptogram.rawValue >> UInt64(56 - 8 * $0)) }
            + transactionHash
    }

    /// Reads it.
    package init(bytes: [UInt8]) throws(CertificateFault) {
        let count = Int(bytes.first ?? 0)
        guard (2...8).contains(count), bytes.count == count + 30 else { throw .length }
        dynamicNumber = Array(bytes[1...count])
        cryptogramInformation = bytes[count + 1]
        cryptogram = ApplicationCryptogram(
            rawValue: bytes[count + 2..<count + 10].reduce(0) { $0 << 8 | UInt64($1) })
        transactionHash = Array(bytes.suffix(20))
    }

    /// Checks the answer to a GENERATE AC that asked for CDA (6.6.2).
    /// - Parameters:
    ///   - objects: the answer's, in the card's order.
    ///   - terminalData: values of the PDOL, CDOL1 and for the second answer CDOL2.
    package static func verify(
        _ objects: [(tag: Tag, value: [UInt8])], under icc: RSAPublicKey, unpredictableNumber: [UInt8],
        terminalData: [UInt8], arithmetic: PublicKeyArithmetic
    ) throws(CertificateFault) -> CombinedDynamicData {
        guard let signature = objects.first(where: { $0.tag == .signedDynamicData })?.value else {
            throw .missing(.signedDynamicData)
        }
        let data = try CombinedDynamicData(
            bytes: try SignedData.recoverDynamic(
                signature, under: icc, tail: unpredictableNumber, arithmetic: arithmetic))
        guard
            objects.first(where: { $0.tag == .cryptogramInformationData })?.value == [
                data.cryptogramInformation
            ]
        else { throw .cryptogramInformation }
        guard arithmetic.sha1(hashed(objects, terminalData)) == data.transactionHash else {
            throw .transactionHash
        }
        return data
    }

    /// What `transactionHash` is taken over: the answer without the signature itself.
    package static func hashed(_ objects: [(tag: Tag, value: [UInt8])], _ terminalData: [UInt8]) -> [UInt8] {
        var writer = TLVWriter()
        for (tag, value) in objects where tag != .signedDynamicData { writer.append(tag, value) }
        return terminalData + writer.bytes
    }
}
