package import EMV
package import LibCrypto

/// A demo card with a memory: the chip, its definition and its counter's file.
package struct VirtualCard: Sendable {
    /// As the demo file defines it.
    package let definition: CardDefinition
    /// What the chip remembers beside its counter.
    package var memory = ChipMemory()
    private var chip: ChipCard
    private let counter: CounterFile?
    /// Where the issuer's access control server counts this card's authentications.
    private let authenticationCounter: CounterFile?
    private var authentications: UInt16
    private let scriptKeys: CardScriptKeys?
    /// What issuer scripts have changed.
    package private(set) var scriptMemory: CardMemory
    /// Computes what stands on its stripe; nil where nobody gave a key for it.
    package let cardValues: CardValues?

    /// - Parameters:
    ///   - issuer: has the keys.
    ///   - name: one of its cards.
    ///   - stateDirectory: where the counter's file is, made on first use; nil keeps it in memory.
    package init(
        _ issuer: DemoIssuer, card name: String, stateDirectory: String? = nil
    ) throws(DemoIssuerError) {
        try self.init(issuer, definition: try issuer.card(name), stateDirectory: stateDirectory)
    }

    /// The same for a card that is not in the file, such as one that the issuer never issued.
    /// - Parameter bureau: has the card's keys; nil derives them from the issuer's.
    package init(
        _ issuer: DemoIssuer, definition: CardDefinition, bureau: BureauFile.PersonalisedCard? = nil,
        stateDirectory: String? = nil
    ) throws(DemoIssuerError) {
        var cryptography = try VirtualCard.cryptography()
        var chip: ChipCard
        if let bureau {
            guard let personalised = bureau.chip else { throw .noKey("AC of \(definition.name)") }
            chip = personalised
            scriptKeys = bureau.scriptKeys
        } else {
            chip = try issuer.personalise(definition.identity, with: &cryptography)
            scriptKeys = try issuer.scriptKeys(of: definition.identity, with: &cryptography)
        }
        if let stateDirectory {
            let file = try CounterFile(directory: stateDirectory, card: definition.name)
            chip.atc = try file.read()
            counter = file
            let server = try CounterFile(directory: stateDirectory, card: definition.name + "-3ds")
            (authenticationCounter, authentications) = (server, try server.read().rawValue)
        } else {
            (counter, authenticationCounter) = (nil, nil)
            do { authentications = try UInt16(truncatingIfNeeded: Random.uint32()) } catch {
                throw .cryptography(error)
            }
        }
        cardValues = issuer.cardValues(of: definition.identity)
        scriptMemory = CardMemory(
            pin: definition.pin, pinForm: definition.product.profile.secureMessaging.pinForm)
        self.definition = definition
        self.chip = chip
    }

    /// A card that nobody but its bureau knows, its counter in memory.
    init(_ definition: CardDefinition, masterKey: ChipKey, scriptKeys: CardScriptKeys?) {
        chip = ChipCard(identity: definition.identity, masterKey: masterKey, atc: .init(rawValue: 0))
        self.scriptKeys = scriptKeys
        (counter, authenticationCounter, authentications) = (nil, nil, 0)
        cardValues = nil
        scriptMemory = CardMemory(
            pin: definition.pin, pinForm: definition.product.profile.secureMessaging.pinForm)
        self.definition = definition
    }

    private static func cryptography() throws(DemoIssuerError) -> ChipCryptography {
        do throws(LibCryptoError) {
            return try ChipCryptography()
        } catch {
            throw .cryptography(error)
        }
    }

    /// The PIN that its holder knows: the bureau's, or that of the last PIN change.
    package var pin: PIN { scriptMemory.pin }

    /// The counter of the last transaction.
    package var atc: ApplicationTransactionCounter { chip.atc }

    /// Sets the counter, for tests of jumps and of the end of a card's life.
    package mutating func setATC(_ atc: ApplicationTransactionCounter) throws(DemoIssuerError) {
        try counter?.write(atc)
        chip.atc = atc
    }

    /// Takes the counter as it is by now: another terminal may have used the card meanwhile.
    /// - Parameter other: the same card as another terminal left it; asked where no file keeps the counter.
    package mutating func catchUp(with other: VirtualCard? = nil) throws(DemoIssuerError) {
        if let counter {
            chip.atc = try counter.read()
        } else if let other, other.atc.rawValue > atc.rawValue {
            chip.atc = other.atc
        }
    }

    /// The number of the next authentication of its holder: one more each time, across runs.
    package mutating func nextAuthentication() throws(DemoIssuerError) -> UInt16 {
        if let authenticationCounter { authentications = try authenticationCounter.read().rawValue }
        authentications = authentications &+ 1
        try authenticationCounter?.write(.init(rawValue: authentications))
        return authentications
    }

    /// One transaction. The counter is on disk before the cryptogram leaves: a card never signs twice with one
    /// number, whatever becomes of the terminal.
    package mutating func answer(
        _ transaction: TerminalTransaction, tampering: Tampering = .none
    ) throws -> CardAnswer {
        guard !scriptMemory.isCardBlocked else { throw ChipCardError.blocked }
        var cryptography = try VirtualCard.cryptography()
        var next = chip
        let answer = try next.answer(
            transaction, product: scriptMemory.product(definition.product), with: &cryptography,
            tampering: tampering, kind: scriptMemory.isApplicationBlocked ? .aac : .arqc)
        if next.atc != chip.atc { try setATC(next.atc) }
        return reporting(answer)
    }

    /// The same chip data with what is to be told of scripts.
    private mutating func reporting(_ answer: CardAnswer) -> CardAnswer {
        let results = takeScriptResults()
        guard !results.isEmpty else { return answer }
        var writer = TLVWriter()
        writer.append(.issuerScriptResults, results)
        return CardAnswer(chipData: answer.chipData + writer.bytes, signed: answer.signed, atc: answer.atc)
    }

    /// A cryptogram within a conversation.
    /// - Parameters:
    ///   - product: as the conversation has changed it (CVR, AIP).
    ///   - atc: the conversation's, for the second cryptogram; nil counts.
    package mutating func generate(
        _ transaction: TerminalTransaction, product: CardProduct, atc: ApplicationTransactionCounter?
    ) throws -> CardAnswer {
        var cryptography = try VirtualCard.cryptography()
        var next = chip
        var tampering = Tampering.none
        tampering.atc = atc
        let answer = try next.answer(
            transaction, product: product, with: &cryptography, tampering: tampering)
        if next.atc != chip.atc { try setATC(next.atc) }
        return atc == nil ? reporting(answer) : answer
    }

    /// Counts one transaction; on disk before it is used.
    package mutating func nextATC() throws -> ApplicationTransactionCounter {
        guard !scriptMemory.isCardBlocked, !scriptMemory.isApplicationBlocked else {
            throw ChipCardError.blocked
        }
        guard chip.atc.rawValue < .max else { throw ChipCardError.counterExhausted }
        try setATC(ApplicationTransactionCounter(rawValue: chip.atc.rawValue + 1))
        return chip.atc
    }

    /// Visa's dCVV of a contactless magnetic stripe, under the card's own key: three digits.
    package func dynamicValue(
        _ input: CardValueInput, atc: ApplicationTransactionCounter
    ) throws(LibCryptoError) -> String {
        var (rest, digits) = (atc.rawValue % 10_000, UInt16(0))
        for shift in stride(from: UInt16(0), through: 12, by: 4) {
            digits |= (rest % 10) << shift
            rest /= 10
        }
        return try CardValues(cardVerificationKey: chip.iccMasterKey)
            .value(input, of: definition.identity.pan, atc: digits)
    }

    /// What the card makes of the issuer's answer.
    /// - Parameter chipData: DE55 of the response; nil or without tag 91 where none came.
    /// - Throws: `TLVError` where DE55 is malformed; `LibCryptoError`.
    package func verify(chipData: [UInt8]?, for answer: CardAnswer) throws -> IssuerAuthenticationVerdict {
        guard let chipData else { return .absent }
        let objects = try TLVReader.objects(in: chipData[...])
        guard let value = objects.first(where: { $0.0 == .issuerAuthenticationData })?.1 else {
            return .absent
        }
        guard let data = IssuerAuthenticationData(bytes: value) else {
            return .malformed(count: value.count)
        }
        var cryptography = try VirtualCard.cryptography()
        return try cryptography.verify(data, answer.signed, profile: definition.product.profile)
    }

    /// The card's PIN as its holder types it, or any other, enciphered for the terminal's link.
    /// - Parameters:
    ///   - pin: nil for the right one.
    ///   - zonePINKey: a TDES test key of the link.
    package func pinBlock(
        _ pin: PIN? = nil, format: PINBlockFormat = .iso0, zonePINKey: [UInt8]
    ) throws(LibCryptoError) -> EncipheredPINBlock {
        var pad = try PINPad(zonePINKey: zonePINKey)
        return try pad.block(
            pin ?? scriptMemory.pin, pan: definition.identity.pan, format: format, fill: VirtualCard.fill())
    }

    /// The same in format 4, under an AES test key.
    package func pinBlock16(
        _ pin: PIN? = nil, zonePINKey: [UInt8]
    ) throws(LibCryptoError) -> EncipheredPINBlock16 {
        var pad = try AESPINPad(zonePINKey: zonePINKey)
        return try pad.block(
            pin ?? scriptMemory.pin, pan: definition.identity.pan, fill: VirtualCard.fill())
    }

    private static func fill() throws(LibCryptoError) -> UInt64 {
        try Random.bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension VirtualCard {
    /// Verifies one script command and carries it out.
    /// - Parameter answer: the transaction's first cryptogram, which the session keys come from.
    /// - Returns: SW1 SW2; 6988 for a wrong MAC, 6984 for data that decipher to nothing, 6985 for a card that takes
    ///   no scripts or no more.
    package mutating func perform(
        _ command: IssuerScriptCommand, for answer: CardAnswer
    ) throws(LibCryptoError) -> UInt16 {
        guard let scriptKeys else { return CardMemory.conditionsNotSatisfied }
        var chip = try ChipCryptography()
        let verification = ScriptVerification(
            messaging: definition.product.profile.secureMessaging, keys: scriptKeys,
            keyHalf: self.chip.iccMasterKey.left, atc: answer.atc, cryptogram: answer.signed.cryptogram)
        scriptMemory.pinTriesLeft = memory.pinTriesLeft
        let status = try scriptMemory.perform(command.bytes, verification, chip: &chip)
        memory.pinTriesLeft = scriptMemory.pinTriesLeft
        return status
    }

    /// Forms of a new PIN that this card takes, where it is not the profile's.
    package mutating func setPINForm(_ form: SecureMessaging.PINForm) { scriptMemory.pinForm = form }

    /// Reports of scripts for the next message (tag 9F5B), which then are no more.
    package mutating func takeScriptResults() -> [UInt8] {
        defer { scriptMemory.scriptResults = [] }
        return scriptMemory.scriptResults.flatMap(\.bytes)
    }

    /// Carries out the commands of an answer, each script until its first failure (EMV Book 4 6.3.9), and notes the
    /// results for the next message.
    /// - Returns: every command that was given to the card, with its SW1 SW2.
    package mutating func perform(
        _ commands: [IssuerScriptCommand], for answer: CardAnswer
    ) throws(LibCryptoError) -> [(command: IssuerScriptCommand, status: UInt16)] {
        var done: [(command: IssuerScriptCommand, status: UInt16)] = []
        var results: [IssuerScriptResult] = []
        var number: UInt8 = 0
        for command in commands {
            let isNew = results.last?.identifier != command.script
            number = isNew ? 1 : number + 1
            if !isNew, results.last?.outcome == .failed { continue }
            let status = try perform(command, for: answer)
            done.append((command, status))
            let succeeded = status == CardMemory.success
            let result = IssuerScriptResult(
                outcome: succeeded ? .successful : .failed, failedCommand: succeeded ? 0 : min(number, 15),
                identifier: command.script)
            if isNew { results.append(result) } else { results[results.count - 1] = result }
        }
        scriptMemory.scriptResults += results
        return done
    }
}
