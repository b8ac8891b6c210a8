/// An account that has moved to another PAN.
extension CardRecord {
    /// The account that was moved here, or is to be.
    var movedFrom: CardToken? { token(.movedFrom) }

    /// Sealed until the account of the PAN before is here.
    var awaitsMove: Bool { isSealed && movedTo == nil }

    /// The account of that PAN is here, or was and went on.
    func hasTakenOver(from token: CardToken) -> Bool { movedFrom == token && !awaitsMove }

    mutating func set(_ section: Section, token: CardToken) {
        var content: [UInt8] = []
        content.append(bigEndian: token.high)
        content.append(bigEndian: token.low)
        set(section, content)
    }

    /// Takes over what belongs to the account: transactions, holds, early reversals, what limits count, and which ATCs its
    /// plastics have used. The money is moved by the transition, which keeps account of it.
    mutating func takeOver(_ old: CardRecord) {
        for index in 0..<old.plasticCount where plasticCount < Self.plasticsMax {
            let before = old.plastic(index)
            guard !before.isOfPANBefore else { continue }
            var plastic = Plastic(
                sequenceNumber: before.sequenceNumber | KeptTransaction.ofPANBefore, status: .restricted,
                expiry: before.expiry, pin: .none, pinTriesMax: before.pinTriesMax)
            (plastic.highestATC, plastic.wasReset) = (before.highestATC, before.wasReset)
            add(plastic)
            let (from, to) = (old.windowPlace(index), windowPlace(plasticCount - 1))
            bytes.replaceSubrange(
                to..<to + ATCWindow.byteCount, with: old.bytes[from..<from + ATCWindow.byteCount])
        }
        for section in [Section.days, .earlyReversals, .holds, .foreignParts, .agreements] {
            set(section, Array(old.content(section)))
        }
        for index in 0..<old.keptCount {
            guard let transaction = old.kept(index) else { continue }
            nextNumber = transaction.number
            keep(transaction.movedOn)
        }
        nextNumber = old.nextNumber
        filedCount = old.filedCount
        forgottenUntil = old.forgottenUntil
        holdsMigrated = old.holdsMigrated
    }
}
