internal import ArgumentParser
internal import AuditTrail
internal import ByteCoding
internal import EMV
internal import Foundation
internal import HSM
internal import Issuance
internal import PKCS11
internal import ProgramEntry

/// `issuer-keys test-ca`: a certification authority for demos, in a token of its own.
struct TestCACommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test-ca",
        abstract: "A certification authority for demos and tests, with its keys in a token of its own.",
        discussion: """
            No scheme knows it: only terminals that are given its file of CA keys do. Its keys are marked as test \
            keys there, and a production profile refuses what they sign.
            """, subcommands: [TestCAKey.self, TestCASign.self])
}

/// The CA's own token.
struct AuthorityToken: ParsableArguments {
    @Option(name: .long, help: "PKCS#11 library.") var module: String
    @Option(name: .customLong("init-arguments"), help: "For NSS: where its store is.") var initArguments:
        String?
    @Option(name: .customLong("function-list"), help: "The library's entry point.")
    var functionList = Module.standardEntry
    @Option(name: .long, help: "RFC 7512 URI of the token.") var uri: String
    @Option(name: .customLong("pin-file"), help: "Holds its user PIN.") var pinFile: String
    @Option(name: .customLong("ca-keys"), help: "Terminals' file of CA keys; its keys are added to it.")
    var caKeys: String
    @Option(name: .customLong("audit-log"), help: "Its audit trail, sealed in its own token.") var auditLog:
        String?

    func location() throws -> TokenLocation {
        let path = pinFile
        return TokenLocation(
            module: try Module(path: module, initArguments: initArguments, functionList: functionList),
            uri: uri,
            pin: {
                guard let data = FileManager.default.contents(atPath: path) else {
                    throw Refusal("\(path) cannot be read")
                }
                return SecretBytes(copying: Array(data.prefix { $0 != 0x0A }))
            })
    }

    func note(_ location: TokenLocation, _ events: [AuditEvent]) throws {
        guard let auditLog else { return }
        let trail = AuditTrail(
            path: auditLog, keyLabel: "audit", at: location, process: "issuer-keys test-ca")
        try trail.requireWritable()
        if let warning = try trail.append(events) {
            FileHandle.standardError.write(Data("warning: \(warning)\n".utf8))
        }
    }

    static func rid(_ text: String) throws -> [UInt8] {
        guard let bytes = try? Hex.decode(text), bytes.count == 5 else {
            throw ValidationError("--rid \(text): ten digits of hex are needed, such as A000000003")
        }
        return bytes
    }

    static func index(_ text: String) throws -> UInt8 {
        guard text.utf8.count == 2, let value = UInt8(text, radix: 16) else {
            throw ValidationError("--index \(text): two digits of hex are needed, such as F0")
        }
        return value
    }
}

struct TestCAKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make a CA key and add it to the terminals' file.")

    @OptionGroup var authority: AuthorityToken
    @Option(name: .long, help: "The scheme's RID, ten digits of hex.") var rid: String
    @Option(name: .long, help: "Two digits of hex.") var index = "F0"
    @Option(name: .long, help: "1152, 1408 or 1984.") var bits = 1_984
    @Option(name: .long, help: "Its last month.") var expires = "2049-12"

    func run() throws {
        let (rid, index) = (try AuthorityToken.rid(rid), try AuthorityToken.index(index))
        let expiry = try certificateMonth(expires, "--expires")
        try requireSigningBits(bits)
        var file = CAKeyFile(keys: [])
        if let data = FileManager.default.contents(atPath: authority.caKeys) {
            guard let found = try? JSONDecoder().decode(CAKeyFile.self, from: data) else {
                throw Refusal("\(authority.caKeys) is no file of CA keys")
            }
            file = found
        }
        guard !file.keys.contains(where: { $0.rid == Hex.encode(rid) && $0.index == Hex.encode([index]) })
        else {
            throw Refusal("\(authority.caKeys) has this key already: a new key has a new index")
        }
        let location = try authority.location()
        var ca = TestCA(try SigningKeys(at: location))
        let made = try ca.makeKey(rid: rid, index: index, bits: bits)
        let key = CAPublicKey(rid: rid, index: index, key: made.key, expiry: expiry, isTest: true)
        file.keys.append(CAKeyFile.Entry(key, name: "test CA of this environment", arithmetic: .portable))
        try authority.note(
            location,
            AuditEvent.made(made.label, &ca.keys) + [
                AuditEvent(
                    .testCertification, key: made.label,
                    details: ["bits": "\(bits)", "expires": "\(expiry)"])
            ])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(file).write(to: URL(filePath: authority.caKeys), options: .atomic)
        print("\(made.label): \(bits) bits, added to \(authority.caKeys)")
    }
}

struct TestCASign: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Check an issuer's request and sign its key.")

    @OptionGroup var authority: AuthorityToken
    @Argument(help: "What `certificate request` wrote.") var request: String
    @Option(name: .long, help: "The scheme's RID, ten digits of hex.") var rid: String
    @Option(name: .long, help: "Two digits of hex.") var index = "F0"
    @Option(name: .long, help: "The certificate.") var out: String

    func run() throws {
        let (rid, index) = (try AuthorityToken.rid(rid), try AuthorityToken.index(index))
        try requireNew(out)
        let received = try IssuerKeyRequest(file: contents(request))
        let location = try authority.location()
        var ca = TestCA(try SigningKeys(at: location))
        let serial = try SerialNumbers(
            path: "\(authority.caKeys).\(Hex.encode(rid)).\(Hex.encode([index])).serial"
        )
        .next()
        let certificate = try ca.certify(received, rid: rid, index: index, serialNumber: serial)
        let digits = received.identifierDigits.map(String.init).joined()
        try authority.note(
            location,
            [
                AuditEvent(
                    .testCertification, key: TestCA.label(rid: rid, index: index),
                    details: [
                        "identifier": digits, "serial": String(serial, radix: 16, uppercase: true),
                        "expires": "\(received.expiry)",
                    ])
            ])
        try Data(certificate.encoded).write(to: URL(filePath: out), options: .withoutOverwriting)
        print("PANs \(digits), serial number \(serial), until \(received.expiry): \(out)")
    }
}
