internal import ArgumentParser
internal import AuditTrail
internal import ByteCoding
internal import EMV
internal import Foundation
internal import HSM
internal import Issuance
internal import IssuerConfiguration
internal import ProgramEntry

/// `issuer-keys certificate`: the issuer's key for offline data authentication.
struct CertificateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate",
        abstract: "The issuer's RSA key and what the CA makes of it (EMV Book 2, 5 to 7).",
        subcommands: [CertificateRequest.self, CertificateImport.self, CertificateList.self])
}

extension AuditEvent.Kind {
    /// The token made an issuer's RSA key, and its request was written.
    static let certificateRequested = AuditEvent.Kind(rawValue: "certificate-requested")
    /// A CA's certificate was verified and kept.
    static let certificateImported = AuditEvent.Kind(rawValue: "certificate-imported")
    /// A test CA made a key or signed an issuer's.
    static let testCertification = AuditEvent.Kind(rawValue: "test-certification")
}

extension AuditEvent {
    /// The token made an RSA key pair: an event for each half.
    static func made(_ label: String, _ keys: inout SigningKeys) throws -> [AuditEvent] {
        try keys.halves(label).map { AuditEvent(.keyGenerated, key: label, details: $0.details) }
    }
}

/// This month, UTC.
func thisMonth() -> CertificateMonth? {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? .current
    let now = calendar.dateComponents([.year, .month], from: Date())
    return CertificateMonth(year: now.year ?? 0, month: now.month ?? 0)
}

/// `2030-12`.
func certificateMonth(_ text: String, _ option: String) throws -> CertificateMonth {
    guard let month = CertificateMonth(text: text) else {
        throw ValidationError("\(option) \(text): a year and a month are needed, such as 2030-12")
    }
    return month
}

/// Lengths that schemes use.
func requireSigningBits(_ bits: Int) throws {
    guard SigningKeys.bits.contains(bits) else {
        throw ValidationError("--bits \(bits): \(SigningKeys.bits.map(String.init).joined(separator: ", "))")
    }
}

/// What nobody has to be told twice: nothing is written over.
func requireNew(_ path: String) throws {
    guard !FileManager.default.fileExists(atPath: path) else {
        throw Refusal("\(path) is there already; nothing is written over")
    }
}

/// The bytes of a file.
func contents(_ path: String) throws -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: path) else {
        throw Refusal("\(path) cannot be read")
    }
    return Array(data)
}

extension KeyDesk {
    /// Where certificates are kept, and what they are checked by.
    func certificates() throws -> (store: CertificateStore, keys: CAKeys) {
        let settings = configuration.certificates
        guard let folder = settings.folder else {
            throw Refusal("the configuration has no certificates.folder")
        }
        guard let path = settings.caKeys else {
            throw Refusal("the configuration has no certificates.caKeys")
        }
        return (CertificateStore(folder: folder), try CAKeys(contentsOf: path))
    }
}

struct CertificateRequest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Have the token make an issuer key pair, and write its self-signed public key for the CA.",
        discussion: """
            The key's label is issuer-rsa-NAME; its private half never leaves the token. The exponent is 3 where the \
            token makes such keys, else 65,537. The file's form is in docs/certificates.md.
            """)

    @OptionGroup var token: TokenOption
    @OptionGroup var operators: OperatorOption
    @Argument(help: "Name of the key.") var name: String
    @Option(name: .long, help: "Three to eight digits: how the PANs begin.") var identifier: String
    @Option(name: .long, help: "Until when the certificate is asked for, such as 2033-12.") var expires:
        String
    @Option(name: .long, help: "The issuer's number of this key, up to 16777215.") var index: UInt32 = 1
    @Option(name: .long, help: "1152, 1408 or 1984.") var bits = 1_408
    @Flag(name: .customLong("existing-key"), help: "Ask again for a key that is there.") var existingKey =
        false
    @Option(name: .long, help: "The request.") var out: String

    func run() throws {
        try commandWords { try CertificateStore.requireName(name) }
        let digits = identifier.compactMap { $0.isASCII ? $0.wholeNumberValue.map(UInt8.init) : nil }
        guard digits.count == identifier.count, (3...8).contains(digits.count) else {
            throw ValidationError("--identifier: three to eight digits are needed")
        }
        let expiry = try certificateMonth(expires, "--expires")
        guard index < 1 << 24 else { throw ValidationError("--index has to be at most 16777215") }
        try requireSigningBits(bits)
        try requireNew(out)
        let desk = try token.desk()
        try desk.trail?.requireWritable()
        var keys = try SigningKeys(at: desk.location)
        let label = SigningKeys.issuerPrefix + name
        let key: SigningKey
        if existingKey {
            key = try keys.key(labelled: label)
        } else {
            let signers = try desk.approval(
                of: AuditEvent(.keyGenerated, key: label), "Making \(label)", files: operators)
            key = try keys.generate(label: label, bits: bits)
            try desk.note(AuditEvent.made(label, &keys), signers: signers)
        }
        let request = try IssuerKeyRequest(
            identifierDigits: digits, expiry: expiry, index: index, key: key.key)
        let file = request.encode(signature: try keys.sign(try request.block(), label: label))
        try desk.note([
            AuditEvent(
                .certificateRequested, key: label,
                details: [
                    "identifier": identifier, "index": "\(index)", "bits": "\(key.key.byteCount * 8)",
                    "expires": "\(expiry)", "new": "\(!existingKey)", "out": out,
                ])
        ])
        try Data(file).write(to: URL(filePath: out), options: .withoutOverwriting)
        let exponent = key.key.exponent == [3] ? "3" : "65537"
        print("\(label): \(key.key.byteCount * 8) bits, exponent \(exponent), request in \(out)")
        // What the CA reads back over another way.
        print("SHA-1 of the request: \(Hex.encode(PublicKeyArithmetic.portable.sha1(file) ?? []))")
    }
}

struct CertificateImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Keep the CA's certificate of an issuer key, once it verifies.",
        discussion: """
            The file holds 4F (RID), 8F, 90, 92 and 9F32 as BER-TLV. It has to verify under a CA key of \
            certificates.caKeys, be of the key issuer-rsa-NAME in the token, and not have expired. A production \
            profile refuses CA keys that are marked as test keys.
            """)

    @OptionGroup var token: TokenOption
    @Argument(help: "The CA's file.") var file: String
    @Option(name: .customLong("as"), help: "Name of the key.") var name: String

    func run() throws {
        let desk = try token.desk()
        let (store, known) = try desk.certificates()
        let received = try IssuerCertificateFile(file: contents(file))
        let (certificate, authority) = try received.verify(known, month: thisMonth())
        guard !authority.isTest || !desk.refusesTestKeys else {
            throw Refusal("\(file): its CA key is a test key, which production refuses")
        }
        var keys = try SigningKeys(at: desk.location)
        let label = SigningKeys.issuerPrefix + name
        guard try keys.key(labelled: label).key == certificate.key else {
            throw Refusal("\(file): the certificate is of another key than \(label)")
        }
        let digits = certificate.identifierDigits.map(String.init).joined()
        try desk.trail?.requireWritable()
        try desk.note([
            AuditEvent(
                .certificateImported, key: label,
                details: [
                    "identifier": digits,
                    "serial": String(certificate.serialNumber, radix: 16, uppercase: true),
                    "expires": "\(certificate.expiry)", "rid": Hex.encode(received.rid),
                    "caIndex": Hex.encode([received.caIndex]), "test": "\(authority.isTest)",
                ])
        ])
        try store.keep(received, as: name)
        print(
            "\(name): PANs \(digits), until \(certificate.expiry), CA key \(Hex.encode([received.caIndex])): kept"
        )
    }
}

struct CertificateList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the issuer's certificates, each checked anew.")

    @OptionGroup var token: TokenOption
    @Flag(name: .long, help: "As JSON.") var json = false

    private struct Row: Encodable {
        let name, rid, caIndex: String
        let identifier, serial, expires, fault: String?
        let bits: Int?
        let test: Bool
    }

    func run() throws {
        let configuration = try IssuerConfiguration(path: token.config)
        guard let folder = configuration.certificates.folder, let path = configuration.certificates.caKeys
        else {
            throw Refusal("the configuration has no certificates.folder and certificates.caKeys")
        }
        let rows = try CertificateStore(folder: folder).list(CAKeys(contentsOf: path), month: thisMonth()).map
        {
            entry in
            Row(
                name: entry.name, rid: Hex.encode(entry.file.rid), caIndex: Hex.encode([entry.file.caIndex]),
                identifier: entry.certificate?.identifierDigits.map(String.init).joined(),
                serial: entry.certificate.map { String($0.serialNumber, radix: 16, uppercase: true) },
                expires: entry.certificate.map { "\($0.expiry)" }, fault: entry.fault,
                bits: entry.certificate.map { $0.key.byteCount * 8 }, test: entry.isTest)
        }
        guard !json else {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return print(String(decoding: try encoder.encode(rows), as: UTF8.self))
        }
        let table =
            [["NAME", "PANS", "BITS", "SERIAL", "EXPIRES", "CA KEY", "STATE"]]
            + rows.map { row in
                [
                    row.name, row.identifier ?? "-", row.bits.map(String.init) ?? "-", row.serial ?? "-",
                    row.expires ?? "-", "\(row.rid) \(row.caIndex)\(row.test ? " (test)" : "")",
                    row.fault ?? "good",
                ]
            }
        let widths = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        for row in table {
            print(
                zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
                    .joined(separator: "  "))
        }
    }
}
