public import EMV
internal import LibCrypto

/// The terminal's limits and action codes.
public struct TerminalRisk: Sendable {
    /// Minor units from which a transaction goes online.
    public var floorLimit: UInt64 = 0
    /// TAC default.
    public var actionDefault: UInt64 = 0xDC_4004_F800
    /// TAC denial.
    public var actionDenial: UInt64 = 0x00_1000_0000
    /// TAC online.
    public var actionOnline: UInt64 = 0xDC_4004_F800
    /// The month of the transaction.
    public var month: ExpiryDate?

    /// A terminal that sends everything online.
    public init() {}
}

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

/// One chip transaction from SELECT to the final cryptogram, terminal and card (EMV Book 3 10).
public struct CardConversation: Sendable {
    /// `2PAY.SYS.DDF01`'s contact sister.
    static let environmentName = Array("1PAY.SYS.DDF01".utf8)

    /// Every command so far.
    public private(set) var commands: [CardCommand] = []
    /// What the terminal decided and why, in words.
    public private(set) var notes: [String] = []
    /// 95 as it stands.
    public private(set) var verificationResults: UInt64 = 0
    /// 9F34.
    public private(set) var verificationMethodResults: UInt32 = 0x3F0000
    private let application: ChipApplication
    private let risk: TerminalRisk
    private var applet: ChipApplet
    private var transaction: TerminalTransaction?

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
    /// - Parameter pinEntered: the cardholder has typed a PIN for the issuer to check.
    public mutating func begin(
        _ given: TerminalTransaction, pinEntered: Bool
    ) throws -> CardProposal {
        try select()
        try exchange("GET PROCESSING OPTIONS", [0x80, 0xA8, 0, 0], []) { $0.processingOptions() }
        for record in 1...2 {
            try exchange("READ RECORD \(record)", [0x00, 0xB2, UInt8(record), 0x0C], []) { $0.record(record) }
        }
        authenticateOffline()
        checkRestrictions()
        verifyCardholder(given, pinEntered: pinEntered)
        manageRisk(given)
        let asked = proposal()
        var transaction = given
        transaction.terminalVerificationResults = verificationResults
        transaction.verificationMethodResults = verificationMethodResults
        self.transaction = transaction
        let received = try exchange(
            "GENERATE AC (first, \(asked))", [0x80, 0xAE, CardConversation.reference(asked), 0],
            transaction.values(of: application.firstObjects, code: nil)
        ) { try $0.generateFirst(asked, transaction) }
        let kind = CardConversation.kind(received)
        notes.append("the card gives \(kind.map { "\($0)" } ?? "nothing")")
        switch (kind, applet.first) {
        case (.arqc, let answer?): return .online(answer)
        case (.tc, _): return .approvedOffline
        default: return .declinedOffline
        }
    }

    /// After the issuer's answer: authentication, scripts before, second GENERATE AC, scripts after.
    /// - Parameters:
    ///   - code: 8A: the issuer's, or the terminal's own (Z3: unable to go online, declined).
    ///   - approved: what DE39 says.
    ///   - chipData: DE55 of the answer.
    /// - Returns: the final cryptogram's kind.
    public mutating func finish(
        approved: Bool, code: AuthorisationResponseCode, chipData: [UInt8]?
    ) throws -> CryptogramKind {
        guard var transaction else { return .aac }
        if let chipData {
            let objects = try TLVReader.objects(in: chipData[...])
            if let value = objects.first(where: { $0.0 == .issuerAuthenticationData })?.1 {
                try authenticate(Array(value))
            }
        }
        let scripts = try IssuerScripts.commands(in: chipData ?? [])
        try run(scripts.filter { $0.template == .issuerScript1 }, failure: 0x00_0000_0020)
        let asked: CryptogramKind = approved ? .tc : .aac
        transaction.terminalVerificationResults = verificationResults
        let final = transaction
        let received = try exchange(
            "GENERATE AC (second, \(asked))", [0x80, 0xAE, CardConversation.reference(asked), 0],
            final.values(of: application.secondObjects, code: code)
        ) { try $0.generateSecond(asked, final) }
        try run(scripts.filter { $0.template == .issuerScript2 }, failure: 0x00_0000_0010)
        let kind = CardConversation.kind(received) ?? .aac
        notes.append("final: \(kind)")
        return kind
    }

    // MARK: - Steps

    private mutating func select() throws {
        let name = CardConversation.environmentName
        try exchange("SELECT PSE", [0x00, 0xA4, 0x04, 0], [(.dedicatedFileName, name)]) { $0.select(name) }
        let identifier = application.identifier
        try exchange("SELECT AID", [0x00, 0xA4, 0x04, 0], [(.dedicatedFileName, identifier)]) {
            $0.select(identifier)
        }
    }

    private mutating func authenticateOffline() {
        switch application.offlineAuthentication {
        case .passed: notes.append("offline data authentication: passed")
        case .failed:
            verificationResults |= 0x08_0000_0000
            notes.append("offline data authentication: DDA failed")
        case .none:
            verificationResults |= 0x80_0000_0000
            notes.append("offline data authentication: not performed")
        }
    }

    private mutating func checkRestrictions() {
        guard let month = risk.month, card.definition.expiry < month else { return }
        verificationResults |= 0x00_4000_0000
        notes.append("processing restrictions: application expired")
    }

    /// EMV Book 3 10.5: the first rule that applies and succeeds.
    private mutating func verifyCardholder(_ transaction: TerminalTransaction, pinEntered: Bool) {
        let list = application.verificationMethods
        func amount(_ start: Int) -> UInt64 {
            list[start..<start + 4].reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard list.count >= 10 else { return }
        var index = 8
        while index + 1 < list.count {
            let (method, condition) = (list[index] & 0x3F, list[index + 1])
            let goesOn = list[index] & 0x40 != 0
            index += 2
            let applies: Bool =
                switch condition {
                case 0x00, 0x03: true
                case 0x01: transaction.type == 0x01
                case 0x06: transaction.amount < amount(0)
                case 0x07: transaction.amount > amount(0)
                case 0x08: transaction.amount < amount(4)
                case 0x09: transaction.amount > amount(4)
                default: false
                }
            guard applies else { continue }
            let succeeds = method == 0x02 ? pinEntered : method == 0x1E || method == 0x1F
            // An online PIN's result is unknown (0), whoever is told so learns it from the issuer.
            let result: UInt32 = method == 0x02 && succeeds ? 0 : method == 0x1E ? 0 : succeeds ? 2 : 1
            verificationMethodResults = UInt32(method) << 16 | UInt32(condition) << 8 | result
            if succeeds {
                if method == 0x02 { verificationResults |= 0x00_0004_0000 }
                notes.append("cardholder verification: \(CardConversation.methods[method] ?? "other")")
                return
            }
            if !goesOn { break }
        }
        verificationResults |= 0x00_0080_0000
        notes.append("cardholder verification: not successful")
    }

    private static let methods: [UInt8: String] = [
        0x02: "enciphered PIN online", 0x1E: "signature", 0x1F: "none required",
    ]

    private mutating func manageRisk(_ transaction: TerminalTransaction) {
        guard transaction.amount >= risk.floorLimit else { return }
        verificationResults |= 0x00_0000_8000
        notes.append("terminal risk management: floor limit reached")
    }

    /// EMV Book 3 10.7: denial before online.
    private mutating func proposal() -> CryptogramKind {
        if verificationResults & (application.actionDenial | risk.actionDenial) != 0 {
            notes.append("terminal action analysis: declined by TAC or IAC denial")
            return .aac
        }
        if verificationResults & (application.actionOnline | risk.actionOnline) != 0 {
            notes.append("terminal action analysis: online by TAC or IAC online")
            return .arqc
        }
        notes.append("terminal action analysis: approved offline")
        return .tc
    }

    private mutating func authenticate(_ data: [UInt8]) throws {
        do {
            try exchange(
                "EXTERNAL AUTHENTICATE", [0x00, 0x82, 0, 0], [(.issuerAuthenticationData, data)]
            ) { try $0.authenticate(data) }
        } catch let error as CardConversationError where error.status == 0x6300 {
            verificationResults |= 0x00_0000_0040
        }
        notes.append("issuer authentication: \(verdict)")
    }

    /// The card carries scripts out, and the terminal remembers a failure in the TVR.
    /// - Parameter failure: byte 5, bit 6 before the final cryptogram, bit 5 after it (EMV Book 3 C5).
    private mutating func run(_ scripts: [IssuerScriptCommand], failure: UInt64) throws {
        for (command, status) in try applet.perform(scripts) {
            let succeeded = status == ChipApplet.Status.success
            notes.append(
                "script \(command): \(succeeded ? "done" : String(status, radix: 16, uppercase: true))")
            if !succeeded { verificationResults |= failure }
        }
    }

    @discardableResult
    private mutating func exchange(
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

    private static func reference(_ kind: CryptogramKind) -> UInt8 {
        switch kind {
        case .aac: 0x00
        case .tc: 0x40
        case .arqc: 0x80
        }
    }

    private static func kind(_ received: [UInt8]) -> CryptogramKind? {
        guard let template = try? TLVReader.objects(in: received[...]).first,
            let objects = try? TLVReader.objects(in: template.1),
            let value = objects.first(where: { $0.0 == .cryptogramInformationData })?.1.first
        else { return nil }
        return CryptogramKind(cryptogramInformationData: value)
    }
}
