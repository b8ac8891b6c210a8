package import EMV
internal import LibCrypto

/// How the first part of a conversation ends.
package enum CardProposal: Sendable {
    /// The issuer is to be asked, with this chip data.
    case online(CardAnswer)
    /// TC: approved without the issuer.
    case approvedOffline
    /// AAC.
    case declinedOffline
}

/// A card that ends the conversation.
package struct CardConversationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The command.
    package let command: String
    /// SW1 SW2.
    package let status: UInt16

    /// One line for people.
    package var description: String {
        "the card answers \(command) with \(String(status, radix: 16, uppercase: true))"
    }
}

/// The amount is above what the terminal takes without contact.
package struct OtherInterfaceNeeded: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line for people.
    package var description: String { "above the contactless limit: please insert the card" }
}

/// One chip transaction from SELECT to the final cryptogram, terminal and card (EMV Book 3 10).
package struct CardConversation: Sendable {
    /// The payment environments' names, with and without contact (EMV Book 1 12.2.2, Book B 3.3.1).
    static let environmentName = Array("1PAY.SYS.DDF01".utf8)
    static let proximityEnvironmentName = Array("2PAY.SYS.DDF01".utf8)

    /// Every command so far.
    package private(set) var commands: [CardCommand] = []
    /// What the terminal decided and why, in words.
    package internal(set) var notes: [String] = []
    /// 95 as it stands.
    package internal(set) var verificationResults: UInt64 = 0
    /// 9F34.
    package internal(set) var verificationMethodResults: UInt32 = 0x3F0000
    var application: ChipApplication
    let risk: TerminalRisk
    /// The card itself, or with `chip` the model that the terminal has of it.
    var applet: ChipApplet
    /// Nil for a card within this program.
    var chip: RemoteChip?
    var transaction: TerminalTransaction?
    /// 91 of the answer.
    var issuerData: [UInt8]?
    /// What the card's records say.
    var objects = CardObjects()
    /// Chosen by AIP and the terminal's capabilities.
    var method: OfflineAuthenticationMethod?
    var issuerKey: RSAPublicKey?
    var iccKey: RSAPublicKey?
    /// How the card is authenticated offline; nil where card and terminal have no method in common.
    package var offlineMethod: OfflineAuthenticationMethod? { method }
    /// Why offline data authentication failed; nil where it did not, or not yet.
    package internal(set) var authenticationFault: CertificateFault?
    /// Values of CDOL1 as they were sent.
    private var firstData: [UInt8] = []

    /// Begins with a card that has just been put in.
    /// - Parameter chip: the card where it is in a reader; nil for a card within this program.
    package init(
        _ card: VirtualCard, application: ChipApplication, risk: TerminalRisk, chip: RemoteChip? = nil
    ) {
        self.application = application
        self.risk = risk
        self.chip = chip
        applet = ChipApplet(card, application)
    }

    /// The card as the conversation leaves it.
    package var card: VirtualCard { applet.card }
    /// What the card makes of the issuer's answer.
    package var verdict: IssuerAuthenticationVerdict { chip?.verdict ?? applet.verdict }
    /// The answer to the first GENERATE AC.
    var firstAnswer: CardAnswer? { chip.map(\.first) ?? applet.first }

    /// From SELECT to the first GENERATE AC.
    /// - Parameter pin: what the cardholder has typed; nil for nothing.
    package mutating func begin(_ given: TerminalTransaction, pin: PIN?) throws -> CardProposal {
        if risk.interface == .contactless, let limit = risk.contactlessLimit, given.amount > limit {
            throw OtherInterfaceNeeded()
        }
        try authenticate(given)
        checkRestrictions()
        try verifyCardholder(given, pin: pin)
        try manageRisk(given)
        let asked = proposal()
        var transaction = given
        transaction.terminalVerificationResults = verificationResults
        transaction.verificationMethodResults = verificationMethodResults
        self.transaction = transaction
        let (kind, holds) = try generateFirst(asked, transaction)
        switch (kind, firstAnswer) {
        case _ where !holds: return try refuse(kind, transaction)
        case (.arqc, let answer?): return .online(answer)
        case (.tc, _): return .approvedOffline
        default: return .declinedOffline
        }
    }

    /// From SELECT to the end of what can be authenticated before a cryptogram.
    package mutating func authenticate(_ given: TerminalTransaction) throws {
        try select()
        try readApplication()
        try authenticateOffline(given)
    }

    /// The first cryptogram, and whether its signature holds where one was asked for.
    private mutating func generateFirst(
        _ asked: CryptogramKind, _ transaction: TerminalTransaction
    ) throws -> (kind: CryptogramKind?, holds: Bool) {
        let sent = transaction.values(
            of: application.firstObjects, code: asked == .arqc ? nil : offlineCode(asked))
        firstData = sent.flatMap(\.value)
        let isSigned = asksForSignature(asked)
        let signedData = isSigned ? firstData : nil
        let received = try exchange(
            "GENERATE AC (first, \(asked)\(isSigned ? ", CDA" : ""))",
            [0x80, 0xAE, CardConversation.reference(asked, signed: isSigned), 0], sent: sent
        ) { try $0.generateFirst(asked, transaction, signedData: signedData) }
        let kind = CardConversation.kind(received)
        notes.append("the card gives \(kind.map { "\($0)" } ?? "nothing")")
        let holds =
            try !isSigned
            || checkCombinedSignature(
                received, kind, unpredictableNumber: transaction.unpredictableNumber, terminalData: firstData)
        if holds { try takeFirst(received, kind, transaction: transaction) }
        return (kind, holds)
    }

    /// A cryptogram whose signature does not hold: no online, no approval. A card that waits is told so by a second
    /// GENERATE AC for an AAC (EMV Book 4 6.3.2.1).
    private mutating func refuse(
        _ kind: CryptogramKind?, _ transaction: TerminalTransaction
    ) throws -> CardProposal {
        notes.append("declined: the cryptogram's signature does not hold")
        guard kind == .arqc, risk.interface == .contact else { return .declinedOffline }
        _ = try generateSecond(.aac, transaction, code: .offlineDeclined)
        return .declinedOffline
    }

    /// The last cryptogram, checked where it comes with a signature.
    mutating func generateSecond(
        _ asked: CryptogramKind, _ given: TerminalTransaction, code: AuthorisationResponseCode
    ) throws -> CryptogramKind {
        var final = given
        final.terminalVerificationResults = verificationResults
        let transaction = final
        let issuerData = issuerData
        let sent = transaction.values(of: application.secondObjects, code: code, issuerData: issuerData)
        let isSigned = asksForSignature(asked)
        let data = sent.flatMap(\.value)
        let received = try exchange(
            "GENERATE AC (second, \(asked)\(isSigned ? ", CDA" : ""))",
            [0x80, 0xAE, CardConversation.reference(asked, signed: isSigned), 0], sent: sent
        ) {
            try $0.generateSecond(
                asked, transaction, code: code, issuerData: issuerData, signedData: isSigned ? data : nil)
        }
        var kind = CardConversation.kind(received) ?? .aac
        if let issuerData, application.interchangeProfile & 0x0400 == 0 {
            try judge(issuerData)
            notes.append("issuer authentication in the second GENERATE AC: \(verdict)")
        }
        if isSigned,
            try !checkCombinedSignature(
                received, kind, unpredictableNumber: transaction.unpredictableNumber,
                terminalData: firstData + data)
        {
            notes.append("declined: the cryptogram's signature does not hold")
            kind = .aac
        }
        notes.append("final: \(kind)")
        return kind
    }

    private mutating func select() throws {
        let isContact = risk.interface == .contact
        let name =
            isContact ? CardConversation.environmentName : CardConversation.proximityEnvironmentName
        try exchange(
            isContact ? "SELECT PSE" : "SELECT PPSE", [0x00, 0xA4, 0x04, 0],
            sent: [(.dedicatedFileName, name)]
        ) { $0.select(name) }
        let identifier = application.identifier
        try exchange("SELECT AID", [0x00, 0xA4, 0x04, 0], sent: [(.dedicatedFileName, identifier)]) {
            $0.select(identifier)
        }
    }

    /// - Parameter hidden: data that are no objects of the trace, before those that are.
    @discardableResult
    mutating func exchange(
        _ name: String, _ header: [UInt8], sent: [(tag: Tag, value: [UInt8])], hidden: [UInt8] = [],
        body: (inout ChipApplet) throws -> (data: [UInt8], status: UInt16)
    ) throws -> [UInt8] {
        let (data, status) =
            if let chip {
                try chip.send(header, hidden + sent.flatMap(\.value))
            } else {
                try body(&applet)
            }
        commands.append(
            CardCommand(name: name, header: header, sent: sent, received: data, status: status))
        guard status == ChipApplet.Status.success else {
            throw CardConversationError(command: name, status: status)
        }
        return data
    }

    /// P1 of GENERATE AC (EMV Book 3 6.5.5.2); bit 5 asks for CDA.
    static func reference(_ kind: CryptogramKind, signed: Bool) -> UInt8 {
        let asked: UInt8 =
            switch kind {
            case .aac: 0x00
            case .tc: 0x40
            case .arqc: 0x80
            }
        return signed ? asked | 0x10 : asked
    }

    static func kind(_ received: [UInt8]) -> CryptogramKind? {
        guard let template = try? TLVReader.objects(in: received[...]).first,
            let objects = try? TLVReader.objects(in: template.1),
            let value = objects.first(where: { $0.0 == .cryptogramInformationData })?.1.first
        else { return nil }
        return CryptogramKind(cryptogramInformationData: value)
    }
}
