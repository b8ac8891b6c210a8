internal import ByteCoding
package import CardReaders
package import EMV

/// Which card a chip is, asked as a terminal asks.
package enum ChipIdentity: Hashable, Sendable {
    /// It pays as this card.
    case personalised(CardIdentity)
    /// It can still be personalised; its serial number.
    case fresh(String)
    /// It is something else.
    case unknown

    /// - Parameter identifiers: AIDs that it may have.
    package static func read(
        _ reader: any CardReader, identifiers: [[UInt8]], seat: TokenSeat
    ) throws -> ChipIdentity {
        for identifier in identifiers {
            let selected = try CardPersonaliser.transmit(
                CommandAPDU(0x00, 0xA4, parameter1: 0x04, parameter2: 0x00, data: identifier, expecting: 256),
                reader)
            guard selected.status == 0x9000 else { continue }
            let options = try CardPersonaliser.transmit(
                CommandAPDU(0x80, 0xA8, parameter1: 0, parameter2: 0, data: [0x83, 0x00], expecting: 256),
                reader)
            if options.status == 0x9000, let identity = try identity(reader) {
                return .personalised(identity)
            }
            do {
                let (answer, _) = try CardPersonaliser.begin(identifier, in: reader, seat: seat)
                return .fresh(Hex.encode(answer.diversificationData))
            } catch PersonalisationFault.refused { return .unknown } catch PersonalisationFault.notFresh {
                return .unknown
            }
        }
        return .unknown
    }

    /// 5A and 5F34 of the first static record.
    private static func identity(_ reader: any CardReader) throws -> CardIdentity? {
        let record = try CardPersonaliser.transmit(
            CommandAPDU(
                0x00, 0xB2, parameter1: 1, parameter2: ApplicationLayout.staticFile << 3 | 4, expecting: 256),
            reader)
        guard record.status == 0x9000,
            let template = try? TLVReader.objects(in: record.data[...]).first,
            let objects = try? TLVReader.objects(in: template.1),
            let account = objects.first(where: { $0.0 == Tag(rawValue: 0x5A) })?.1
        else { return nil }
        var digits = account.flatMap { [$0 >> 4, $0 & 0x0F] }
        if digits.last == 0xF { digits.removeLast() }
        guard let pan = try? PAN(digits.map(String.init).joined()) else { return nil }
        let number = objects.first { $0.0 == .panSequenceNumber }?.1.first
        return CardIdentity(pan: pan, panSequenceNumber: number.flatMap { PANSequenceNumber(bcd: $0) })
    }
}
