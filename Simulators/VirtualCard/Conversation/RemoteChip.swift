package import EMV
internal import LibCrypto

/// A chip at the other end of a reader: commands go as bytes, and what the terminal knows of it is what it answers.
package struct RemoteChip: Sendable {
    /// One command and its answer, SW1 SW2 at its end.
    let transmit: @Sendable ([UInt8]) throws -> [UInt8]
    /// The answer to the first GENERATE AC.
    var first: CardAnswer?
    /// What its answers say of the issuer's.
    var verdict = IssuerAuthenticationVerdict.absent
    /// Of CDA, where the cryptogram is under the signature.
    var signedCryptogram: ApplicationCryptogram?

    /// - Parameter transmit: throws where the card was pulled out.
    package init(transmit: @escaping @Sendable ([UInt8]) throws -> [UInt8]) { self.transmit = transmit }

    func send(_ header: [UInt8], _ data: [UInt8]) throws -> (data: [UInt8], status: UInt16) {
        let command = CommandAPDU(
            header[0], header[1], parameter1: header[2], parameter2: header[3], data: data, expecting: 256)
        guard let answer = ResponseAPDU(try transmit(command.bytes)) else {
            throw ChipCardError.impossibleData("an answer without a status")
        }
        return (answer.data, answer.status)
    }
}

extension CardConversation {
    /// What the card at the reader gave, as the message wants it. Its key for the answer comes from the model that the
    /// terminal has of the card: the issuer's test keys make the same cryptogram, or the card has others.
    mutating func takeFirst(
        _ received: [UInt8], _ kind: CryptogramKind?, transaction: TerminalTransaction
    ) throws {
        guard chip != nil else { return }
        let content = try TLVReader.objects(in: received[...]).first?.1 ?? []
        var values: [Tag: [UInt8]] = [:]
        for (tag, value) in try TLVReader.objects(in: content) { values[tag] = Array(value) }
        func number(_ tag: Tag) -> UInt64? { values[tag].map { $0.reduce(0) { $0 << 8 | UInt64($1) } } }
        guard let counter = number(.applicationTransactionCounter), let iad = values[.issuerApplicationData],
            let cryptogram = number(.applicationCryptogram) ?? chip?.signedCryptogram?.rawValue
        else { throw ChipCardError.impossibleData("GENERATE AC without 9F36, 9F26 or 9F10") }
        let atc = ApplicationTransactionCounter(rawValue: UInt16(truncatingIfNeeded: counter))
        var product = card.definition.product.with(issuerApplicationData: iad)
        product.applicationInterchangeProfile = objects.interchangeProfile
        var model = card
        var signed = try model.generate(transaction, product: product, atc: atc).signed
        if signed.cryptogram.rawValue != cryptogram {
            notes.append("the card's cryptogram is not that of the issuer's test keys")
            signed = SignedCryptogram(
                cryptogram: ApplicationCryptogram(rawValue: cryptogram),
                responseKey: DoubleLengthKey(left: 0, right: 0))
        }
        let draft = ChipDataDraft(
            transaction, product: product, identity: card.definition.identity, atc: atc, kind: kind ?? .aac)
        chip?.first = CardAnswer(
            chipData: draft.bytes(with: signed.cryptogram), signed: signed, atc: atc)
    }

    /// The issuer's answer as the model sees it: a card tells no more than whether it goes along.
    mutating func judge(_ issuerData: [UInt8]) throws {
        guard let first = chip?.first else { return }
        var writer = TLVWriter()
        writer.append(.issuerAuthenticationData, issuerData)
        let verdict = try card.verify(chipData: writer.bytes, for: first)
        chip?.verdict = verdict
    }
}

extension RemoteChip {
    /// PAN and sequence number of the application with this AID; nil where the card has none such.
    package func identity(_ identifier: [UInt8]) throws -> CardIdentity? {
        guard try send([0x00, 0xA4, 0x04, 0x00], identifier).status == ChipApplet.Status.success else {
            return nil
        }
        let options = try send([0x80, 0xA8, 0, 0], [0x83, 0x00])
        guard options.status == ChipApplet.Status.success,
            let content = try TLVReader.objects(in: options.data[...]).first?.1,
            let locator = try TLVReader.objects(in: content).first(where: { $0.0 == .fileLocator })?.1
        else { return nil }
        var values: [Tag: [UInt8]] = [:]
        for entry in FileLocatorEntry.entries(Array(locator)) ?? [] {
            for number in entry.first...entry.last {
                let record = try send([0x00, 0xB2, number, entry.file << 3 | 4], [])
                guard record.status == ChipApplet.Status.success else { return nil }
                for (_, template) in try TLVReader.objects(in: record.data[...]) {
                    for (tag, value) in try TLVReader.objects(in: template) { values[tag] = Array(value) }
                }
            }
        }
        var digits = (values[.accountNumber] ?? []).flatMap { [$0 >> 4, $0 & 0x0F] }
        if digits.last == 0xF { digits.removeLast() }
        guard let pan = try? PAN(digits.map(String.init).joined()) else { return nil }
        return CardIdentity(
            pan: pan,
            panSequenceNumber: values[.panSequenceNumber]?.first.flatMap { PANSequenceNumber(bcd: $0) })
    }
}
