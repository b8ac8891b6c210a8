internal import EMV
internal import LibCrypto

/// How the first part of a conversation ends.
public enum CardProposal: Sendable {
    /// The issuer is to be asked, with this chip data.
    case online(CardAnswer)
    /// TC: approved without the issuer.
    case approvedOffline
    /// AAC.
    case declinedOffline
}

/// A card that ends the conversation.
public struct CardConversationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The command.
    public let command: String
    /// SW1 SW2.
    public let status: UInt16

    /// One line for people.
    public var description: String {
        "the card answers \(command) with \(String(status, radix: 16, uppercase: true))"
    }
}

/// The amount is above what the terminal takes without contact.
public struct OtherInterfaceNeeded: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line for people.
    public var description: String { "above the contactless limit: please insert the card" }
}

/// One chip transaction from SELECT to the final cryptogram, terminal and card (EMV Book 3 10).
public struct CardConversation: Sendable {
    /// The payment environments' names, with and without contact (EMV Book 1 12.2.2, Book B 3.3.1).
    static let environmentName = Array("1PAY.SYS.DDF01".utf8)
    static let proximityEnvironmentName = Array("2PAY.SYS.DDF01".utf8)

    /// Every command so far.
    public private(set) var commands: [CardCommand] = []
    /// What the terminal decided and why, in words.
    public internal(set) var notes: [String] = []
    /// 95 as it stands.
    public internal(set) var verificationResults: UInt64 = 0
    /// 9F34.
    public internal(set) var verificationMethodResults: UInt32 = 0x3F0000
    let application: ChipApplication
    let risk: TerminalRisk
    var applet: ChipApplet
    var transaction: TerminalTransaction?
    /// 91 of the answer.
    var issuerData: [UInt8]?

    /// Begins with a card that has just been put in.
    public init(_ card: VirtualCard, application: ChipApplication, risk: TerminalRisk) {
        self.application = application
        self.risk = risk
        applet = ChipApplet(card, application)
    }

    /// The card as the conversation leaves it.
    public var card: VirtualCard { applet.card }
    /// What the card makes of the issuer's answer.
    public var verdict: IssuerAuthenticationVerdict { applet.verdict }

    /// From SELECT to the first GENERATE AC.
    /// - Parameter pin: what the cardholder has typed; nil for nothing.
    public mutating func begin(_ given: TerminalTransaction, pin: PIN?) throws -> CardProposal {
        if risk.interface == .contactless, let limit = risk.contactlessLimit, given.amount > limit {
            throw OtherInterfaceNeeded()
        }
        try select()
        try exchange("GET PROCESSING OPTIONS", [0x80, 0xA8, 0, 0], []) { $0.processingOptions() }
        for record in 1...2 {
            try exchange("READ RECORD \(record)", [0x00, 0xB2, UInt8(record), 0x0C], []) { $0.record(record) }
        }
        authenticateOffline()
        checkRestrictions()
        try verifyCardholder(given, pin: pin)
        try manageRisk(given)
        let asked = proposal()
        var transaction = given
        transaction.terminalVerificationResults = verificationResults
        transaction.verificationMethodResults = verificationMethodResults
        self.transaction = transaction
        let received = try exchange(
            "GENERATE AC (first, \(asked))", [0x80, 0xAE, CardConversation.reference(asked), 0],
            transaction.values(of: application.firstObjects, code: asked == .arqc ? nil : offlineCode(asked))
        ) { try $0.generateFirst(asked, transaction) }
        let kind = CardConversation.kind(received)
        notes.append("the card gives \(kind.map { "\($0)" } ?? "nothing")")
        switch (kind, applet.first) {
        case (.arqc, let answer?): return .online(answer)
        case (.tc, _): return .approvedOffline
        default: return .declinedOffline
        }
    }

    private mutating func select() throws {
        let isContact = risk.interface == .contact
        let name =
            isContact ? CardConversation.environmentName : CardConversation.proximityEnvironmentName
        try exchange(
            isContact ? "SELECT PSE" : "SELECT PPSE", [0x00, 0xA4, 0x04, 0], [(.dedicatedFileName, name)]
        ) { $0.select(name) }
        let identifier = application.identifier
        try exchange("SELECT AID", [0x00, 0xA4, 0x04, 0], [(.dedicatedFileName, identifier)]) {
            $0.select(identifier)
        }
    }

    @discardableResult
    mutating func exchange(
        _ name: String, _ header: [UInt8], _ sent: [(tag: Tag, value: [UInt8])],
        _ body: (inout ChipApplet) throws -> (data: [UInt8], status: UInt16)
    ) throws -> [UInt8] {
        let (data, status) = try body(&applet)
        commands.append(
            CardCommand(name: name, header: header, sent: sent, received: data, status: status))
        guard status == ChipApplet.Status.success else {
            throw CardConversationError(command: name, status: status)
        }
        return data
    }

    /// P1 of GENERATE AC (EMV Book 3 6.5.5.2).
    static func reference(_ kind: CryptogramKind) -> UInt8 {
        switch kind {
        case .aac: 0x00
        case .tc: 0x40
        case .arqc: 0x80
        }
    }

    static func kind(_ received: [UInt8]) -> CryptogramKind? {
        guard let template = try? TLVReader.objects(in: received[...]).first,
            let objects = try? TLVReader.objects(in: template.1),
            let value = objects.first(where: { $0.0 == .cryptogramInformationData })?.1.first
        else { return nil }
        return CryptogramKind(cryptogramInformationData: value)
    }
}
