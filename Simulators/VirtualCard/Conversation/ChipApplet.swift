internal import EMV

/// The card's side of a conversation: answers commands (EMV Book 3 6.5) from its personalisation, signs with
/// the virtual card's key, and verifies the issuer's answer.
struct ChipApplet: Sendable {
    enum Status {
        static let success: UInt16 = 0x9000
        static let issuerAuthenticationFailed: UInt16 = 0x6300
        static let conditionsNotSatisfied: UInt16 = 0x6985
        static let functionNotSupported: UInt16 = 0x6A81
        static let fileNotFound: UInt16 = 0x6A82
        static let recordNotFound: UInt16 = 0x6A83
        static let pinBlocked: UInt16 = 0x6983
        static let dataNotFound: UInt16 = 0x6A88
        /// 63Cx: wrong, x tries left (EMV Book 3 6.5.12.4).
        static func pinWrong(triesLeft: Int) -> UInt16 { 0x63C0 | UInt16(triesLeft & 0x0F) }
    }

    private(set) var card: VirtualCard
    let application: ChipApplication
    private(set) var isSelected = false
    /// Of GET CHALLENGE, until it is used.
    var challenge: [UInt8]?
    private var firstTerminalData: [UInt8] = []
    private(set) var first: CardAnswer?
    private(set) var verdict = IssuerAuthenticationVerdict.absent
    private var isFinished = false

    init(_ card: VirtualCard, _ application: ChipApplication) {
        self.card = card
        self.application = application
    }

    /// One issuer script command.
    mutating func perform(
        _ commands: [IssuerScriptCommand]
    ) throws -> [(command: IssuerScriptCommand, status: UInt16)] {
        guard let first else { return [] }
        return try card.perform(commands, for: first)
    }

    /// SELECT by name: the payment environment's directory or the application.
    /// - Parameter proprietary: the FCI's objects as a bureau made them; empty takes label and priority.
    mutating func select(
        _ name: [UInt8], proprietary: [UInt8] = []
    ) -> (data: [UInt8], status: UInt16) {
        guard !card.scriptMemory.isCardBlocked else { return ([], Status.functionNotSupported) }
        var inner = TLVWriter()
        if name == CardConversation.environmentName || name == CardConversation.proximityEnvironmentName {
            var entry = TLVWriter()
            entry.append(.applicationIdentifier, application.identifier)
            entry.append(.applicationLabel, Array(application.label.utf8))
            entry.append(.priority, [1])
            var discretionary = TLVWriter()
            discretionary.append(.directoryEntry, entry.bytes)
            inner.append(.issuerDiscretionaryData, discretionary.bytes)
        } else if name == application.identifier {
            isSelected = true
            if proprietary.isEmpty {
                inner.append(.applicationLabel, Array(application.label.utf8))
                inner.append(.priority, [1])
            }
        } else {
            return ([], Status.fileNotFound)
        }
        var content = TLVWriter()
        content.append(.dedicatedFileName, name)
        content.append(
            .proprietaryTemplate, name == application.identifier ? inner.bytes + proprietary : inner.bytes)
        var whole = TLVWriter()
        whole.append(.fileControlInformation, content.bytes)
        return (whole.bytes, Status.success)
    }

    /// GET PROCESSING OPTIONS: AIP and where the records are.
    func processingOptions() -> (data: [UInt8], status: UInt16) {
        guard isSelected else { return ([], Status.conditionsNotSatisfied) }
        var content = TLVWriter()
        content.append(
            .applicationInterchangeProfile, number: UInt64(application.interchangeProfile), count: 2)
        content.append(
            .fileLocator,
            application.authentication?.locator
                ?? ApplicationLayout.locator(staticRecords: 2, certificateRecords: 0))
        var whole = TLVWriter()
        whole.append(.processingOptions, content.bytes)
        return (whole.bytes, Status.success)
    }

    /// GET DATA (EMV Book 3 6.5.7). The counter is this transaction's.
    func data(_ tag: Tag) -> (data: [UInt8], status: UInt16) {
        var whole = TLVWriter()
        switch tag {
        case .applicationTransactionCounter:
            let counter = UInt64(card.atc.rawValue) + (first == nil ? 1 : 0)
            whole.append(tag, number: min(counter, 0xFFFF), count: 2)
        case .lastOnlineCounter:
            whole.append(tag, number: UInt64(card.memory.lastOnlineCounter.rawValue), count: 2)
        case .pinTryCounter: whole.append(tag, [UInt8(card.memory.pinTriesLeft)])
        default: return ([], Status.dataNotFound)
        }
        return (whole.bytes, Status.success)
    }

    /// VERIFY: the PIN block is opened before it comes here.
    mutating func verify(_ pin: PIN) -> (data: [UInt8], status: UInt16) {
        guard card.memory.pinTriesLeft > 0 else { return ([], Status.pinBlocked) }
        guard pin == card.scriptMemory.pin else {
            card.memory.pinTriesLeft -= 1
            return ([], Status.pinWrong(triesLeft: card.memory.pinTriesLeft))
        }
        card.memory.pinTriesLeft = ChipMemory.pinTriesMax
        return ([], Status.success)
    }

    static func list(_ objects: [(tag: Tag, count: Int)]) -> [UInt8] {
        objects.flatMap { tag, count in
            (0..<tag.byteCount).map {
                UInt8(truncatingIfNeeded: tag.rawValue >> UInt32(8 * (tag.byteCount - 1 - $0)))
            } + [UInt8(count)]
        }
    }

    /// First GENERATE AC.
    /// - Parameter signedData: the values of CDOL1 where a signature is asked for (CDA); nil for none.
    mutating func generateFirst(
        _ asked: CryptogramKind, _ transaction: TerminalTransaction, signedData: [UInt8]?
    ) throws -> (data: [UInt8], status: UInt16) {
        guard isSelected, first == nil else { return ([], Status.conditionsNotSatisfied) }
        let kind: CryptogramKind =
            switch (application.attitude, asked) {
            case _ where card.scriptMemory.isApplicationBlocked: .aac
            case (.declines, _), (_, .aac): .aac
            case (.online, .tc): .arqc
            default: asked
            }
        let answer = try card.generate(
            transaction, product: product(first: kind, second: nil), atc: nil)
        first = answer
        isFinished = kind != .arqc
        firstTerminalData = signedData ?? []
        return (try response(kind, answer, transaction: transaction, signedData: signedData), Status.success)
    }

    /// EXTERNAL AUTHENTICATE with tag 91.
    mutating func authenticate(_ data: [UInt8]) throws -> (data: [UInt8], status: UInt16) {
        guard let first, !isFinished else { return ([], Status.conditionsNotSatisfied) }
        var writer = TLVWriter()
        writer.append(.issuerAuthenticationData, data)
        verdict = try card.verify(chipData: writer.bytes, for: first)
        if verdict.isAuthentic { card.memory.lastOnlineCounter = first.atc }
        return ([], verdict.isAuthentic ? Status.success : Status.issuerAuthenticationFailed)
    }

    /// Second GENERATE AC: a TC only where the issuer is authentic and approves, or where it could not be
    /// asked and the card does not insist on it. A blocked application gives an AAC.
    /// - Parameter issuerData: 91 where CDOL2 asks for it; looked at unless EXTERNAL AUTHENTICATE came before.
    mutating func generateSecond(
        _ asked: CryptogramKind, _ transaction: TerminalTransaction, code: AuthorisationResponseCode,
        issuerData: [UInt8]?, signedData: [UInt8]?
    ) throws -> (data: [UInt8], status: UInt16) {
        guard let first, !isFinished else { return ([], Status.conditionsNotSatisfied) }
        if let issuerData, verdict == .absent, application.looksAtIssuerDataLast {
            _ = try authenticate(issuerData)
        }
        isFinished = true
        let mayAlone = code == .unableToGoOnlineApproved && application.attitude == .agrees
        let mayApprove = (verdict.approves || mayAlone) && !card.scriptMemory.isApplicationBlocked
        let kind: CryptogramKind = asked == .tc && mayApprove ? .tc : .aac
        let answer = try card.generate(
            transaction, product: product(first: .arqc, second: kind), atc: first.atc)
        let whole = signedData.map { firstTerminalData + $0 }
        return (try response(kind, answer, transaction: transaction, signedData: whole), Status.success)
    }

    /// The product with the CVR's upper nibble of byte 1: AC given second and first (EMV Book 3 C7.3; the
    /// schemes have it alike).
    private func product(first: CryptogramKind, second: CryptogramKind?) -> CardProduct {
        let product = card.scriptMemory.product(card.definition.product)
        func bits(_ kind: CryptogramKind) -> UInt8 {
            switch kind {
            case .aac: 0
            case .tc: 1
            case .arqc: 2
            }
        }
        var iad = product.issuerApplicationData
        if let parsed = try? IssuerApplicationData(parsing: iad[...]) {
            let index = parsed.cardVerificationResults.startIndex
            iad[index] = iad[index] & 0x0F | (second.map(bits) ?? 2) << 6 | bits(first) << 4
        }
        var changed = product.with(issuerApplicationData: iad)
        changed.applicationInterchangeProfile = application.interchangeProfile
        return changed
    }

    /// Format 2 (EMV Book 3 6.5.5.4): 9F27, 9F36, 9F26, 9F10; with CDA 9F4B in place of the cryptogram.
    private func response(
        _ kind: CryptogramKind, _ answer: CardAnswer, transaction: TerminalTransaction, signedData: [UInt8]?
    ) throws -> [UInt8] {
        let information: UInt8 =
            switch kind {
            case .aac: 0x00
            case .tc: 0x40
            case .arqc: 0x80
            }
        let cryptogram = answer.signed.cryptogram.rawValue
        var objects: [(tag: Tag, value: [UInt8])] = [
            (.cryptogramInformationData, [information]),
            (
                .applicationTransactionCounter,
                [UInt8(answer.atc.rawValue >> 8), UInt8(answer.atc.rawValue & 0xFF)]
            ),
            (
                .applicationCryptogram,
                (0..<8).map { UInt8(truncatingIfNeeded: cryptogram >> UInt64(56 - 8 * $0)) }
            ),
        ]
        if let iad = (try? ICCData(parsing: answer.chipData))?[.issuerApplicationData] {
            objects.append((.issuerApplicationData, Array(iad)))
        }
        if kind != .aac, let signedData, let key = application.authentication?.key {
            objects = try combined(
                objects, kind, answer: answer, unpredictableNumber: transaction.unpredictableNumber.bytes,
                terminalData: signedData, key: key)
        }
        var content = TLVWriter()
        for (tag, value) in objects { content.append(tag, value) }
        var whole = TLVWriter()
        whole.append(.processingOptions, content.bytes)
        return whole.bytes
    }
}
