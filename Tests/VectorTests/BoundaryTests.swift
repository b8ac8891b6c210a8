@testable import Authorisation
import EMV
@testable import HSM
import LibCrypto
@testable import PKCS11
import Testing
import TokenSupport
import VirtualCard

/// The ends of what a card can send: the token's computation and the virtual card's have to stay one.
@Suite("Boundaries of ATC and IAD", .serialized)
struct BoundaryTests {
    private static let counters: [UInt16] = [0x0000, 0x0001, 0x00FF, 0x0100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF]

    /// Every length that a profile's IAD can have.
    private static func issuerData(_ profile: CryptogramProfile) -> [[UInt8]] {
        func filled(_ head: [UInt8], _ count: Int) -> [UInt8] {
            head + (head.count..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        }
        let version = profile.versionNumber
        switch profile.format {
        case .visa:
            let head: [UInt8] = [0x06, 0x01, version, 0x03, 0xA0, 0xB0, 0x00]
            return [head] + [0, 1, 24].map { filled(head + [UInt8($0)], 8 + $0) }
        case .visaFormat2: return [filled([0x1F, version, 0x01], 32)]
        case .mChip: return [18, 20, 26, 28].map { filled([0x01, version], $0) }
        case .commonCore:
            var iad = filled([0x0F, version, 0x01], 32)
            iad[16] = 0x0F
            return [iad]
        case .interac: return [filled([0x15, 0x01, version], 22)]
        }
    }

    @Test("Token and virtual card agree", arguments: CryptogramProfile.all.map(\.name))
    func agreement(_ name: String) throws {
        let profile = try #require(CryptogramProfile.named(name))
        let master = [UInt8](0x10..<0x20)
        let card = CardIdentity(
            pan: try PAN("4761739001010010"), panSequenceNumber: PANSequenceNumber(rawValue: 99))
        for iad in Self.issuerData(profile) {
            for counter in Self.counters {
                let atc = ApplicationTransactionCounter(rawValue: counter)
                let chip = try ICCData(parsing: Self.chipData(atc, iad))
                let parsed = try IssuerApplicationData(parsing: iad[...])
                #expect(try CryptogramProfile.select(for: parsed, among: [profile]).name == name)
                let input = try profile.cryptogramInput(from: chip, iad: parsed)
                let right = try signed(input, profile, atc, master, card)
                #expect(
                    try matches(right, input, profile, atc, master, card),
                    "\(name), ATC \(counter), \(iad.count)")
                #expect(try !matches(right ^ 1, input, profile, atc, master, card))
            }
        }
    }

    @Test("A byte more or less than an IAD can have is no IAD", arguments: CryptogramProfile.all.map(\.name))
    func lengths(_ name: String) throws {
        let profile = try #require(CryptogramProfile.named(name))
        let possible = Set(Self.issuerData(profile).map(\.count))
        for iad in Self.issuerData(profile) {
            for other in [Array(iad.dropLast()), iad + [0]] where !possible.contains(other.count) {
                #expect(throws: (any Error).self, "\(name), \(other.count) bytes") {
                    try CryptogramProfile.select(
                        for: IssuerApplicationData(parsing: other[...]), among: [profile])
                }
            }
        }
    }

    // MARK: - Parts

    private static let number = UnpredictableNumber(rawValue: 0xFFFF_FFFF)

    private static func chipData(_ atc: ApplicationTransactionCounter, _ iad: [UInt8]) -> [UInt8] {
        var data: [UInt8] = []
        func append(_ tag: [UInt8], _ value: [UInt8]) { data += tag + [UInt8(value.count)] + value }
        append([0x9F, 0x02], [0x99, 0x99, 0x99, 0x99, 0x99, 0x99])
        append([0x9F, 0x03], [0, 0, 0, 0, 0, 0])
        append([0x9F, 0x1A], [0x07, 0x52])
        append([0x95], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
        append([0x5F, 0x2A], [0x07, 0x52])
        append([0x9A], [0x26, 0x11, 0x24])
        append([0x9C], [0x00])
        append([0x9F, 0x37], [0xFF, 0xFF, 0xFF, 0xFF])
        append([0x82], [0x39, 0x00])
        append([0x9F, 0x36], [UInt8(atc.rawValue >> 8), UInt8(atc.rawValue & 0xFF)])
        append([0x9F, 0x10], iad)
        return data
    }

    /// By libcrypto.
    private func signed(
        _ input: CryptogramInput, _ profile: CryptogramProfile, _ atc: ApplicationTransactionCounter,
        _ master: [UInt8], _ card: CardIdentity
    ) throws -> UInt64 {
        if profile.cipher == .aes {
            let key = try AESChip.sessionKey(
                iccMasterKey: AESChip.iccMasterKey(issuerMasterKey: master, card: card), atc: atc)
            return try AESChip.mac(input, sessionKey: key)
        }
        var chip = try ChipCryptography()
        let issuer = try #require(DoubleLengthKey(bytes: master))
        let key = try chip.iccMasterKey(issuerMasterKey: issuer, option: .a, card: card)
        return try chip.sign(
            input, profile: profile, iccMasterKey: key, atc: atc, unpredictableNumber: Self.number
        ).cryptogram.rawValue
    }

    /// By the token.
    private func matches(
        _ cryptogram: UInt64, _ input: CryptogramInput, _ profile: CryptogramProfile,
        _ atc: ApplicationTransactionCounter, _ master: [UInt8], _ card: CardIdentity
    ) throws -> Bool {
        var token = try TokenCalculator(TestTokens.nss.get())
        let isAES = profile.cipher == .aes
        let question = CryptogramQuestion(
            issuerMasterKey: KeyName("imk"), masterKeyOption: isAES ? .c : .a, profile: profile, atc: atc,
            unpredictableNumber: Self.number, input: input,
            cryptogram: ApplicationCryptogram(rawValue: cryptogram), prepared: [])
        let key = isAES ? try token.aesKey(master, [.derive]) : try token.key(master, [.derive])
        let answer = try token.answer(
            CryptographyQuestion(
                card: card, cryptogram: question, pin: nil, deadline: Deadline(nanoseconds: .max)),
            keys: [KeyName("imk"): key])
        if case .matches = answer.cryptogram { return true }
        return false
    }
}
