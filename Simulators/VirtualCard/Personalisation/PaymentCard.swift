internal import EMV
internal import LibCrypto

/// A personalised chip behind its contacts: it answers terminals' commands (EMV Book 3 6.5).
struct PaymentCard: Sendable {
    private var card: VirtualCard
    private let application: ChipApplication
    private var applet: ChipApplet
    private let proprietary: [UInt8]

    /// - Parameters:
    ///   - records: all, templates included.
    ///   - keys: AC, and where scripts are taken MAC and encipherment; scripts of AES cards are in no form that is known.
    ///   - proprietary: FCI proprietary template's content.
    init(
        _ records: [[UInt8]], identifier: [UInt8], interchangeProfile: UInt16, issuerData: [UInt8],
        keys: [ChipKey], proprietary: [UInt8], authentication: CardAuthentication
    ) throws {
        var values: [Tag: [UInt8]] = [:]
        for record in records {
            for (_, template) in try TLVReader.objects(in: record[...]) {
                for (tag, value) in try TLVReader.objects(in: template) { values[tag] = Array(value) }
            }
        }
        let iad = try IssuerApplicationData(parsing: issuerData[...])
        let product = CardProduct(
            profile: try CryptogramProfile.select(for: iad, among: CryptogramProfile.all),
            issuerApplicationData: issuerData)
        let definition = try PaymentCard.definition(values, product)
        card = VirtualCard(
            definition, masterKey: keys[0],
            scriptKeys: keys.count == 3 && product.profile.cipher == .tripleDES
                ? CardScriptKeys(integrity: keys[1].doubleLength, confidentiality: keys[2].doubleLength) : nil
        )
        // Nobody gave it a PIN to compare with.
        card.memory.pinTriesLeft = 0
        var application = ChipApplication(for: product)
        application.identifier = identifier
        application.interchangeProfile = interchangeProfile
        application.take(values)
        application.authentication = authentication
        self.application = application
        self.proprietary = proprietary
        applet = ChipApplet(card, application)
    }

    private static func definition(_ values: [Tag: [UInt8]], _ product: CardProduct) throws -> CardDefinition
    {
        var digits = (values[.accountNumber] ?? []).flatMap { [$0 >> 4, $0 & 0x0F] }
        if digits.last == 0xF { digits.removeLast() }
        let pan = try PAN(digits.map(String.init).joined())
        let number = values[.panSequenceNumber]?.first.flatMap { PANSequenceNumber(bcd: $0) }
        guard let date = values[.expiration], date.count == 3,
            let expiry = ExpiryDate(
                ascii: [date[0] >> 4, date[0] & 0xF, date[1] >> 4, date[1] & 0xF].map { $0 + 0x30 }),
            let pin = PIN("000000000000")
        else { throw ChipCardError.impossibleData("5F24") }
        return CardDefinition(
            name: "", identity: CardIdentity(pan: pan, panSequenceNumber: number), expiry: expiry,
            product: product, pin: pin, status: "", availableMinorUnits: 0, currencyCode: 0)
    }

    /// Power on: the next transaction begins.
    mutating func reset() {
        card = applet.card
        applet = ChipApplet(card, application)
    }

    mutating func select(_ name: [UInt8]) -> ResponseAPDU {
        // A new selection is a new transaction.
        reset()
        let (data, status) = applet.select(name, proprietary: proprietary)
        return ResponseAPDU(data, status: status)
    }

    mutating func answer(_ command: CommandAPDU) throws -> ResponseAPDU {
        let data = command.data
        let result: (data: [UInt8], status: UInt16)
        switch (command.instructionClass, command.instruction) {
        case (0x80, 0xA8):
            result = applet.processingOptions()
        case (0x00, 0xB2) where command.parameter2 & 0x07 == 4:
            result = applet.record(file: command.parameter2 >> 3, command.parameter1)
        case (0x80, 0xCA):
            result = applet.data(
                Tag(rawValue: UInt32(command.parameter1) << 8 | UInt32(command.parameter2)))
        case (0x00, 0x84): result = try applet.giveChallenge()
        case (0x00, 0x88): result = try applet.authenticateInternally(data)
        case (0x00, 0x82): result = try applet.authenticate(data)
        case (0x00, 0x20): result = try verify(command)
        case (0x80, 0xAE): result = try generate(command)
        case (0x80, 0x50), (0x80, 0xE2), (0x84, 0xE2), (0x80, 0xD8), (0x84, 0xD8), (0x84, 0x82):
            // Locked: nothing personalises it a second time.
            result = ([], SmartCard.Status.conditionsNotSatisfied)
        case (0x84, 0x16), (0x84, 0x18), (0x84, 0x1E), (0x84, 0x24), (0x04, 0xDA), (0x04, 0xDC):
            let script = IssuerScriptCommand(
                template: .issuerScript2, bytes: command.header + [UInt8(data.count)] + data, script: 0)
            let status = try applet.perform([script]).first?.status
            result = ([], status ?? SmartCard.Status.conditionsNotSatisfied)
        case (0x00, _), (0x80, _), (0x84, _), (0x04, _): result = ([], SmartCard.Status.unknownInstruction)
        default: result = ([], SmartCard.Status.unknownClass)
        }
        return ResponseAPDU(result.data, status: result.status)
    }

    /// VERIFY: a plaintext block, or one enciphered under the card's key.
    private mutating func verify(_ command: CommandAPDU) throws -> (data: [UInt8], status: UInt16) {
        switch command.parameter2 {
        case 0x80:
            guard let pin = PIN(format2: command.data) else { return ([], SmartCard.Status.wrongData) }
            return applet.verify(pin)
        case 0x88: return try applet.verifyEnciphered(command.data)
        default: return ([], SmartCard.Status.wrongParameters)
        }
    }

    /// GENERATE AC: the values of CDOL1, then of CDOL2.
    private mutating func generate(_ command: CommandAPDU) throws -> (data: [UInt8], status: UInt16) {
        let kinds: [UInt8: CryptogramKind] = [0x00: .aac, 0x40: .tc, 0x80: .arqc]
        guard let asked = kinds[command.parameter1 & 0xC0], command.parameter2 == 0 else {
            return ([], SmartCard.Status.wrongParameters)
        }
        let isSecond = applet.first != nil
        let list = isSecond ? application.secondObjects : application.firstObjects
        guard command.data.count == list.reduce(0, { $0 + $1.count }) else {
            return ([], SmartCard.Status.wrongLength)
        }
        guard let (transaction, objects) = TerminalTransaction.read(command.data, as: list) else {
            return ([], SmartCard.Status.wrongData)
        }
        let signed = command.parameter1 & 0x10 != 0 ? command.data : nil
        guard isSecond else { return try applet.generateFirst(asked, transaction, signedData: signed) }
        let code = objects[.authorisationResponseCode].map { $0.reduce(0) { $0 << 8 | UInt16($1) } } ?? 0
        // Zeros stand for a code or an answer that never came.
        let issuerData = objects[.issuerAuthenticationData].flatMap { $0.contains { $0 != 0 } ? $0 : nil }
        return try applet.generateSecond(
            asked, transaction, code: AuthorisationResponseCode(rawValue: code), issuerData: issuerData,
            signedData: signed)
    }
}

extension ChipApplication {
    /// What records say of the application.
    mutating func take(_ values: [Tag: [UInt8]]) {
        func number(_ tag: Tag) -> UInt64? { values[tag].map { $0.reduce(0) { $0 << 8 | UInt64($1) } } }
        if let list = values[.riskObjects1] { firstObjects = DataObjectList.entries(list) }
        if let list = values[.riskObjects2] { secondObjects = DataObjectList.entries(list) }
        if let list = values[.verificationMethodList] { verificationMethods = list }
        if let code = number(.actionCodeDefault) { actionDefault = code }
        if let code = number(.actionCodeDenial) { actionDenial = code }
        if let code = number(.actionCodeOnline) { actionOnline = code }
        if let lower = number(.lowerConsecutiveLimit), let upper = number(.upperConsecutiveLimit) {
            consecutiveOffline = (Int(lower), Int(upper))
        }
    }
}

extension TerminalTransaction {
    /// Values of a data object list as a transaction; nil where a date or an amount is none.
    static func read(
        _ data: [UInt8], as list: [(tag: Tag, count: Int)]
    ) -> (transaction: TerminalTransaction, objects: [Tag: [UInt8]])? {
        var objects: [Tag: [UInt8]] = [:]
        var index = 0
        for (tag, count) in list {
            objects[tag] = Array(data[index..<index + count])
            index += count
        }
        func number(_ tag: Tag) -> UInt64 {
            (objects[tag] ?? []).suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
        func decimal(_ tag: Tag) -> UInt64? {
            var value: UInt64 = 0
            for nibble in (objects[tag] ?? []).suffix(8).flatMap({ [$0 >> 4, $0 & 0x0F] }) {
                guard nibble <= 9 else { return nil }
                value = value * 10 + UInt64(nibble)
            }
            return value
        }
        guard let amount = decimal(.amountAuthorised), let other = decimal(.amountOther),
            let country = decimal(.terminalCountryCode), let currency = decimal(.transactionCurrencyCode),
            let date = decimal(.transactionDate).flatMap({
                TransactionDate(year: Int($0 / 10_000), month: Int($0 / 100 % 100), day: Int($0 % 100))
            })
        else { return nil }
        var made = TerminalTransaction(
            amount: amount, date: date,
            unpredictableNumber: UnpredictableNumber(
                rawValue: UInt32(truncatingIfNeeded: number(.unpredictableNumber))))
        made.amountOther = other
        made.countryCode = UInt16(truncatingIfNeeded: country)
        made.currencyCode = UInt16(truncatingIfNeeded: currency)
        made.type = UInt8(truncatingIfNeeded: number(.transactionType))
        made.terminalVerificationResults = number(.terminalVerificationResults)
        if objects[.cardholderVerificationMethodResults] != nil {
            made.verificationMethodResults = UInt32(
                truncatingIfNeeded: number(.cardholderVerificationMethodResults))
        }
        if objects[.terminalType] != nil {
            made.terminalType = UInt8(truncatingIfNeeded: number(.terminalType))
        }
        return (made, objects)
    }
}
