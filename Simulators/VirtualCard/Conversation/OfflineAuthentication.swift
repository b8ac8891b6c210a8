internal import EMV
internal import LibCrypto

/// What the terminal has read from the card's records.
struct CardObjects: Sendable {
    /// Records, template included, by file and number.
    var records: [[UInt8]: [UInt8]] = [:]
    /// The objects in them.
    var values: [Tag: [UInt8]] = [:]
    /// 82.
    var interchangeProfile: UInt16 = 0
    /// 94.
    var locator: [FileLocatorEntry] = []

    /// Digits of 5A.
    var accountDigits: [UInt8] {
        let digits = (values[.accountNumber] ?? []).flatMap { [$0 >> 4, $0 & 0x0F] }
        return Array(digits.reversed().drop { $0 == 0xF }.reversed())
    }

    func certificate(
        _ certificate: Tag, _ remainder: Tag, exponent: Tag
    ) throws(CertificateFault) -> KeyCertificate.Objects {
        guard let value = values[certificate] else { throw .missing(certificate) }
        guard let power = values[exponent] else { throw .missing(exponent) }
        return KeyCertificate.Objects(
            certificate: value, remainder: values[remainder] ?? [], exponent: power)
    }
}

/// Offline data authentication by the terminal (EMV Book 3 10.3, Book 2 5 and 6). It knows what the card's answers say
/// and the CA keys of its own, nothing else.
extension CardConversation {
    /// GET PROCESSING OPTIONS and every record that it names.
    mutating func readApplication() throws {
        let options = try exchange(
            "GET PROCESSING OPTIONS", [0x80, 0xA8, 0, 0], sent: [], hidden: [0x83, 0x00]
        ) {
            $0.processingOptions()
        }
        let content = try TLVReader.objects(in: options[...]).first?.1 ?? []
        for (tag, value) in try TLVReader.objects(in: content) {
            if tag == .applicationInterchangeProfile {
                objects.interchangeProfile = value.reduce(0) { $0 << 8 | UInt16($1) }
            } else if tag == .fileLocator {
                objects.locator = FileLocatorEntry.entries(Array(value)) ?? []
            }
        }
        for entry in objects.locator {
            for number in entry.first...entry.last {
                let data = try exchange(
                    "READ RECORD \(number) of file \(entry.file)", [0x00, 0xB2, number, entry.file << 3 | 4],
                    sent: []
                ) { $0.record(file: entry.file, number) }
                objects.records[[entry.file, number]] = data
                for (_, template) in try TLVReader.objects(in: data[...]) {
                    for (tag, value) in try TLVReader.objects(in: template) {
                        objects.values[tag] = Array(value)
                    }
                }
            }
        }
        guard chip != nil else { return }
        // Nobody else says what this card is.
        application.interchangeProfile = objects.interchangeProfile
        application.take(objects.values)
    }

    /// Chooses the method and does what can be done before the cryptogram.
    mutating func authenticateOffline(_ transaction: TerminalTransaction) throws {
        guard
            let method = OfflineAuthenticationMethod.best(
                interchangeProfile: objects.interchangeProfile,
                capabilities: transaction.terminalCapabilities)
        else {
            verificationResults |= VerificationBit.offlineAuthenticationNotPerformed
            notes.append("offline data authentication: not performed")
            return
        }
        self.method = method
        if method == .static { verificationResults |= VerificationBit.staticAuthenticationSelected }
        do throws(CertificateFault) {
            let issuer = try recoverIssuer()
            switch method {
            case .static: try checkStaticSignature(issuer)
            case .dynamic, .combined: iccKey = try recoverCard(issuer)
            }
        } catch {
            fail(method, error)
            return
        }
        if method == .dynamic { try checkDynamicSignature(transaction) }
        if method == .combined {
            notes.append(
                "offline data authentication: CDA, the card's key verifies, its signature is to come")
        } else if authenticationFault == nil {
            notes.append("offline data authentication: \(method) passed")
        }
    }

    /// Names the fault, in the TVR and in the trace.
    mutating func fail(_ method: OfflineAuthenticationMethod, _ fault: CertificateFault) {
        authenticationFault = fault
        verificationResults |= VerificationBit.failure(of: method)
        if fault.isMissingData { verificationResults |= VerificationBit.cardDataMissing }
        notes.append("offline data authentication: \(method) failed, \(fault)")
    }

    private var circumstances: KeyCertificate.Circumstances {
        // The risk's month counts from 2000.
        let month = risk.month.flatMap { month in
            CertificateMonth(year: 2000 + month.months / 12, month: month.months % 12 + 1)
        }
        return KeyCertificate.Circumstances(accountDigits: objects.accountDigits, month: month)
    }

    private mutating func recoverIssuer() throws(CertificateFault) -> RSAPublicKey {
        guard let index = objects.values[.caKeyIndex]?.first else { throw .missing(.caKeyIndex) }
        var circumstances = circumstances
        let authority = try risk.caKeys.key(
            application: application.identifier, index: index, month: circumstances.month)
        circumstances.revoked = authority.revoked
        let issuer = try KeyCertificate.recover(
            .issuer, objects.certificate(.issuerCertificate, .issuerRemainder, exponent: .issuerExponent),
            signedUnder: authority.key, circumstances: circumstances, arithmetic: .libcrypto)
        issuerKey = issuer.key
        notes.append(
            "issuer certificate: \(issuer.key.byteCount * 8) bits, until \(issuer.expiry), "
                + "signed by CA key \(hex(index))")
        return issuer.key
    }

    private func hex(_ byte: UInt8) -> String {
        (byte < 0x10 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }

    private func staticData() throws(CertificateFault) -> [UInt8] {
        try StaticData.assemble(
            objects.locator, tagList: objects.values[.staticDataTagList],
            interchangeProfile: objects.interchangeProfile
        ) { objects.records[[$0, $1]] }
    }

    private func checkStaticSignature(_ issuer: RSAPublicKey) throws(CertificateFault) {
        guard let signature = objects.values[.signedStaticData] else { throw .missing(.signedStaticData) }
        _ = try SignedData.recoverStatic(
            signature, under: issuer, staticData: staticData(), arithmetic: .libcrypto)
    }

    private mutating func recoverCard(_ issuer: RSAPublicKey) throws(CertificateFault) -> RSAPublicKey {
        let card = try KeyCertificate.recover(
            .icc, objects.certificate(.iccCertificate, .iccRemainder, exponent: .iccExponent),
            signedUnder: issuer,
            staticData: staticData(), circumstances: circumstances, arithmetic: .libcrypto)
        notes.append("card certificate: \(card.key.byteCount * 8) bits, until \(card.expiry)")
        return card.key
    }

    /// DDA: INTERNAL AUTHENTICATE with what the DDOL asks for.
    private mutating func checkDynamicSignature(_ transaction: TerminalTransaction) throws {
        guard let icc = iccKey else { return }
        let list = DataObjectList.entries(
            objects.values[.dynamicDataObjects] ?? ApplicationLayout.dynamicObjects)
        guard list.contains(where: { $0.tag == .unpredictableNumber }) else {
            fail(.dynamic, .dynamicObjects)
            return
        }
        let sent = transaction.values(of: list, code: nil)
        let data = sent.flatMap(\.value)
        let received: [UInt8]
        do {
            received = try exchange("INTERNAL AUTHENTICATE", [0x00, 0x88, 0, 0], sent: sent) {
                try $0.authenticateInternally(data)
            }
        } catch is CardConversationError {
            fail(.dynamic, .missing(.signedDynamicData))
            return
        }
        let content = try TLVReader.objects(in: received[...]).first?.1 ?? []
        let signature = try TLVReader.objects(in: content).first { $0.0 == .signedDynamicData }?.1
        do throws(CertificateFault) {
            guard let signature else { throw .missing(.signedDynamicData) }
            _ = try SignedData.recoverDynamic(
                Array(signature), under: icc, tail: data, arithmetic: .libcrypto)
        } catch {
            fail(.dynamic, error)
        }
    }

    // MARK: - CDA

    /// True where a cryptogram of this kind is to come with a signature (EMV Book 4 6.3.2.1: with every one but an AAC).
    func asksForSignature(_ asked: CryptogramKind) -> Bool {
        method == .combined && authenticationFault == nil && iccKey != nil && asked != .aac
    }

    /// Checks the answer to a GENERATE AC that asked for a signature.
    /// - Returns: false where it does not hold: no such transaction may be approved (EMV Book 4 6.3.2.1).
    mutating func checkCombinedSignature(
        _ received: [UInt8], _ kind: CryptogramKind?, unpredictableNumber: UnpredictableNumber,
        terminalData: [UInt8]
    ) throws -> Bool {
        guard let icc = iccKey, kind != .aac else { return true }
        let content = try TLVReader.objects(in: received[...]).first?.1 ?? []
        let answer = try TLVReader.objects(in: content).map { (tag: $0.0, value: Array($0.1)) }
        do throws(CertificateFault) {
            let signed = try CombinedDynamicData.verify(
                answer, under: icc, unpredictableNumber: unpredictableNumber.bytes,
                terminalData: terminalData, arithmetic: .libcrypto)
            chip?.signedCryptogram = ApplicationCryptogram(
                rawValue: signed.cryptogram.rawValue)
            notes.append("offline data authentication: CDA passed")
            return true
        } catch {
            fail(.combined, error)
            return false
        }
    }

    // MARK: - PINs

    /// The key that PINs are enciphered under: one of their own where the card has it, else the card's (7.1).
    mutating func pinKey() throws(CertificateFault) -> RSAPublicKey {
        let issuer: RSAPublicKey
        if let issuerKey { issuer = issuerKey } else { issuer = try recoverIssuer() }
        guard objects.values[.pinCertificate] != nil else {
            if let iccKey { return iccKey }
            return try recoverCard(issuer)
        }
        return try KeyCertificate.recover(
            .pinEncipherment, objects.certificate(.pinCertificate, .pinRemainder, exponent: .pinExponent),
            signedUnder: issuer, circumstances: circumstances, arithmetic: .libcrypto
        ).key
    }
}

/// Data object lists as cards write them: tags with lengths (EMV Book 3 5.4).
enum DataObjectList {
    static func entries(_ list: [UInt8]) -> [(tag: Tag, count: Int)] {
        var entries: [(tag: Tag, count: Int)] = []
        var index = 0
        while index < list.count {
            var tag = UInt32(list[index])
            if list[index] & 0x1F == 0x1F {
                repeat {
                    index += 1
                    guard index < list.count else { return entries }
                    tag = tag << 8 | UInt32(list[index])
                } while list[index] & 0x80 != 0
            }
            guard index + 1 < list.count else { return entries }
            entries.append((Tag(rawValue: tag), Int(list[index + 1])))
            index += 2
        }
        return entries
    }
}

extension UnpredictableNumber {
    /// 9F37.
    var bytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: rawValue >> UInt32(24 - 8 * $0)) } }
}
