internal import ArgumentParser
internal import AuditTrail
internal import ByteCoding
internal import Foundation
internal import HSM
internal import Issuance
internal import PKCS11
internal import ProgramEntry

/// `issuer-keys acs-sign`: keys of access control servers, and what they sign.
struct ACSSignCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "acs-sign",
        abstract: "Sign an access control server's content (EMV 3-D Secure), and keep the keys for it.",
        subcommands: [ACSSign.self, ACSKeyGenerate.self, ACSKeyRequest.self, ACSKeyImport.self],
        defaultSubcommand: ACSSign.self)
}

/// PS256 or ES256.
private func algorithm(_ text: String) throws -> ServerSignature {
    guard let algorithm = ServerSignature(rawValue: text) else {
        throw ValidationError("--algorithm \(text): PS256 or ES256")
    }
    return algorithm
}

extension KeyDesk {
    fileprivate func note(
        _ kind: AuditEvent.Kind, _ key: ServerKey, keys: inout ServerKeys, signers: [AuditSigner]
    ) throws {
        try note(
            try keys.halves(key).map { AuditEvent(kind, key: key.label, details: $0) }, signers: signers)
    }
}

/// Certificates of a PEM file, in its order.
private func certificates(_ path: String) throws -> [[UInt8]] {
    let text = String(decoding: try contents(path), as: UTF8.self)
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
    let found = try text.components(separatedBy: begin).dropFirst().map { part -> [UInt8] in
        let body = part.components(separatedBy: end)[0].filter { !$0.isWhitespace }
        guard let data = Data(base64Encoded: body), !data.isEmpty else {
            throw Refusal("\(path): a certificate in it is no base64")
        }
        return Array(data)
    }
    guard !found.isEmpty else { throw Refusal("\(path): no certificate in PEM") }
    return found
}

struct ACSSign: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Sign contents; standard input has one JSON object a line.",
        discussion: """
            Each holds acsURL, acsEphemPubKey and sdkEphemPubKey, and is signed as its bytes stand. Each gives one line: \
            jws, in compact form, with the certificates of --chain in its header (x5c), the server's own first. Many lines \
            are signed in several sessions of the token at once.
            """)

    @OptionGroup var token: TokenOption
    @Option(name: .customLong("key"), help: "Name of the key: acs-sign-NAME in the token.") var name: String
    @Option(name: .long, help: "PEM file of its certificate and those between it and the root.") var chain:
        String

    @Option(name: .long, help: "Sessions of the token at most; as many as there are processors if left out.")
    var sessions: Int?

    private struct Content: Decodable {
        struct Key: Decodable {
            let kty: String
        }
        let acsURL: String
        let acsEphemPubKey: Key
        let sdkEphemPubKey: Key
    }

    private struct Answer: Encodable {
        let jws: String
    }

    /// One session, of one thread.
    private final class Signer {
        private var keys: ServerKeys
        private let key: ServerKey

        init(_ key: ServerKey, at location: TokenLocation) throws {
            keys = try ServerKeys(at: location)
            self.key = key
        }

        func sign(_ data: [UInt8]) throws -> [UInt8] { try keys.sign(data, key) }
    }

    func run() throws {
        let threads = sessions ?? ProcessInfo.processInfo.activeProcessorCount
        guard (1...64).contains(threads) else { throw ValidationError("--sessions \(threads): 1 to 64") }
        let desk = try token.desk()
        try desk.trail?.requireWritable()
        var keys = try ServerKeys(at: desk.location)
        let key = try keys.key(labelled: ServerKeys.prefix + name)
        let form = try SignedContent(key, chain: try certificates(chain))
        let location = desk.location
        let batch = try JSONLines(threads: threads) {
            let signer = try Signer(key, at: location)
            return { line in
                _ = try JSONLines.decode(Content.self, line)
                let signed = form.signedBytes(Array(line))
                return Answer(jws: form.encoded(signed, try signer.sign(signed)))
            }
        }
        let count = batch.good
        // Before it is out: what cannot be noted is not said.
        if count > 0 {
            try desk.note([
                AuditEvent(
                    .contentSigned, key: key.label,
                    details: ["contents": "\(count)", "algorithm": key.algorithm.rawValue])
            ])
        }
        try batch.finish()
    }
}

struct ACSKeyGenerate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Have the token make a key pair, whose private half never leaves it.")

    @OptionGroup var token: TokenOption
    @OptionGroup var operators: OperatorOption
    @Argument(help: "Name of the key: acs-sign-NAME in the token.") var name: String
    @Option(name: .long, help: "ES256 (P-256) or PS256 (RSA).") var algorithm = "ES256"
    @Option(name: .long, help: "Of an RSA key: 2048, 3072 or 4096.") var bits = 2_048

    func run() throws {
        try commandWords { try CertificateStore.requireName(name) }
        let signature = try issuer_keys.algorithm(algorithm)
        guard ServerKeys.bits.contains(bits) else {
            let known = ServerKeys.bits.map(String.init).joined(separator: ", ")
            throw ValidationError("--bits \(bits): \(known)")
        }
        let desk = try token.desk()
        try desk.trail?.requireWritable()
        let label = ServerKeys.prefix + name
        let signers = try desk.approval(
            of: AuditEvent(.keyGenerated, key: label, details: ["algorithm": algorithm]), "Making \(label)",
            files: operators)
        var keys = try ServerKeys(at: desk.location)
        let key = try keys.generate(label: label, signature, bits: bits)
        try desk.note(.keyGenerated, key, keys: &keys, signers: signers)
        print("\(label): \(key.words), signs \(algorithm)")
    }
}

struct ACSKeyRequest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request", abstract: "Write a certification request for a key (PKCS#10).")

    @OptionGroup var token: TokenOption
    @Argument(help: "Name of the key: acs-sign-NAME in the token.") var name: String
    @Option(name: .long, help: "Such as \"CN=acs.bank.example,O=Bank,C=SE\".") var subject: String
    @Option(name: .long, help: "The request, in PEM.") var out: String

    func run() throws {
        try commandWords("--subject") {
            try ServerRequest.requireSubject(subject, ServerKeys.prefix + name)
        }
        try requireNew(out)
        let desk = try token.desk()
        try desk.trail?.requireWritable()
        var keys = try ServerKeys(at: desk.location)
        let key = try keys.key(labelled: ServerKeys.prefix + name)
        let request = try ServerRequest(key, subject: subject)
        let encoded = request.encoded(try keys.sign(request.signedBytes, key))
        try desk.note([
            AuditEvent(.certificateRequested, key: key.label, details: ["subject": subject, "out": out])
        ])
        let body = Data(encoded).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
        let text = "-----BEGIN CERTIFICATE REQUEST-----\n\(body)\n-----END CERTIFICATE REQUEST-----\n"
        try Data(text.utf8).write(to: URL(filePath: out), options: .withoutOverwriting)
        print("\(key.label): request in \(out)")
    }
}

struct ACSKeyImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take a key pair in that was made elsewhere.",
        discussion: """
            --wrapped is the private key as PKCS#8 in DER, enciphered with AES-CBC (PKCS#7 padding, zero vector) under \
            the key that --under names; --public is the public key in DER (SubjectPublicKeyInfo). The token opens it; \
            what it signs has to verify under the public key, or nothing is kept.
            """)

    @OptionGroup var token: TokenOption
    @OptionGroup var operators: OperatorOption
    @Argument(help: "Name of the key: acs-sign-NAME in the token.") var name: String
    @Option(name: .long, help: "ES256 (P-256) or PS256 (RSA).") var algorithm = "ES256"
    @Option(name: .long, help: "An AES key that unwraps: zmk-…") var under: String
    @Option(name: .long, help: "File of the enciphered private key.") var wrapped: String
    @Option(name: .customLong("public"), help: "File of the public key.") var publicKey: String

    func run() throws {
        try commandWords { try CertificateStore.requireName(name) }
        let signature = try issuer_keys.algorithm(algorithm)
        guard KeyPurpose.named(under) == .zoneMasterKey else {
            throw ValidationError("--under \(printable(under)): a zone master key is needed, zmk-…")
        }
        let desk = try token.desk()
        try desk.trail?.requireWritable()
        let label = ServerKeys.prefix + name
        let details = ["algorithm": algorithm, "under": under]
        let signers = try desk.approval(
            of: AuditEvent(.keyImported, key: label, details: details), "Importing \(label)", files: operators
        )
        var keys = try ServerKeys(at: desk.location)
        let key = try keys.importKey(
            try contents(wrapped), under: under, publicKeyInfo: try contents(publicKey), label: label,
            algorithm: signature)
        try desk.note(.keyImported, key, keys: &keys, signers: signers)
        print("\(label): \(key.words), signs \(algorithm)")
    }
}
