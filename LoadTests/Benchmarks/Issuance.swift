import ByteCoding
import EMV
import Foundation
import HSM
import Issuance
import PKCS11

/// Certificates of cards against the token's own rate for the same key: what is between a signature of the token and a card
/// that has it may cost little. Key pairs of cards are made ahead, as a batch makes them while others sign.
func issuanceBenchmarks(_ harness: inout Harness, _ parts: Parts) async throws {
    guard harness.runs("issuance: ") else { return }
    let issuer = try BenchIssuer.make(parts.location)
    let cards = 20
    let batches = harness.batchCount(7)
    try await harness.measure("issuance: bare signature of 1,984 bits", operations: cards, batches: batches) {
        try issuer.sign(cards)
    }
    let bare = harness.figures.last?.wall
    func note(_ name: String) -> String {
        guard let bare, let own = harness.figures.last, own.name == name else { return "" }
        return String(format: "%.2f of the bare rate", bare / own.wall)
    }
    for (name, card) in [
        ("issuance: card with SDA", BenchIssuer.Kind.static),
        ("issuance: card with DDA, its key ahead", .dynamic),
    ] {
        try issuer.prepare(card, pairs: cards * (batches + 1))
        try await harness.measure(name, operations: cards, batches: batches) {
            try issuer.certify(card, cards)
        }
        print("  \(name): \(note(name))")
    }
    issuer.end()
}

/// An issuer with a certificate of a CA of its own.
private final class BenchIssuer {
    enum Kind {
        case `static`, dynamic
    }

    private static let label = "issuer-rsa-bench"
    private static let bits = 1_152
    private let location: TokenLocation
    private var keys: SigningKeys
    private let key: SigningKey
    private let file: IssuerCertificateFile
    private let certificate: KeyCertificate
    private var pool: CardKeyPool?
    private var pairs: [KeyPairHandles] = []
    private var serialNumber: UInt32 = 0

    private init(
        _ location: TokenLocation, _ keys: consuming SigningKeys, key: SigningKey,
        file: IssuerCertificateFile,
        certificate: KeyCertificate
    ) {
        (self.location, self.key, self.file, self.certificate) = (location, key, file, certificate)
        self.keys = keys
    }

    static func make(_ location: TokenLocation) throws -> BenchIssuer {
        var keys = try SigningKeys(at: location)
        let key = try keys.generate(label: label, bits: 1_984)
        let request = try IssuerKeyRequest(
            identifierDigits: [4, 7, 6, 1, 7, 3], expiry: month("2049-12"), index: 1, key: key.key)
        let sent = request.encode(signature: try keys.sign(try request.block(), label: key.label))
        var authority = TestCA(try SigningKeys(at: location))
        let rid: [UInt8] = [0xA0, 0, 0, 0, 0x03]
        let made = try authority.makeKey(rid: rid, index: 1, bits: 1_984)
        let file = try authority.certify(IssuerKeyRequest(file: sent), rid: rid, index: 1, serialNumber: 1)
        let known = CAPublicKey(rid: rid, index: 1, key: made.key, expiry: try month("2049-12"), isTest: true)
        let certificate = try file.verify(CAKeys([known]), month: nil).certificate
        return BenchIssuer(location, keys, key: key, file: file, certificate: certificate)
    }

    private static func month(_ text: String) throws -> CertificateMonth {
        guard let month = CertificateMonth(text: text) else { throw CocoaError(.formatting) }
        return month
    }

    func sign(_ count: Int) throws {
        let block = [0x6A] + [UInt8](repeating: 0xBB, count: key.key.byteCount - 1)
        try keys.signing(key.label) { handle, session in
            for _ in 0..<count { _ = try session.signRaw(block, key: handle) }
        }
    }

    func prepare(_ kind: Kind, pairs count: Int) throws {
        guard kind == .dynamic else { return }
        let pool = CardKeyPool(
            [Self.bits: count], at: location, threads: ProcessInfo.processInfo.activeProcessorCount,
            readyMax: count)
        self.pool = pool
        pairs = try (0..<count).map { _ in try pool.take(bits: Self.bits) }
    }

    func certify(_ kind: Kind, _ count: Int) throws {
        let profile = ApplicationProfile(
            aip: kind == .static ? "5C00" : "3C00",
            objects: "8E0E00000000000000004203" + "1E031F038C039F3704",
            iccKeyBits: kind == .static ? nil : Self.bits, pinKeyBits: nil)
        let certifier = try CardCertifier(file, certificate, key: key, profile: profile)
        let card = CardToCertify(
            identity: CardIdentity(
                pan: try PAN("4761739001010010"), panSequenceNumber: PANSequenceNumber(rawValue: 1)),
            expiry: try Self.month("2029-12"))
        var (pairs, serialNumber) = (self.pairs, self.serialNumber)
        try keys.signing(key.label) { signing, session in
            let wrapping = try Self.dataEncryptionKey(&session)
            for _ in 0..<count {
                _ = try certifier.certify(
                    card, signing: signing, under: wrapping,
                    serialNumber: {
                        serialNumber += 1
                        return serialNumber
                    }, pair: { _ in pairs.removeLast() }, session: &session)
            }
        }
        (self.pairs, self.serialNumber) = (pairs, serialNumber)
    }

    private static func dataEncryptionKey(_ session: inout Session) throws -> DataEncryptionKey {
        let handle = try session.generateKey(
            .des3,
            Template(
                keyType: .des3, on: [.sensitive, .isPrivate, .wrap],
                off: [.token, .extractable, .encrypt, .decrypt, .derive, .sign, .unwrap]))
        return DataEncryptionKey(handle, isAES: false, export: try PrivateKeyExport(&session))
    }

    func end() { pool?.end() }
}
