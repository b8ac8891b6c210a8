internal import EMV

/// What the terminal finds out and decides before the first GENERATE AC.
extension CardConversation {
    mutating func checkRestrictions() {
        guard let month = risk.month, card.definition.expiry < month else { return }
        verificationResults |= VerificationBit.applicationExpired
        notes.append("processing restrictions: application expired")
    }

    /// Terminal risk management (EMV Book 3 10.6): floor limit, random selection, velocity.
    mutating func manageRisk(_ transaction: TerminalTransaction) throws {
        if transaction.amount >= risk.floorLimit {
            verificationResults |= VerificationBit.floorLimitExceeded
            notes.append("terminal risk management: floor limit reached")
        } else if let selection = risk.randomSelection {
            let percentage = selection.percentage(amount: transaction.amount, floorLimit: risk.floorLimit)
            let isSelected = risk.draw <= percentage
            if isSelected { verificationResults |= VerificationBit.selectedRandomly }
            notes.append(
                "terminal risk management: \(isSelected ? "" : "not ")selected at random "
                    + "(\(risk.draw) drawn, up to \(percentage) go online)")
        }
        try checkVelocity()
    }

    /// EMV Book 3 10.6.3: how many transactions the card has made since it last saw its issuer.
    private mutating func checkVelocity() throws {
        guard let limits = application.consecutiveOffline else { return }
        let counter = try number(.applicationTransactionCounter, "ATC")
        let lastOnline = try number(.lastOnlineCounter, "last online ATC")
        let count = counter - min(lastOnline, counter)
        if lastOnline == 0 {
            verificationResults |= VerificationBit.newCard
            notes.append("terminal risk management: new card")
        }
        if count > limits.lower { verificationResults |= VerificationBit.lowerConsecutiveLimitExceeded }
        if count > limits.upper { verificationResults |= VerificationBit.upperConsecutiveLimitExceeded }
        notes.append(
            "terminal risk management: transaction \(count) since the last online one "
                + "(limits \(limits.lower) and \(limits.upper))")
    }

    private mutating func number(_ tag: Tag, _ name: String) throws -> Int {
        let header = [0x80, 0xCA, UInt8(truncatingIfNeeded: tag.rawValue >> 8), UInt8(tag.rawValue & 0xFF)]
        let received = try exchange("GET DATA \(name)", header, sent: []) { $0.data(tag) }
        let value = try TLVReader.objects(in: received[...]).first?.1 ?? []
        return value.reduce(0) { $0 << 8 | Int($1) }
    }

    /// Terminal action analysis (EMV Book 3 10.7): denial before online; a terminal without a line to the
    /// issuer decides by the default codes.
    mutating func proposal() -> CryptogramKind {
        if verificationResults & (application.actionDenial | risk.actionDenial) != 0 {
            notes.append("terminal action analysis: declined by TAC or IAC denial")
            return .aac
        }
        if risk.isOfflineOnly { return defaultAction() }
        if verificationResults & (application.actionOnline | risk.actionOnline) != 0 {
            notes.append("terminal action analysis: online by TAC or IAC online")
            return .arqc
        }
        notes.append("terminal action analysis: approved offline")
        return .tc
    }

    /// What TAC and IAC default say where the issuer cannot be asked.
    mutating func defaultAction() -> CryptogramKind {
        let kind: CryptogramKind =
            verificationResults & (application.actionDefault | risk.actionDefault) != 0 ? .aac : .tc
        notes.append(
            "terminal action analysis: issuer not reached, "
                + (kind == .tc ? "approved, TAC and IAC default allow it" : "declined by TAC or IAC default"))
        return kind
    }
}
