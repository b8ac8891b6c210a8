internal import EMV

extension CardRecord {
    /// The issuer scripts of a card, oldest first, done ones too.
    package func scripts(sequenceNumber: UInt8) -> [QueuedScript] {
        plasticIndex(sequenceNumber).map { QueuedScript.list(stored: content(.scripts, $0)) } ?? []
    }
}

extension CardRecord: CustomStringConvertible, CustomReflectable {
    /// How large it is: PIN references stand in the bytes.
    package var description: String { "record of \(bytes.count) bytes, \(plasticCount) cards" }
    /// Empty, so that a dump or a failed expectation shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension CardReading {
    /// Every field by its name, a line each; no PIN reference in clear.
    package var fieldsByName: [String] {
        guard let record else { return [] }
        var lines = [
            "format \(CardRecord.format), \(record.bytes.count) bytes",
            "tag \(String(record.tag.random, radix: 16))-\(record.tag.counter)",
            "account.status \(record.status.rawValue)", "account.currency \(record.currency)",
            "account.availableMinorUnits \(record.availableMinorUnits)",
            "account.isSealed \(record.isSealed)", "account.nextNumber \(record.nextNumber)",
            "account.filedCount \(record.filedCount)", "account.forgottenUntil \(record.forgottenUntil)",
        ]
        for (index, plastic) in record.plastics.enumerated() {
            let place = "plastic[\(plastic.sequenceNumber)]"
            lines += [
                "\(place).status \(plastic.status.rawValue)", "\(place).expiry \(plastic.expiry)",
                "\(place).pin \(plastic.pin == .none ? "none" : "on record")",
                "\(place).pinTries \(plastic.pinTriesUsed) of \(plastic.pinTriesMax)",
                "\(place).highestATC \(plastic.highestATC.map { "\($0)" } ?? "-")",
                "\(place).profile \(record.profile(of: index))",
                "\(place).issuerMasterKey \(record.issuerMasterKey(of: index))",
                "\(place).limits \(record.limits(of: index)?.stored ?? "-")",
                "\(place).scripts \(record.scripts(sequenceNumber: plastic.sequenceNumber).count)",
            ]
        }
        for day in SpentDays(record.content(.days)).days {
            lines.append(
                "day[\(day.day)] \(day.minorUnits) in \(day.count), cash \(day.cashMinorUnits) in \(day.cashCount)"
            )
        }
        for hold in Holds(record.content(.holds)).holds {
            lines.append(
                "hold[\(hold.number)] approved \(hold.approved), completed \(hold.completed), until \(hold.expiresAt)"
            )
        }
        for early in EarlyReversals(record.content(.earlyReversals)).list {
            lines.append(
                "earlyReversal STAN \(early.original.stan), remaining \(early.remaining)"
                    + (early.currency == 0 ? "" : " of currency \(early.currency)"))
        }
        for part in ForeignParts(record.content(.foreignParts)).list {
            lines.append("foreignPart[\(part.number)] approved \(part.approved), left \(part.left)")
        }
        for agreement in Agreements(record.content(.agreements)).list {
            lines.append("agreement used \(agreement.usedAt)")
        }
        for use in UsedAuthenticationValues(record.content(.authenticationValues)).list {
            lines.append(
                "authenticationValue[\(String(use.identity, radix: 16))] used \(use.usedAt), payments \(use.payments)"
            )
        }
        lines += (0..<record.keptCount).compactMap { record.kept($0) }.map { "kept" + $0.words }
        let filed = past ?? []
        lines += stride(from: 0, to: filed.count, by: KeptTransaction.byteCount)
            .compactMap { KeptTransaction(filed, at: $0) }.map { "filed" + $0.words }
        return lines
    }
}

extension KeptTransaction {
    fileprivate var words: String {
        "[\(number)] \(transmission.messageClass) \(kind.words), STAN \(transmission.stan), sent \(transmission.sentAt), "
            + "local \(transmission.localTime), plastic \(plastic), ATC \(flags.contains(.hasATC) ? "\(atc)" : "-"), "
            + "asked \(asked) \(currency), booked \(booked), taken \(taken), cash \(cash), flags \(flags.rawValue), "
            + (declined.map { "declined \($0.words)" } ?? "approved")
    }
}
