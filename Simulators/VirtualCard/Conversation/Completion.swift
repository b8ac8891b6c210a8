package import EMV

/// After the issuer's answer, or without one.
extension CardConversation {
    /// Authentication, scripts before, second GENERATE AC, scripts after. A card that is held to a reader has
    /// left by then: the issuer's word stands.
    /// - Parameters:
    ///   - code: 8A: the issuer's.
    ///   - approved: what DE39 says.
    ///   - chipData: DE55 of the answer.
    /// - Returns: the final cryptogram's kind.
    package mutating func finish(
        approved: Bool, code: AuthorisationResponseCode, chipData: [UInt8]?
    ) throws -> CryptogramKind {
        guard let transaction else { return .aac }
        guard risk.interface == .contact else {
            notes.append("contactless: the card has left, the issuer's decision stands")
            return approved ? .tc : .aac
        }
        let objects = try chipData.map { try TLVReader.objects(in: $0[...]) } ?? []
        issuerData = objects.first { $0.0 == .issuerAuthenticationData }.map { Array($0.1) }
        // Byte 1 bit 3 of the AIP: by a command of its own. Other cards look at it in the second GENERATE AC
        // (EMV Book 3 10.9).
        if let issuerData, application.interchangeProfile & 0x0400 != 0 { try authenticate(issuerData) }
        let scripts = try IssuerScripts.commands(in: chipData ?? [])
        try run(scripts.filter { $0.template == .issuerScript1 }, failure: 0x00_0000_0020)
        let kind = try generateSecond(approved ? .tc : .aac, transaction, code: code)
        try run(scripts.filter { $0.template == .issuerScript2 }, failure: 0x00_0000_0010)
        return kind
    }

    /// No answer came: TAC and IAC default decide, and the terminal says so with Y3 or Z3 (EMV Book 3 10.7,
    /// Book 4 A6).
    package mutating func finishOffline() throws -> CryptogramKind {
        guard let transaction else { return .aac }
        let asked = defaultAction()
        guard risk.interface == .contact else { return asked }
        let code: AuthorisationResponseCode =
            asked == .tc ? .unableToGoOnlineApproved : .unableToGoOnlineDeclined
        notes.append("unable to go online: authorisation response code \(code)")
        return try generateSecond(asked, transaction, code: code)
    }

    /// Y1 and Z1: decided without the issuer; Y3 and Z3 where the terminal has no line to it.
    func offlineCode(_ kind: CryptogramKind) -> AuthorisationResponseCode {
        switch (kind, risk.isOfflineOnly) {
        case (.tc, false): .offlineApproved
        case (.tc, true): .unableToGoOnlineApproved
        case (_, false): .offlineDeclined
        case (_, true): .unableToGoOnlineDeclined
        }
    }

    private mutating func authenticate(_ data: [UInt8]) throws {
        do {
            try exchange(
                "EXTERNAL AUTHENTICATE", [0x00, 0x82, 0, 0], sent: [(.issuerAuthenticationData, data)]
            ) { try $0.authenticate(data) }
        } catch let error as CardConversationError
            where error.status == ChipApplet.Status.issuerAuthenticationFailed
        {
            verificationResults |= VerificationBit.issuerAuthenticationFailed
        }
        try judge(data)
        notes.append("issuer authentication: \(verdict)")
    }

    /// The card carries scripts out, and the terminal remembers a failure in the TVR.
    /// - Parameter failure: byte 5, bit 6 before the final cryptogram, bit 5 after it (EMV Book 3 C5).
    private mutating func run(_ scripts: [IssuerScriptCommand], failure: UInt64) throws {
        for (command, status) in try performed(scripts) {
            let succeeded = status == ChipApplet.Status.success
            notes.append(
                "script \(command): \(succeeded ? "done" : String(status, radix: 16, uppercase: true))")
            if !succeeded { verificationResults |= failure }
        }
    }
}

extension CardConversation {
    /// A card in a reader gets each command until the first of its script fails.
    fileprivate mutating func performed(
        _ scripts: [IssuerScriptCommand]
    ) throws -> [(command: IssuerScriptCommand, status: UInt16)] {
        guard let chip else { return try applet.perform(scripts) }
        var done: [(command: IssuerScriptCommand, status: UInt16)] = []
        for command in scripts {
            if let last = done.last, last.command.script == command.script,
                last.status != ChipApplet.Status.success
            {
                continue
            }
            let answer = ResponseAPDU(try chip.transmit(command.bytes))
            done.append((command, answer?.status ?? 0x6F00))
        }
        return done
    }
}

extension AuthorisationResponseCode {
    /// Y1 (EMV Book 4 A6).
    package static let offlineApproved = AuthorisationResponseCode(rawValue: 0x5931)
    /// Z1.
    package static let offlineDeclined = AuthorisationResponseCode(rawValue: 0x5A31)
    /// Y3: unable to go online, approved.
    package static let unableToGoOnlineApproved = AuthorisationResponseCode(rawValue: 0x5933)
    /// Z3: unable to go online, declined.
    package static let unableToGoOnlineDeclined = AuthorisationResponseCode(rawValue: 0x5A33)
}
