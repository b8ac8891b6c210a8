import Foundation
import Authorisation
import ByteCoding
import EMV
import HSM
import PKCS11
import VirtualCard

/// What each operation of the token costs, in calls and microseconds: the table of `make bench BENCH="'token: '"`.
/// One worker, a hundred jobs under way; the note says how many PKCS#11 functions one job calls.
func operationBenchmarks(_ harness: inout Harness, _ parts: Parts) async throws {
    guard harness.runs("token: ") else { return }
    let desk = try OperationDesk(parts)
    for (name, question) in try desk.questions() {
        try await desk.measure("token: " + name, &harness) { port in
            for pending in (0..<100).map({ _ in port.begin(question) }) { _ = try await pending.answer() }
        }
    }
    for (name, question) in desk.macs {
        try await desk.measure("token: " + name, &harness) { port in
            for _ in 0..<100 { _ = try await port.mac(question, deadline: Deadline(nanoseconds: .max)) }
        }
    }
    for (name, question) in try desk.scripts() {
        try await desk.measure("token: " + name, &harness) { port in
            for _ in 0..<100 {
                _ = try await port.protectedCommand(question, deadline: Deadline(nanoseconds: .max))
            }
        }
    }
    let wrong = try desk.pin(.iso0, .reference)
    try await desk.measure("token: what is wrong with a PIN block", &harness) { port in
        for _ in 0..<100 {
            _ = try await port.fault(in: wrong, card: desk.card, deadline: Deadline(nanoseconds: .max))
        }
    }
    desk.stop()
}

/// A worker with every key, and questions of every kind.
private struct OperationDesk {
    let card: CardIdentity
    private let hsm: HSM
    private let port: HSMPort
    private let issuer: DemoIssuer
    private static let aesKey: [UInt8] = Array(0x10..<0x20)
    private static let pin = PIN("123456")!

    init(_ parts: Parts) throws {
        var session = try parts.location.openSession(readWrite: true)
        for (label, usage) in [("zpk-aes-bench", Attribute.unwrap), ("imk-aes-bench", .derive)] {
            _ = try session.createKey(
                Template(
                    keyType: .aes, label: label, on: [.token, .isPrivate, .sensitive, usage],
                    off: [.extractable, .modifiable]),
                value: SecretBytes(copying: OperationDesk.aesKey))
        }
        var configuration = HSMConfiguration(
            panHashKey: KeyName("pan-hash"), pinVerificationKey: KeyName("pvk"),
            zonePINKeys: [KeyName("zpk-acquirer-a"), KeyName("zpk-aes-bench")],
            issuerMasterKeys: [KeyName("imk-ac-476173"), KeyName("imk-aes-bench")], workers: 1)
        configuration.pinVerificationValueKey = KeyName("pvk")
        configuration.cardVerificationKeys = [KeyName("cvk-476173")]
        configuration.zoneAuthenticationKeys = [KeyName("zak-acquirer-b"): .iso9797Algorithm3]
        configuration.secureMessagingIntegrityKeys = [KeyName("imk-smi-476173")]
        configuration.secureMessagingConfidentialityKeys = [KeyName("imk-smc-476173")]
        hsm = try HSM(configuration, at: parts.location)
        port = hsm.port { work in work() }
        issuer = parts.issuer
        card = CardIdentity(
            pan: try PAN("4761739001010010"), panSequenceNumber: PANSequenceNumber(rawValue: 1))
    }

    func stop() { hsm.stop() }

    func measure(
        _ name: String, _ harness: inout Harness, batch: (HSMPort) async throws -> Void
    ) async throws {
        try await batch(port)
        let before = hsm.statistics
        try await batch(port)
        let after = hsm.statistics
        let calls = Double(after.calls - before.calls) / Double(after.jobs - before.jobs)
        try await harness.measure(
            name, operations: 100, note: { String(format: "%.1f PKCS#11 calls", calls) }
        ) { try await batch(port) }
    }

    // MARK: - Questions

    func questions() throws -> [(String, CryptographyQuestion)] {
        var questions: [(String, CryptographyQuestion)] = [("card token alone", question())]
        for profile in [CryptogramProfile.visaCVN10, .visaCVN18, .mcCVN10h, .mcCVN14h, .ccdAES] {
            let name = "card token, ARQC and ARPC, \(profile.name)"
            questions.append((name, question(cryptogram: try cryptogram(profile))))
        }
        for format in PINBlockFormat.allCases {
            let name = "format \(format.rawValue)"
            questions.append(
                ("card token, PIN \(name), reference", question(pin: try pin(format, .reference))))
            questions.append(
                (
                    "card token, PIN \(name), PVV",
                    question(pin: try pin(format, .verificationValue(keyIndex: 1)))
                ))
        }
        questions.append(
            (
                "purchase: visa-cvn18 and PIN format 0",
                question(cryptogram: try cryptogram(.visaCVN18), pin: try pin(.iso0, .reference))
            ))
        if let input = CardValueInput(expiry: 0x2912, serviceCode: 0x201) {
            let value = CardValueQuestion(
                cardVerificationKey: KeyName("cvk-476173"), candidates: [input], value: 0x123)
            questions.append(("card token and CVV", question(cardValue: value)))
        }
        return questions
    }

    var macs: [(String, MACQuestion)] {
        MACAlgorithm.allCases.filter { $0 != .aesCMAC }.map { algorithm in
            (
                "MAC \(algorithm.rawValue), 200 bytes",
                MACQuestion(
                    key: KeyName("zak-acquirer-b"), algorithm: algorithm, padding: .method1,
                    data: [UInt8](repeating: 7, count: 200))
            )
        }
    }

    func scripts() throws -> [(String, IssuerScriptQuestion)] {
        let newPIN = NewPIN(
            zonePINKey: KeyName("zpk-acquirer-a"),
            block: try pin(.iso0, .reference).block)
        let kinds: [(ScriptCommand.Kind, CryptogramProfile)] = [
            (.cardBlock, .visaCVN18), (.cardBlock, .mcCVN14h), (.pinChange, .mcCVN14h),
        ]
        return kinds.compactMap { kind, profile in
            guard let command = ScriptCommand(kind) else { return nil }
            let question = IssuerScriptQuestion(
                policy: IssuerScriptPolicy(
                    integrityKey: KeyName("imk-smi-476173"), confidentialityKey: KeyName("imk-smc-476173"),
                    pinForm: nil),
                masterKeyOption: .a, messaging: profile.secureMessaging, card: card,
                atc: ApplicationTransactionCounter(rawValue: 7),
                cryptogram: ApplicationCryptogram(rawValue: 3), command: command,
                newPIN: kind == .pinChange ? newPIN : nil)
            return ("script \(kind.words), \(profile.name)", question)
        }
    }

    private func question(
        cryptogram: CryptogramQuestion? = nil, pin: PINQuestion? = nil, cardValue: CardValueQuestion? = nil
    ) -> CryptographyQuestion {
        CryptographyQuestion(
            card: card, cryptogram: cryptogram, pin: pin, cardValue: cardValue,
            deadline: Deadline(nanoseconds: .max))
    }

    /// With the right cryptogram, so that the answers are computed too.
    private func cryptogram(_ profile: CryptogramProfile) throws -> CryptogramQuestion {
        let atc = ApplicationTransactionCounter(rawValue: 7)
        let number = UnpredictableNumber(rawValue: 8)
        let input = CryptogramInput([UInt8](repeating: 9, count: 40), padding: profile.padding)!
        let verdicts: [IssuerVerdict] =
            profile.responseMethod == .method1
            ? [.responseCode(AuthorisationResponseCode("00")!)]
            : [.statusUpdate(.approve), .statusUpdate(.decline)]
        let isAES = profile.cipher == .aes
        let right: UInt64
        if isAES {
            let master = try AESChip.iccMasterKey(issuerMasterKey: OperationDesk.aesKey, card: card)
            right = try AESChip.mac(
                input, sessionKey: AESChip.sessionKey(iccMasterKey: master, atc: atc))
        } else {
            var chip = try ChipCryptography()
            let master = try chip.iccMasterKey(
                issuerMasterKey: issuer.issuerMasterKey(for: card.pan), option: .a, card: card)
            right = try chip.sign(
                input, profile: profile, iccMasterKey: master, atc: atc, unpredictableNumber: number
            ).cryptogram.rawValue
        }
        return CryptogramQuestion(
            issuerMasterKey: KeyName(isAES ? "imk-aes-bench" : "imk-ac-476173"),
            masterKeyOption: isAES ? .c : .a, profile: profile, atc: atc, unpredictableNumber: number,
            input: input, cryptogram: ApplicationCryptogram(rawValue: right), prepared: verdicts)
    }

    func pin(_ format: PINBlockFormat, _ verification: PINVerification) throws -> PINQuestion {
        var question: PINQuestion
        if format == .iso4 {
            var pad = try AESPINPad(zonePINKey: OperationDesk.aesKey)
            let block = try pad.block(OperationDesk.pin, pan: card.pan, fill: 5)
            question = PINQuestion(
                zonePINKey: KeyName("zpk-aes-bench"),
                firstHalf: UInt64(truncatingIfNeeded: block.rawValue >> 64),
                secondHalf: UInt64(truncatingIfNeeded: block.rawValue))
        } else {
            var pad = try PINPad(zonePINKey: issuer.key("zpk-acquirer-a"))
            question = PINQuestion(
                zonePINKey: KeyName("zpk-acquirer-a"), format: format,
                block: try pad.block(OperationDesk.pin, pan: card.pan, format: format, fill: 5))
        }
        question.verification = verification
        return question
    }
}
