/// An account that has moved to another PAN.
extension CardRecord {
    /// The account that was moved here.
    var movedFrom: CardToken? { token(.movedFrom) }

    mutating func set(_ section: Section, token: CardToken) {
        var content: [UInt8] = []
        content.append(bigEndian: token.high)
        content.append(bigEndian: token.low)
        set(section, content)
    }

    /// Takes over what belongs to the account: transactions, holds, early reversals, what limits count. The money is moved
    /// by the transition, which keeps account of it.
    mutating func takeOver(_ old: CardRecord) {
        for section in [Section.days, .earlyReversals, .holds, .foreignParts, .agreements] {
            set(section, Array(old.content(section)))
        }
        for index in 0..<old.keptCount {
            guard let transaction = old.kept(index) else { continue }
            nextNumber = transaction.number
            _ = keep(transaction)
        }
        nextNumber = old.nextNumber
        filedCount = old.filedCount
        forgottenUntil = old.forgottenUntil
    }
}
