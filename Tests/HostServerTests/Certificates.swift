import Foundation
import NIOSSL
import SocketSupport
import X509

@testable import HostServer

/// Authorities and certificates, made with OpenSSL's command in a folder of their own.
struct Certificates: Sendable {
    let folder: String

    init() throws {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "issuer-certificates-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        folder = path.path
        try authority("ca")
        try authority("other-ca")
        try certificate("host", names: "DNS:host.example,IP:127.0.0.1", by: "ca")
        try certificate("acquirer", names: "DNS:acquirer.example", by: "ca")
        try certificate("neighbour", names: "DNS:neighbour.example", by: "ca")
        try certificate("unknown", names: "DNS:acquirer.example", by: "other-ca")
        try certificate("expired", names: "DNS:acquirer.example", by: "ca", days: -1)
    }

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    /// - Parameters:
    ///   - key: what OpenSSL's `-newkey` is told.
    ///   - subject: its name; nil: that of the files.
    ///   - extra: more arguments, such as extensions or how it is signed.
    func authority(
        _ name: String, key: String = "ec -pkeyopt ec_paramgen_curve:P-256", subject: String? = nil,
        extra: String = ""
    ) throws {
        try openssl(
            "req -x509 -newkey \(key) -nodes -days 2 -subj /CN=\(subject ?? name) \(extra) "
                + "-keyout \(path(name)).key -out \(path(name)).pem")
    }

    /// - Parameters:
    ///   - key: what OpenSSL's `-newkey` is told.
    ///   - signing: how the authority signs, in OpenSSL's words.
    func certificate(
        _ name: String, names: String, by authority: String, days: Int = 2,
        key: String = "ec -pkeyopt ec_paramgen_curve:P-256", signing: String = ""
    ) throws {
        try openssl(
            "req -newkey \(key) -nodes -subj /CN=\(name) "
                + "-addext subjectAltName=\(names) -keyout \(path(name)).key -out \(path(name)).csr")
        try openssl(
            "x509 -req -in \(path(name)).csr -CA \(path(authority)).pem -CAkey \(path(authority)).key "
                + "-days \(days) -copy_extensions copy \(signing) -out \(path(name)).pem")
    }

    /// RSA-PSS with SHA-256.
    static let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"

    /// The list of an authority, `NAME.crl`, and how long it holds from now on.
    ///
    /// - Parameters:
    ///   - revoked: names of certificates.
    ///   - seconds: until the next list is due.
    ///   - extensions: lines of a section of OpenSSL's configuration.
    ///   - extra: more arguments of `openssl ca -gencrl`.
    func list(
        of authority: String, revoked: [String] = [], seconds: Int = 86_400, as name: String? = nil,
        extensions: String? = nil, extra: String = ""
    ) throws {
        let database = path("\(authority).index")
        let settings = """
            [ca]
            default_ca = this
            [this]
            database = \(database)
            default_md = sha256
            unique_subject = no
            [list]
            \(extensions ?? "")
            """
        try Data(settings.utf8).write(to: URL(filePath: path("\(authority).cnf")))
        try Data().write(to: URL(filePath: database))
        let common =
            "ca -config \(path("\(authority).cnf")) -cert \(path("\(authority).pem")) "
            + "-keyfile \(path("\(authority).key")) "
        for certificate in revoked {
            try openssl(
                common + "-revoke \(path("\(certificate).pem")) -crl_reason superseded")
        }
        let lines = extensions == nil ? "" : "-crlexts list "
        try openssl(
            common + "-gencrl \(lines)-crlsec \(seconds) \(extra) -out \(path("\(name ?? authority).crl"))")
    }

    /// An authority between `ca` and peers, `NAME.pem`.
    func intermediate(_ name: String, by authority: String) throws {
        try openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(name) "
                + "-addext basicConstraints=critical,CA:true -keyout \(path(name)).key -out \(path(name)).csr"
        )
        try openssl(
            "x509 -req -in \(path(name)).csr -CA \(path(authority)).pem -CAkey \(path(authority)).key "
                + "-days 2 -copy_extensions copy -out \(path(name)).pem")
    }

    /// A certificate that ends so many seconds from now.
    func certificate(_ name: String, names: String, by authority: String, seconds: Int) throws {
        let formatter = DateFormatter()
        (formatter.dateFormat, formatter.timeZone) = ("yyyyMMddHHmmss'Z'", .gmt)
        formatter.locale = Locale(identifier: "en_US_POSIX")
        let end = formatter.string(from: Date(timeIntervalSinceNow: TimeInterval(seconds)))
        let settings = """
            [ca]
            default_ca = this
            [this]
            database = \(path("\(name).index"))
            new_certs_dir = \(folder)
            rand_serial = yes
            default_md = sha256
            policy = any
            copy_extensions = copy
            [any]
            commonName = supplied
            """
        try Data(settings.utf8).write(to: URL(filePath: path("\(name).cnf")))
        try Data().write(to: URL(filePath: path("\(name).index")))
        try openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(name) "
                + "-addext subjectAltName=\(names) -keyout \(path(name)).key -out \(path(name)).csr")
        try openssl(
            "ca -batch -notext -config \(path("\(name).cnf")) -cert \(path("\(authority).pem")) "
                + "-keyfile \(path("\(authority).key")) -in \(path(name)).csr -enddate \(end) "
                + "-out \(path(name)).pem")
    }

    /// Writes a file of others' contents, one behind the other.
    func join(_ names: [String], as name: String) throws {
        var all = Data()
        for each in names { all += try Data(contentsOf: URL(filePath: path(each))) }
        try all.write(to: URL(filePath: path(name)))
    }

    /// Certificates as a peer shows them.
    func presented(_ names: [String]) throws(PeerTrust.Refused) -> [Certificate] {
        try Certificate.all(names.flatMap { (try? NIOSSLCertificate.fromPEMFile(path("\($0).pem"))) ?? [] })
    }

    /// Changes the bytes of a file with one PEM block; its signature does not hold any more.
    func change(_ name: String, _ body: (inout [UInt8]) throws -> Void) throws {
        let block = try PEMBlock.all(inFile: path(name))[0]
        var bytes = block.bytes
        try body(&bytes)
        let text = Data(bytes).base64EncodedString()
        try Data("-----BEGIN \(block.label)-----\n\(text)\n-----END \(block.label)-----\n".utf8)
            .write(to: URL(filePath: path(name)))
    }

    /// What OpenSSL's command prints when it is given nothing to read.
    func output(_ arguments: String) throws -> String {
        let (process, pipe) = (Process(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
        (process.standardInput, process.standardOutput) = (FileHandle.nullDevice, pipe)
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }

    func openssl(_ arguments: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw SocketFailure(description: "openssl \(arguments)") }
    }
}

/// `openssl s_client`: a TLS implementation that is not the host's.
final class TLSClient: @unchecked Sendable {
    // Sendable because one thread at most writes and one reads.
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    /// - Parameter arguments: beside the address, certificate and authority, `-tls1_2` for instance.
    init(port: UInt16, _ certificates: Certificates, certificate: String?, _ arguments: [String] = []) throws
    {
        process.executableURL = URL(filePath: "/usr/bin/env")
        var all = ["openssl", "s_client", "-quiet", "-verify_return_error", "-connect", "127.0.0.1:\(port)"]
        all += ["-CAfile", certificates.path("ca.pem")]
        if let certificate {
            all += [
                "-cert", certificates.path("\(certificate).pem"), "-key",
                certificates.path("\(certificate).key"),
            ]
        }
        process.arguments = all + arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        signal(SIGPIPE, SIG_IGN)
        try process.run()
    }

    deinit { if process.isRunning { process.terminate() } }

    /// Sends bytes as they are; false once the other side is gone.
    func send(_ bytes: [UInt8]) -> Bool {
        (try? input.fileHandleForWriting.write(contentsOf: Data(bytes))) != nil
    }

    /// The payload of the next frame; nil at the end of the connection.
    func receiveFrame() -> [UInt8]? {
        guard let prefix = read(2) else { return nil }
        return read(Int(prefix[0]) << 8 | Int(prefix[1]))
    }

    /// Sends a frame and reads one; nil where the connection ends without.
    func exchange(_ payload: [UInt8]) -> [UInt8]? {
        let frame = [UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload
        _ = send(frame)
        return receiveFrame()
    }

    /// Closes this side, as a client that has nothing to say any more.
    func end() { try? input.fileHandleForWriting.close() }

    /// True once the other side has ended the connection.
    func isEnded() -> Bool { read(1) == nil }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let more = try? output.fileHandleForReading.read(upToCount: count - bytes.count),
                !more.isEmpty
            else { return nil }
            bytes += more
        }
        return bytes
    }
}
