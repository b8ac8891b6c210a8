import Authorisation
import EMV
import Foundation
@testable import HSM
@testable import PKCS11
import Testing

/// What an operation makes in the token it destroys again.
@Suite("Objects of the token", .serialized)
struct TokenObjectTests {
    /// `TOKEN_OPERATIONS=100000` for the long count.
    private static let operations =
        ProcessInfo.processInfo.environment["TOKEN_OPERATIONS"].flatMap { Int($0) } ?? 400

    @Test("No operation leaves an object behind", arguments: [true, false])
    func noneLeft(onNSS: Bool) throws {
        let location = try onNSS ? DemoKeys.nss.get() : DemoKeys.softHSM.get()
        var checks = try OperationChecks(location)
        let pan = try PAN(OperationChecks.pan)
        let card = CardIdentity(pan: pan, panSequenceNumber: nil)
        var questions: [CryptographyQuestion] = []
        for profile in [CryptogramProfile.visaCVN10, .visaCVN18, .mcCVN10h, .ccdAES] {
            questions.append(try cryptogram(profile, card))
        }
        for format in onNSS ? PINBlockFormat.allCases : [] {
            for verification in [PINVerification.reference, .verificationValue(keyIndex: 1)] {
                for (digits, count) in [(UInt64(0x12345), 5), (0x1234, 4)] {
                    var pin = try checks.question(format, digits, count: count, pan: pan)
                    pin.verification = verification
                    questions.append(
                        CryptographyQuestion(
                            card: card, cryptogram: nil, pin: pin, deadline: Deadline(nanoseconds: .max)))
                }
            }
        }
        if onNSS, let input = CardValueInput(expiry: 0x2912, serviceCode: 0x101) {
            let value = CardValueQuestion(
                cardVerificationKey: KeyName("cvk"), candidates: [input], value: 0x123)
            questions.append(
                CryptographyQuestion(
                    card: card, cryptogram: nil, pin: nil, cardValue: value,
                    deadline: Deadline(nanoseconds: .max)))
        }
        let others = try others(&checks, onNSS: onNSS)
        let count = questions.count + others.count
        func run(_ number: Int) throws {
            guard number < questions.count else {
                return try others[number - questions.count](&checks.serving)
            }
            try self.run(questions[number], &checks)
        }
        for number in 0..<count { try run(number) }
        let before = try checks.serving.session.objectCount()
        for number in 0..<Self.operations { try run(number % count) }
        let after = try checks.serving.session.objectCount()
        print("objects in the token: \(before) before, \(after) after \(Self.operations) operations")
        // Other suites may work on the token meanwhile; what is left behind at each operation would be hundreds.
        #expect(after - before < Self.operations / 8)
    }

    /// MACs of messages, and issuer scripts: with a new PIN where the token serves PINs.
    private func others(
        _ checks: inout OperationChecks, onNSS: Bool
    ) throws -> [(inout CryptographySession) throws -> Void] {
        let macs = MACAlgorithm.allCases.map { algorithm in
            MACQuestion(
                key: KeyName(algorithm == .aesCMAC ? "zak-aes" : "zak"), algorithm: algorithm,
                padding: .method2, data: [UInt8](repeating: 7, count: 100))
        }
        var scripts: [IssuerScriptQuestion] = []
        // SoftHSM2 has no exclusive or, which Visa's session keys are made with.
        for profile in [CryptogramProfile.visaCVN10, .visaCVN22, .mcCVN10h, .ccd]
        where onNSS || profile.secureMessaging.sessionKey != .visa {
            scripts.append(try checks.scriptQuestion(.cardBlock, profile))
            if onNSS && profile.secureMessaging.pinForm == .iso2 {
                scripts.append(try checks.scriptQuestion(.pinChange, profile))
            }
        }
        return (onNSS ? macs : []).map { question in { _ = try $0.mac(question) } }
            + scripts.map { question in { _ = try $0.protectedCommand(question) } }
    }

    private func run(_ question: CryptographyQuestion, _ checks: inout OperationChecks) throws {
        var known = question
        known.knownToken = CardToken(high: 0, low: 0)
        _ = try checks.serving.answer(known)
        if let pin = question.pin { _ = try checks.serving.fault(in: pin, pan: question.card.pan) }
    }

    private func cryptogram(_ profile: CryptogramProfile, _ card: CardIdentity) throws -> CryptographyQuestion
    {
        let input = try #require(CryptogramInput([UInt8](repeating: 9, count: 40), padding: profile.padding))
        return CryptographyQuestion(
            card: card,
            cryptogram: CryptogramQuestion(
                issuerMasterKey: KeyName(profile.cipher == .aes ? "imk-aes" : "imk"),
                masterKeyOption: profile.cipher == .aes ? .c : .a, profile: profile,
                atc: ApplicationTransactionCounter(rawValue: 1),
                unpredictableNumber: UnpredictableNumber(rawValue: 2), input: input,
                cryptogram: ApplicationCryptogram(rawValue: 3), prepared: []),
            pin: nil, deadline: Deadline(nanoseconds: .max))
    }

    @Test func whatSoftHSM2CannotDoInsideIsRefusedByName() throws {
        var configuration = DemoKeys.configuration(pins: true)
        configuration.pinFormats = [.iso0, .iso1, .iso3, .iso4]
        configuration.pinVerificationValueKey = KeyName("pvk")
        configuration.cardVerificationKeys = [KeyName("cvk-476173")]
        configuration.hasAESCards = true
        configuration.secureMessagingIntegrityKeys = [KeyName("imk-smi-541333")]
        configuration.hasVisaScripts = true
        configuration.secureMessagingConfidentialityKeys = [KeyName("imk-smc-541333")]
        configuration.zoneAuthenticationKeys = [KeyName("zak-acquirer-b"): .iso9797Algorithm3]
        for line in OperationChecks.run(configuration, at: try DemoKeys.nss.get()) {
            #expect(line.passed, "\(line.subject): \(line.detail)")
        }
        let soft = OperationChecks.run(configuration, at: try DemoKeys.softHSM.get())
        #expect(
            soft.filter(\.passed).map(\.subject) == ["AES card keys", "issuer scripts"],
            "\(soft.map { "\($0.subject): \($0.detail)" })")
        #expect(soft.contains { $0.subject == "PIN block format 4" && $0.detail.contains("inside") })
    }

    @Test("A PIN block becomes a reference or a verification value, and a malformed one nothing")
    func issuance() throws {
        let location = try DemoKeys.nss.get()
        var configuration = DemoKeys.configuration()
        configuration.pinVerificationValueKey = KeyName("pvk")
        let pan = try PAN("4761739001010010")
        var session = try location.openSession()
        let zone = try KnownAnswers.importKey(DemoKeys.clear("zpk-acquirer-a"), [.encrypt], session: &session)
        let verification = try KnownAnswers.importKey(DemoKeys.clear("pvk"), [.encrypt], session: &session)
        let clear = 0x0412_34FF_FFFF_FFFF ^ PINBlock.panField(for: pan)
        var question = PINQuestion(
            zonePINKey: KeyName("zpk-acquirer-a"), format: .iso0,
            block: EncipheredPINBlock(rawValue: try session.encryptBlock(clear, key: zone)))
        guard
            case .translated(let block) = try PINIssuance.record(
                of: question, pan: pan, configuration: configuration, at: location)
        else {
            Issue.record("no reference")
            return
        }
        #expect(try block.rawValue == session.encryptBlock(clear, key: verification))
        question.verification = .verificationValue(keyIndex: 1)
        let parameter = PINVerificationValue.publicPart(for: pan, keyIndex: 1) << 16 | 0x1234
        let expected = PINVerificationValue(
            keyIndex: 1, enciphered: try session.encryptBlock(parameter, key: verification))
        guard
            case .verificationValue(let value) = try PINIssuance.record(
                of: question, pan: pan, configuration: configuration, at: location)
        else {
            Issue.record("no verification value")
            return
        }
        #expect(value == expected)
        // A digit that is none, in each place of an odd and an even number.
        for (pin, count) in [
            (UInt64(0x0412_A4FF_FFFF_FFFF), 4), (0x0412_3FFF_FFFF_FFFF, 4), (0x0512_34CF_FFFF_FFFF, 5),
        ] {
            let field = pin ^ PINBlock.panField(for: pan)
            let bad = PINQuestion(
                zonePINKey: KeyName("zpk-acquirer-a"), format: .iso0,
                block: EncipheredPINBlock(rawValue: try session.encryptBlock(field, key: zone)))
            #expect("\(count) digits") {
                try PINIssuance.record(of: bad, pan: pan, configuration: configuration, at: location)
            } throws: { "\($0)".contains("none of 0 to 9") }
        }
        #expect(throws: PINIssuanceError.self) {
            try PINIssuance.record(
                of: question, pan: PAN("5413330089010483"), configuration: configuration, at: location)
        }
    }
}
