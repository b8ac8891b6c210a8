internal import Authorisation
package import ISO8583

/// What kind of payment without the card a message is: by DE3, by what its dialect names, by DE25 and DE22.
package struct RemoteIndicators: Sendable {
    /// A word that a dialect may use and that means nothing here.
    package struct Unknown: Error, CustomStringConvertible {
        /// One line.
        package let description: String
    }

    private struct Meaning: Sendable {
        let row: Indicators.Row
        let kind: RemoteKind?
        let isFirst: Bool
    }

    private let meanings: [Meaning]
    private let own: Indicators.Place?
    private let first: Indicators.Place?

    /// No dialect names anything.
    package init() { (meanings, own, first) = ([], nil, nil) }

    /// - Throws: for a word that is none of the kinds, and for a place that no message can have.
    package init(_ indicators: Indicators) throws(Unknown) {
        var meanings: [Meaning] = []
        for row in indicators.rows {
            guard row.at.dataElement != nil, !row.value.isEmpty else {
                throw Unknown(description: "indicators: \(row.says) has no place in a message")
            }
            let isFirst = row.says.hasPrefix("first-")
            let word = isFirst ? String(row.says.dropFirst(6)) : row.says
            let kind = RemoteKind(rawValue: word)
            guard word == "none" || kind != nil, !isFirst || kind?.hasFirst == true else {
                let known = RemoteKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw Unknown(
                    description:
                        "indicators: \(row.says) is none of \(known), first-recurring, first-storedCredential, none"
                )
            }
            meanings.append(Meaning(row: row, kind: kind, isFirst: isFirst))
        }
        for place in [indicators.ownReference, indicators.firstReference] {
            guard place.map({ $0.dataElement != nil }) ?? true else {
                throw Unknown(description: "indicators: a reference has no place in a message")
            }
        }
        (self.meanings, own, first) = (meanings, indicators.ownReference, indicators.firstReference)
    }

    /// - Returns: nil where nothing says that it is one of the kinds.
    func payment(_ message: Message, _ transaction: TransactionKind) -> RemotePayment? {
        if transaction == .refund { return RemotePayment(kind: .refund) }
        for meaning in meanings {
            guard let content = meaning.row.at.content(of: message),
                content.starts(with: meaning.row.value.utf8)
            else {
                continue
            }
            guard let kind = meaning.kind else { return nil }
            let place = meaning.isFirst ? own : first
            return RemotePayment(
                kind: kind, isFirst: meaning.isFirst, reference: place.map { reference(message, $0) } ?? 0)
        }
        guard let kind = standardKind(message) else { return nil }
        return RemotePayment(
            kind: kind, reference: kind.hasFirst ? first.map { reference(message, $0) } ?? 0 : 0)
    }

    /// ISO 8583:1987 DE25 08 mail or telephone, 51 account verification as networks have added it; DE22 10 credentials on
    /// file. In 1993 position 5 of DE22: 2 mail, 3 telephone, 4 standing authorisation.
    private func standardKind(_ message: Message) -> RemoteKind? {
        if message.mti.is1993 {
            let holder = message.bytes(.pointOfServiceEntryMode).map {
                $0.count == 12 ? $0[$0.startIndex + 4] : 0
            }
            switch holder {
            case UInt8(ascii: "2"), UInt8(ascii: "3"): return .mailOrder
            case UInt8(ascii: "4"): return .recurring
            default: return nil
            }
        }
        switch message.number(.pointOfServiceConditionCode) {
        case 8: return .mailOrder
        case 51: return .accountVerification
        default: break
        }
        return message.number(.pointOfServiceEntryMode).map { $0 / 10 } == 10 ? .storedCredential : nil
    }

    /// FNV-1a of what is no blank at the end; 0 for blanks and zeros alone.
    private func reference(_ message: Message, _ place: Indicators.Place) -> UInt64 {
        guard var content = place.content(of: message) else { return 0 }
        while let last = content.last, last == 0x20 || last == 0 { content = content.dropLast() }
        guard !content.allSatisfy({ $0 == 0x30 || $0 == 0x20 }) else { return 0 }
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in content { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return max(1, value)
    }
}

extension LinkProfile {
    /// What there is in place of a chip.
    func evidence(
        _ message: Message, _ kind: TransactionKind, entry: CardEntry, track2: Track2?
    ) -> NonChipEvidence {
        let remote = entry == .cardNotPresent || entry == .unknown ? remote.payment(message, kind) : nil
        return NonChipEvidence(
            // What says which payment it is says that no card is there.
            entry: entry == .unknown && remote != nil ? .cardNotPresent : entry,
            stripeExpiry: track2?.expiryDigits, serviceCode: track2?.serviceCode,
            discretionary: track2?.discretionary.digits ?? 0,
            discretionaryCount: track2?.discretionary.count ?? 0,
            printedValue: printedValue.flatMap { $0.value(in: message) }, remote: remote)
    }
}
